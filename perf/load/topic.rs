//! What is there before the clock starts: the topic, who leads its partitions, a record in each, perhaps more.

use super::arguments::{CodecName, Load};
use super::batches::{Changes, Pool, Template};
use super::producer::outcome;
use crate::Result;
use crate::client::Client;
use bytes::BytesMut;
use ringmill::types::{ErrorCode, PartitionIndex, Timestamp};
use ringmill::wire::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ringmill::wire::api::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

const METADATA_VERSION: i16 = 9;
const LIST_OFFSETS_VERSION: i16 = 6;
/// How long a new topic may take to be led: ten thousand partitions keep Kafka busy for a while.
const LEADERS_TIME_MAX: Duration = Duration::from_secs(180);
const RETRY_AFTER: Duration = Duration::from_millis(5);
const PRIMES_IN_FLIGHT: usize = 32;
const FILL_IN_FLIGHT: usize = 5;
/// The topic that is read beside the load.
pub const COLD: &str = "cold";
pub const COLD_PARTITIONS: usize = 4;

/// A broker and what it leads.
pub struct Leader {
    pub address: String,
    pub partitions: Vec<i32>,
}

/// Creates the topic if there is none, and sees that every partition takes records.
pub fn prepare(load: &Load) -> Result<Vec<Leader>> {
    let mut client = Client::connect(&load.target.broker)?;
    client.create_topic(&load.topic, load.partitions, &load.topic_config)?;
    let leaders = leaders(&mut client, load)?;
    leaders.iter().try_for_each(|leader| prime(load, leader))?;
    if load.fill_mib > 0 {
        let each = (load.fill_mib << 20) / load.partitions as u64;
        leaders.iter().try_for_each(|leader| fill(load, leader, each * leader.partitions.len() as u64))?;
    }
    Ok(leaders)
}

/// The same for the topic that is read beside the load; it is acknowledged from memory, to be there in seconds whatever the broker.
pub fn prepare_cold(load: &Load) -> Result<Vec<Leader>> {
    prepare(&Load {
        topic: COLD.into(),
        partitions: COLD_PARTITIONS,
        topic_config: vec![("flush.messages".into(), i64::MAX.to_string())],
        fill_mib: load.cold_mib,
        ..load.clone()
    })
}

/// Who leads the partitions that the load uses.
fn leaders(client: &mut Client, load: &Load) -> Result<Vec<Leader>> {
    let topic = MetadataRequestTopic { name: Some(load.topic.as_str().into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: false, ..Default::default() };
    let start = Instant::now();
    loop {
        let response = client.ask(&request, METADATA_VERSION)?;
        if let Some(leaders) = led(load, &response) {
            return Ok(leaders);
        }
        if start.elapsed() > LEADERS_TIME_MAX {
            return Err(format!("no leaders of all partitions of {} after {LEADERS_TIME_MAX:?}", load.topic).into());
        }
        thread::sleep(RETRY_AFTER);
    }
}

fn led(load: &Load, response: &MetadataResponse) -> Option<Vec<Leader>> {
    let wanted = |index: PartitionIndex| (0..load.partitions as i32).contains(&index.0);
    let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let partitions = &response.topics.first()?.partitions;
    for partition in partitions.iter().filter(|partition| partition.error_code == ErrorCode::None && wanted(partition.partition_index)) {
        by_leader.entry(partition.leader_id.0).or_default().push(partition.partition_index.0);
    }
    if by_leader.values().map(Vec::len).sum::<usize>() < load.partitions {
        return None;
    }
    by_leader.into_iter().map(|(id, partitions)| leader(load, response, id, partitions)).collect()
}

fn leader(load: &Load, response: &MetadataResponse, id: i32, mut partitions: Vec<i32>) -> Option<Leader> {
    partitions.sort_unstable();
    let broker = response.brokers.iter().find(|broker| broker.node_id.0 == id)?;
    // A broker by itself is reached where it was found, whatever it is called in its own network.
    let address = if response.brokers.len() == 1 { load.target.broker.clone() } else { format!("{}:{}", &*broker.host, broker.port) };
    Some(Leader { address, partitions })
}

/// Produces one record to every partition, again and again until the broker takes them.
fn prime(load: &Load, leader: &Leader) -> Result<()> {
    let load = Load { record_bytes: 1, batch_bytes: 0, batches: 1, ..plain(load) };
    let templates = Template::all(&load, &Pool::new(&load)?, &leader.partitions, 0)?;
    let mut client = Client::connect(&leader.address)?;
    let start = Instant::now();
    let mut missing: Vec<usize> = (0..leader.partitions.len()).collect();
    while !missing.is_empty() {
        let mut refused = Vec::new();
        for some in missing.chunks(PRIMES_IN_FLIGHT) {
            some.iter().try_for_each(|index| client.send(&written(&templates[*index])))?;
            for index in some {
                if outcome(&client.receive()?)?.1 > 0 {
                    refused.push(*index);
                }
            }
        }
        if !refused.is_empty() && start.elapsed() > LEADERS_TIME_MAX {
            return Err(format!("{} takes no records after {LEADERS_TIME_MAX:?}", load.topic).into());
        }
        if !refused.is_empty() {
            thread::sleep(RETRY_AFTER);
        }
        missing = refused;
    }
    Ok(())
}

/// Produces about `bytes`, in batches of a producer that lingers a little.
fn fill(load: &Load, leader: &Leader, bytes: u64) -> Result<()> {
    let load = Load { batch_bytes: 64 << 10, batches: 1, acks: 1, ..plain(load) };
    let templates = Template::all(&load, &Pool::new(&load)?, &leader.partitions, 0)?;
    let mut client = Client::connect(&leader.address)?;
    let (mut filled, mut under_way) = (0, 0);
    for template in templates.iter().cycle() {
        while under_way > 0 && (under_way >= FILL_IN_FLIGHT || filled >= bytes) {
            if outcome(&client.receive()?)?.1 > 0 {
                return Err(format!("filling {} failed", load.topic).into());
            }
            under_way -= 1;
        }
        if filled >= bytes {
            break;
        }
        client.send(&written(template))?;
        filled += template.bytes;
        under_way += 1;
    }
    Ok(())
}

/// The load with nothing in it that changes from batch to batch.
fn plain(load: &Load) -> Load {
    Load { acks: -1, codec: CodecName::None, idempotent: false, consumers: 0, values: None, ..load.clone() }
}

fn written(template: &Template) -> Vec<u8> {
    let (mut open, mut frame) = (BytesMut::new(), Vec::new());
    let changes = Changes { correlation_id: 0, stamp: None, identity: None };
    template.write(changes, &mut open, |open, part| {
        frame.extend_from_slice(&open.split());
        frame.extend_from_slice(part);
    });
    frame.extend_from_slice(&open);
    frame
}

/// The offsets behind the last records of a leader's partitions.
pub fn ends(load: &Load, leader: &Leader) -> Result<Vec<(i32, ringmill::types::Offset)>> {
    let latest =
        |index: &i32| ListOffsetsPartition { partition_index: PartitionIndex(*index), timestamp: Timestamp(-1), ..Default::default() };
    let topic = ListOffsetsTopic { name: load.topic.as_str().into(), partitions: leader.partitions.iter().map(latest).collect() };
    let request = ListOffsetsRequest { replica_id: ringmill::types::NodeId(-1), topics: vec![topic], ..Default::default() };
    let response = Client::connect(&leader.address)?.ask(&request, LIST_OFFSETS_VERSION)?;
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions
        .map(|partition| match partition.error_code {
            ErrorCode::None => Ok((partition.partition_index.0, partition.offset)),
            error => Err(format!("offsets of partition {}: {error:?}", partition.partition_index).into()),
        })
        .collect()
}
