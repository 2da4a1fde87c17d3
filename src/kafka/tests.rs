//! Stories on the simulator: a directory goes in and out while the machine crashes at any step.

use super::metadata_log::SnapshotId;
use super::*;
use crate::config::{BrokerConfig, Sources};
use crate::controller::{BrokerRegistration, Controller, ControllerConfig, ControllerRequest, MetadataImage};
use crate::log::format::{
    AbortedTransaction, CLEAN_SHUTDOWN, META_PROPERTIES, MetaProperties, OffsetCheckpointEntry, PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT, encode_offset_checkpoint, encode_partition_metadata,
};
use crate::log::{LockedDirs, LogConfig, LogDirs, LogStore, PartitionLog, Slice, TopicLogConfig, dir_list, recover};
use crate::rt::fs;
use crate::rt::sim::{Machine, Options, World, for_each_seed};
use crate::rt::task::LocalFuture;
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, ShardId, Timestamp, TopicId};
use crate::wire::Str;
use crate::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use crate::wire::kraft::{self, encode, key};
use crate::wire::records::{BatchBuilder, TransactionMarker, end_transaction_marker};
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

const DIR: &str = "/data";
const NODE: NodeId = NodeId(1);
const ORDERS: TopicId = TopicId([7; 16]);
const DIRECTORY: TopicId = TopicId([9; 16]);

/// A broker without clients: what `ringmill serve` does until it accepts.
struct Broker {
    dirs: LogDirs,
    store: Rc<LogStore>,
    controller: Rc<Controller>,
    image: MetadataImage,
}

fn config() -> BrokerConfig {
    let set = vec!["node.id=1".to_owned(), format!("log.dirs={DIR}")];
    BrokerConfig::load(&Sources { set, ..Sources::default() }).unwrap().config
}

fn log_config() -> LogConfig {
    LogConfig { journal_bytes_initial: 16 << 20, disk_reserve_bytes: 0, ..LogConfig::new(vec![PathBuf::from(DIR)], NODE) }
}

async fn start() -> Result<Broker, KafkaError> {
    let config = log_config();
    let locked = LockedDirs::lock(&config).await.unwrap();
    finish_hand_back(&config.log_dirs).await?;
    let takeover = inspect(&locked.properties(), NODE).await?;
    let dirs = locked.open(&config).await.unwrap();
    dir_list::note(&dirs.info()).await.unwrap();
    let controller_config = ControllerConfig {
        broker: Rc::new(self::config()),
        cluster_id: Some(dirs.info().cluster_id().to_owned()),
        shard_count: 1,
        first_records: takeover.as_ref().map(|takeover| takeover.records.clone()).unwrap_or_default(),
    };
    let controller = Controller::open(Path::new(DIR), controller_config).await.unwrap();
    if let Some(takeover) = takeover {
        takeover.note(Path::new(DIR)).await?;
    }
    recover(&config, &dirs.info(), ShardId(0), 1).await.unwrap();
    let store = LogStore::open(config, dirs.info(), ShardId(0)).await.unwrap();
    let image = MetadataImage::clone(&controller.image());
    Ok(Broker { dirs, store, controller, image })
}

impl Broker {
    async fn log(&self, topic: &str, partition: i32) -> Rc<PartitionLog> {
        let id = self.image.topic_by_name(topic).expect("the topic is there").id;
        let config = Rc::new(TopicLogConfig::default());
        self.store.open_partition(id, topic, PartitionIndex(partition), config).await.expect("the partition opens")
    }
}

/// All batches of a log, joined.
async fn contents(log: &PartitionLog) -> Bytes {
    let (mut at, mut bytes) = (log.log_start(), BytesMut::new());
    while at < log.log_end() {
        let fetched = log.read(at, 1 << 20, true, log.log_end()).await.expect("a read");
        assert!(fetched.bytes > 0, "nothing at {at}");
        for part in &fetched.parts {
            match part {
                Slice::Memory(part) => bytes.extend_from_slice(part),
                Slice::File { file, offset, len } => bytes.extend_from_slice(&file.read_at(*offset, *len as usize).await.unwrap()),
            }
        }
        at = fetched.end;
    }
    bytes.freeze()
}

fn batch(base: i64, count: i64, fill: u8) -> BatchBuilder {
    let mut builder = BatchBuilder::default().base_offset(Offset(base)).leader_epoch(LeaderEpoch(2));
    (0..count).for_each(|n| builder.push(Timestamp(1_000 + n), None, Some(&[fill; 50]), &[]));
    builder
}

/// What Kafka's controllers wrote for one topic of two partitions.
fn kafka_metadata() -> Bytes {
    let partition = |index| kraft::PartitionRecord {
        partition_id: PartitionIndex(index),
        topic_id: ORDERS,
        replicas: vec![NODE],
        isr: vec![NODE],
        leader: NODE,
        leader_epoch: LeaderEpoch(2),
        partition_epoch: 0,
        directories: vec![DIRECTORY.0],
        ..Default::default()
    };
    let config = kraft::ConfigRecord {
        resource_type: 2,
        resource_name: Str::from_static("orders"),
        name: Str::from_static("retention.ms"),
        value: Some(Str::from_static("-1")),
    };
    let level = kraft::FeatureLevelRecord { name: Str::from_static("metadata.version"), feature_level: 29 };
    let values = [
        encode(key::FEATURE_LEVEL, 0, &level),
        encode(key::TOPIC, 0, &kraft::TopicRecord { name: Str::from_static("orders"), topic_id: ORDERS }),
        encode(key::PARTITION, 1, &partition(0)),
        encode(key::PARTITION, 1, &partition(1)),
        encode(key::CONFIG, 0, &config),
        encode(key::PRODUCER_IDS, 0, &kraft::ProducerIdsRecord { next_producer_id: 5000, ..Default::default() }),
    ];
    let mut builder = BatchBuilder::default().leader_epoch(LeaderEpoch(1));
    values.into_iter().for_each(|value| builder.push(Timestamp(1), None, Some(&value.unwrap()), &[]));
    builder.finish().into_bytes()
}

/// The batches of `orders-0`: sealed ones, then those of the active segment: an aborted transaction, and one that is open.
fn kafka_segments() -> [Bytes; 2] {
    let producer = |builder: BatchBuilder, id| builder.producer(ProducerId(id), ProducerEpoch(0), 0).transactional().finish().into_bytes();
    let abort = end_transaction_marker(TransactionMarker::Abort, ProducerId(1), ProducerEpoch(0), 0, Timestamp(2_000));
    let abort = abort.stamped(Offset(25), LeaderEpoch(2)).into_bytes();
    let sealed = [batch(0, 10, 1).finish().into_bytes(), batch(10, 10, 2).finish().into_bytes()].concat();
    let active = [producer(batch(20, 5, 3), 1), abort, batch(26, 4, 4).finish().into_bytes(), producer(batch(30, 2, 5), 2)].concat();
    [sealed.into(), active.into()]
}

/// A directory as Kafka leaves it: after a clean stop, or with a torn batch behind the active segment and an unsynced segment behind that.
async fn write_kafkas_directory(clean: bool) {
    let root = Path::new(DIR);
    for dir in [METADATA_DIRECTORY, "orders-0", "orders-1"] {
        fs::create_dir_all(&root.join(dir)).await.unwrap();
        fs::write_file(&root.join(dir).join(PARTITION_METADATA), encode_partition_metadata(ORDERS).as_bytes()).await.unwrap();
    }
    let properties = MetaProperties { cluster_id: "8yckYEw9h3q6LZ2mktH4gQ".into(), node_id: NODE, directory_id: Some(DIRECTORY) };
    let points = [OffsetCheckpointEntry { topic: "orders".into(), partition: PartitionIndex(0), offset: Offset(15) }];
    let [sealed, active] = kafka_segments();
    let mut torn = active.to_vec();
    if !clean {
        torn.extend_from_slice(&batch(32, 3, 6).finish().into_bytes()[..100]);
    }
    let mut files = vec![
        (META_PROPERTIES.to_owned(), properties.encode()),
        (RECOVERY_POINT_CHECKPOINT.to_owned(), encode_offset_checkpoint(&points).into_bytes()),
        (format!("{METADATA_DIRECTORY}/00000000000000000000.log"), kafka_metadata().to_vec()),
        ("orders-0/00000000000000000000.log".to_owned(), sealed.to_vec()),
        ("orders-0/00000000000000000020.log".to_owned(), torn),
        ("orders-1/00000000000000000000.log".to_owned(), Vec::new()),
    ];
    if clean {
        files.push((CLEAN_SHUTDOWN.to_owned(), b"{\"version\":0,\"brokerEpoch\":3}".to_vec()));
    } else {
        files.push(("orders-0/00000000000000000035.log".to_owned(), batch(35, 2, 7).finish().into_bytes().to_vec()));
        files.push(("orders-0/00000000000000000035.index".to_owned(), vec![0; 80]));
    }
    for (name, contents) in files {
        fs::write_file(&root.join(name), &contents).await.unwrap();
    }
    fs::sync_dir(root).await.unwrap();
    fs::FileSystem::open(root).await.unwrap().sync().await.unwrap();
}

fn crash_some_times(world: &World, machine: Machine, mut begin: impl FnMut() -> LocalFuture<()>) {
    for _ in 0..world.random_below(5) {
        world.spawn_on(machine, begin());
        world.run_for(Duration::from_micros(world.random_below(60_000)));
        if world.random_below(3) == 0 {
            world.kill(machine);
        } else {
            world.crash(machine);
        }
    }
}

#[test]
fn a_directory_of_kafkas_is_taken_over_through_any_crash() {
    for_each_seed(60, |seed| {
        let world = World::new(seed, Options::default());
        let machine = world.add_machine();
        let clean = seed % 2 == 0;
        world.block_on(machine, write_kafkas_directory(clean));
        crash_some_times(&world, machine, || {
            Box::pin(async {
                let broker = start().await.unwrap();
                drop((broker.log("orders", 0).await, broker));
            })
        });
        world.block_on(machine, async move {
            let broker = start().await.unwrap();
            let topic = broker.image.topic_by_name("orders").unwrap();
            assert_eq!((topic.id, topic.partitions.len()), (ORDERS, 2));
            assert_eq!(topic.partitions[0].leader_epoch, LeaderEpoch(3));
            assert_eq!((broker.image.next_producer_id(), broker.image.feature_level("metadata.version")), (5000, 29));
            assert_eq!(broker.image.cluster_id(), "8yckYEw9h3q6LZ2mktH4gQ");
            let log = broker.log("orders", 0).await;
            assert_eq!(contents(&log).await, kafka_segments().concat());
            assert_eq!((log.log_end(), log.last_stable_offset()), (Offset(32), Offset(30)));
            let aborted = log.aborted_transactions(Offset(0), Offset(30)).await.unwrap();
            // A clean stop of Kafka's leaves an index of them, which this directory has not.
            assert_eq!(aborted.iter().map(|entry| entry.first_offset.0).collect::<Vec<_>>(), [20]);
            assert_eq!(broker.log("orders", 1).await.log_end(), Offset(0));
            let untouched = fs::read_file(&Path::new(DIR).join(METADATA_DIRECTORY).join("00000000000000000000.log"), 1 << 20).await;
            assert_eq!(untouched.unwrap(), kafka_metadata());
        });
    });
}

/// A crash in the middle of a compaction by Kafka: of `orders-0`'s first segment only the batch of offsets 10 to 19 is left, in a file that `log` says
/// how far it had come with, and its index is a step behind at times. What compaction has removed was of a transaction that was aborted.
async fn interrupt_kafkas_compaction(log: &str, index: &str) {
    let root = Path::new(DIR);
    let points = [OffsetCheckpointEntry { topic: "orders".into(), partition: PartitionIndex(0), offset: Offset(22) }];
    let aborted =
        AbortedTransaction { producer_id: ProducerId(9), first_offset: Offset(3), last_offset: Offset(8), last_stable_offset: Offset(9) };
    let files = [
        (RECOVERY_POINT_CHECKPOINT.to_owned(), encode_offset_checkpoint(&points).into_bytes()),
        (format!("orders-0/00000000000000000000.log{log}"), batch(10, 10, 2).finish().into_bytes().to_vec()),
        (format!("orders-0/00000000000000000000.index{index}"), Vec::new()),
        (format!("orders-0/00000000000000000000.timeindex{index}"), Vec::new()),
        ("orders-0/00000000000000000000.txnindex".to_owned(), aborted.to_bytes().to_vec()),
        ("orders-0/00000000000000000005.log.deleted".to_owned(), b"of a segment that was replaced before".to_vec()),
        ("orders-0/00000000000000000005.snapshot.deleted".to_owned(), Vec::new()),
        ("orders-0/leader-epoch-checkpoint.tmp".to_owned(), b"0\n".to_vec()),
    ];
    for (name, contents) in files {
        fs::write_file(&root.join(name), &contents).await.unwrap();
    }
    fs::FileSystem::open(root).await.unwrap().sync().await.unwrap();
}

#[test]
fn a_compaction_that_kafka_did_not_finish_is_finished_or_undone_before_the_log_is_recovered() {
    let [sealed, active] = kafka_segments();
    let compacted = [batch(10, 10, 2).finish().into_bytes(), active.clone()].concat();
    let as_before = [sealed, active].concat();
    for (log, index, expected, aborted) in [
        (".swap", ".swap", &compacted, vec![20]),
        (".swap", ".cleaned", &as_before, vec![3, 20]),
        (".cleaned", ".cleaned", &as_before, vec![3, 20]),
        ("", ".swap", &compacted, vec![3, 20]),
    ] {
        let world = World::new(3, Options::default());
        let machine = world.add_machine();
        let expected = Bytes::copy_from_slice(expected);
        world.block_on(machine, async move {
            write_kafkas_directory(false).await;
            interrupt_kafkas_compaction(log, index).await;
            let broker = start().await.unwrap();
            let orders = broker.log("orders", 0).await;
            assert_eq!(contents(&orders).await, expected, "log{log}, index{index}");
            let found = orders.aborted_transactions(Offset(0), Offset(30)).await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.first_offset.0).collect::<Vec<_>>(), aborted, "log{log}, index{index}");
            let left = |name: &str| [".swap", ".cleaned", ".deleted"].iter().any(|ending| name.ends_with(ending));
            crate::rt::sleep(Duration::from_secs(1)).await;
            let listing = fs::list_dir(&orders.path()).await.unwrap();
            assert!(!listing.iter().any(|entry| left(&entry.name)), "{listing:?}");
        });
    }
}

#[test]
fn what_kafka_writes_after_a_takeover_is_refused() {
    let world = World::new(1, Options::default());
    let machine = world.add_machine();
    world.block_on(machine, async {
        write_kafkas_directory(true).await;
        drop(start().await.unwrap());
        let path = Path::new(DIR).join(METADATA_DIRECTORY).join("00000000000000000000.log");
        let longer = [kafka_metadata(), kafka_metadata()].concat();
        fs::write_file(&path, &longer).await.unwrap();
        let error = start().await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("has run here since"), "{error}");
    });
}

#[test]
fn a_directory_is_given_back_through_any_crash_and_comes_in_again() {
    for_each_seed(60, |seed| {
        let world = World::new(seed, Options::default());
        let machine = world.add_machine();
        let from_kafka = seed % 2 == 0;
        if from_kafka {
            world.block_on(machine, write_kafkas_directory(true));
        }
        let before = Rc::new(RefCell::new(Bytes::new()));
        let kept = Rc::clone(&before);
        let stops = world.random_below(2) == 0;
        world.block_on(machine, async move {
            let mut broker = start().await.unwrap();
            if !from_kafka {
                create_orders(&mut broker).await;
            }
            let other = broker.log("orders", 1).await;
            other.append(&batch(0, 1, 9).finish().into_bytes(), LeaderEpoch(7), Timestamp(1)).unwrap();
            other.wait_durable(other.log_end()).await.unwrap();
            let log = broker.log("orders", 0).await;
            for n in 0..20 {
                log.append(&batch(0, 3, n).finish().into_bytes(), LeaderEpoch(7), Timestamp(1)).unwrap();
            }
            log.wait_durable(log.log_end()).await.unwrap();
            *kept.borrow_mut() = contents(&log).await;
            if stops {
                let closed = broker.store.close().await;
                broker.dirs.close(vec![closed]).await.unwrap();
            }
        });
        world.kill(machine);
        crash_some_times(&world, machine, || Box::pin(async { drop(hand_back(config()).await) }));
        world.block_on(machine, async move {
            if let Err(error) = hand_back(config()).await {
                assert!(error.to_string().contains("no metadata of Ringmill's"), "{error}");
            }
            let listing = fs::list_dir(Path::new(DIR)).await.unwrap();
            assert!(!listing.iter().any(|entry| entry.name.starts_with("ringmill-")), "{listing:?}");
            assert!(listing.iter().any(|entry| entry.name == CLEAN_SHUTDOWN));
            let metadata = fs::list_dir(&Path::new(DIR).join(METADATA_DIRECTORY)).await.unwrap();
            assert!(metadata.iter().any(|entry| SnapshotId::parse(&entry.name).is_some()));

            let broker = start().await.unwrap();
            let topic = broker.image.topic_by_name("orders").unwrap();
            assert_eq!(topic.partitions.len(), 2);
            if from_kafka {
                assert_eq!((topic.id, broker.image.next_producer_id()), (ORDERS, 5000));
                assert_eq!(broker.image.configs(&crate::controller::ConfigResource::topic("orders"))["retention.ms"], "-1");
            }
            let log = broker.log("orders", 0).await;
            assert_eq!(contents(&log).await, *before.borrow());
            assert_eq!(broker.log("orders", 1).await.log_end(), Offset(1));
        });
    });
}

async fn create_orders(broker: &mut Broker) {
    let registration = BrokerRegistration { node: NODE, incarnation_id: [0; 16], endpoints: Vec::new(), rack: None };
    broker.controller.submit(ControllerRequest::RegisterBroker(registration)).await;
    let topic = CreatableTopic { name: "orders".into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    broker.controller.submit(ControllerRequest::CreateTopics(request)).await;
    broker.image = MetadataImage::clone(&broker.controller.image());
}

#[test]
fn what_a_quorum_of_other_nodes_decided_about_is_not_given_back() {
    let world = World::new(1, Options::default());
    let machine = world.add_machine();
    let quorum_state = Path::new(DIR).join(METADATA_DIRECTORY).join("quorum-state");
    world.block_on(machine, async move {
        write_kafkas_directory(true).await;
        fs::write_file(&quorum_state, br#"{"leaderId":3000,"leaderEpoch":1,"currentVoters":[{"voterId":3000}],"data_version":0}"#)
            .await
            .unwrap();
        drop(start().await.unwrap());
    });
    world.kill(machine);
    world.block_on(machine, async move {
        let before = fs::list_dir(Path::new(DIR)).await.unwrap();
        let error = hand_back(config()).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("the voters of its metadata quorum are other nodes (3000)"), "{error}");
        assert!(error.contains("nothing was changed"), "{error}");
        assert_eq!(fs::list_dir(Path::new(DIR)).await.unwrap().len(), before.len());
        fs::rename(&Path::new(DIR).join(METADATA_DIRECTORY), Path::new("/aside")).await.unwrap();
        assert_eq!(hand_back(config()).await.unwrap().partitions, 2);
    });
}

#[test]
fn a_partition_that_lost_its_directory_before_its_first_record_is_given_back_empty() {
    let world = World::new(1, Options::default());
    let machine = world.add_machine();
    world.block_on(machine, async move {
        let mut broker = start().await.unwrap();
        create_orders(&mut broker).await;
        let log = broker.log("orders", 0).await;
        log.append(&batch(0, 1, 9).finish().into_bytes(), LeaderEpoch(7), Timestamp(1)).unwrap();
        log.wait_durable(Offset(1)).await.unwrap();
    });
    world.kill(machine);
    world.block_on(machine, async move {
        let note = Path::new(DIR).join("ringmill-log-dirs");
        let noted = fs::read_file(&note, 1 << 10).await.unwrap();
        let refusal = async || hand_back(config()).await.err().map(|error| error.to_string()).unwrap_or_default();
        fs::remove_file(&note).await.unwrap();
        let error = refusal().await;
        assert!(error.contains("partition orders-1 is in none of the directories: name all of log.dirs"), "without a note: {error}");
        let more = [&noted[..], b"AAECAwQFBgcICQoLDA0ODw /other\n"].concat();
        fs::write_file(&note, &more).await.unwrap();
        let error = refusal().await;
        assert!(error.contains("the broker's last start had log directory /other, too"), "{error}");
        fs::write_file(&note, &noted).await.unwrap();
        assert_eq!(hand_back(config()).await.unwrap().partitions, 2);
        let made = fs::list_dir(&Path::new(DIR).join("orders-1")).await.unwrap();
        assert!(made.iter().any(|entry| entry.name == PARTITION_METADATA), "{made:?}");
    });
}
