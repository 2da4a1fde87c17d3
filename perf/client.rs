//! One connection to a broker, blocking: for what comes before the clock starts.

use crate::{Error, Result};
use bytes::Bytes;
use ringmill::types::ErrorCode;
use ringmill::wire::api::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use ringmill::wire::api::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use ringmill::wire::{Part, Request, decode_response_frame, encode_request_frame};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any stall that a run should survive.
const REPLY_TIME_MAX: Duration = Duration::from_secs(60);
const CREATE_TOPICS_VERSION: i16 = 7;
const CREATE_PARTITIONS_VERSION: i16 = 3;
/// Kafka refuses requests for 10,000.
const PARTITIONS_AT_ONCE: usize = 5_000;

pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub fn connect(address: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIME_MAX))?;
        stream.set_write_timeout(Some(REPLY_TIME_MAX))?;
        Ok(Client { stream })
    }

    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame)?)
    }

    /// The next response without its size.
    pub fn receive(&mut self) -> Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = usize::try_from(i32::from_be_bytes(size))?;
        let mut frame = vec![0; size];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    pub fn ask<Q: Request>(&mut self, request: &Q, version: i16) -> Result<Q::Response> {
        self.send(&frame_of(request, version, 0)?)?;
        let (_, response) = decode_response_frame::<Q>(self.receive()?, version).map_err(shown)?;
        Ok(response)
    }

    /// Creates a topic with one replica; an existing one is as good.
    pub fn create_topic(&mut self, name: &str, partitions: usize, configs: &[(String, String)]) -> Result<()> {
        let configs =
            configs.iter().map(|(key, value)| CreatableTopicConfig { name: key.as_str().into(), value: Some(value.as_str().into()) });
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: i32::try_from(partitions.min(PARTITIONS_AT_ONCE))?,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let response = self.ask(&request, CREATE_TOPICS_VERSION)?;
        match response.topics.first().map(|topic| topic.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::TopicAlreadyExists) => return Ok(()),
            other => return Err(format!("creating topic {name}: {other:?}").into()),
        }
        let more = (PARTITIONS_AT_ONCE..partitions).step_by(PARTITIONS_AT_ONCE);
        more.map(|count| (count + PARTITIONS_AT_ONCE).min(partitions)).try_for_each(|count| self.grow_topic(name, count))
    }

    fn grow_topic(&mut self, name: &str, partitions: usize) -> Result<()> {
        let topic = CreatePartitionsTopic { name: name.into(), count: i32::try_from(partitions)?, ..Default::default() };
        let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        match self.ask(&request, CREATE_PARTITIONS_VERSION)?.results.first().map(|result| result.error_code) {
            Some(ErrorCode::None) => Ok(()),
            other => Err(format!("growing topic {name} to {partitions} partitions: {other:?}").into()),
        }
    }
}

/// The bytes of a request.
pub fn frame_of<Q: Request>(request: &Q, version: i16, correlation_id: i32) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    for part in encode_request_frame(request, version, correlation_id, Some("perf".into())).map_err(shown)? {
        let Part::Bytes(bytes) = part else { unreachable!("requests hold no files") };
        frame.extend_from_slice(&bytes);
    }
    Ok(frame)
}

/// An error of the codec's.
pub fn shown(error: impl std::fmt::Debug) -> Error {
    format!("{error:?}").into()
}
