//! A connection of hand-made bytes: whole requests by the `kafka-protocol` crate (an implementation that shares nothing with
//! Ringmill's codec), frames, and pieces of frames.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use kafka_protocol::messages::{RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::broker::{Broker, PATIENCE};

pub struct Connection {
    stream: TcpStream,
    correlation_id: i32,
}

impl Connection {
    pub fn to(broker: &Broker) -> Connection {
        Connection::at(broker.address())
    }

    /// To a port that is not the broker's first.
    pub fn at(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
        Connection { stream, correlation_id: 0 }
    }

    /// Sends a request and waits for its answer.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation_id = self.send(version, request);
        self.receive::<R>(version, correlation_id)
    }

    /// The same, where the peer may die meanwhile: `None` if it did.
    pub fn try_call<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.correlation_id += 1;
        self.stream.write_all(&frame(version, self.correlation_id, request)).ok()?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).ok()?;
        let mut body = vec![0; i32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut body).ok()?;
        let mut body = Bytes::from(body);
        let header = ResponseHeader::decode(&mut body, R::Response::header_version(version)).expect("response header");
        assert_eq!(header.correlation_id, self.correlation_id);
        Some(R::Response::decode(&mut body, version).expect("response body"))
    }

    /// Sends a request; its correlation id.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.correlation_id += 1;
        let frame = frame(version, self.correlation_id, request);
        self.write(&frame);
        self.correlation_id
    }

    /// Takes the next answer off the connection, which must be that of the request with this correlation id.
    pub fn receive<R: Request>(&mut self, version: i16, correlation_id: i32) -> R::Response {
        let size = self.receive_size();
        self.receive_rest::<R>(size, version, correlation_id)
    }

    /// The rest of an answer whose size was received.
    pub fn receive_rest<R: Request>(&mut self, size: usize, version: i16, correlation_id: i32) -> R::Response {
        let mut answer = self.receive_body(size);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version)).expect("response header");
        assert_eq!(header.correlation_id, correlation_id, "answers come in the order of their requests");
        let response = R::Response::decode(&mut answer, version).expect("response body");
        assert!(answer.is_empty(), "{} bytes behind the response", answer.len());
        response
    }

    pub fn receive_frame(&mut self) -> Bytes {
        let size = self.receive_size();
        self.receive_body(size)
    }

    /// The next frame's size, and no more of it.
    pub fn receive_size(&mut self) -> usize {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).expect("an answer");
        i32::from_be_bytes(size).try_into().expect("a size that is not negative")
    }

    fn receive_body(&mut self, size: usize) -> Bytes {
        let mut body = vec![0; size];
        self.stream.read_exact(&mut body).expect("a whole answer");
        Bytes::from(body)
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("write");
    }

    /// Writes what the peer may refuse by closing the connection.
    pub fn try_write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Writes without waiting; the number of bytes that the kernel took.
    pub fn write_some(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_nonblocking(true).expect("nonblocking");
        let written = self.stream.write(bytes);
        self.stream.set_nonblocking(false).expect("blocking");
        match written {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("write: {error}"),
        }
    }

    pub fn finish_writing(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Whether the peer closes the connection without another byte; panics when it does neither for a long time.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("neither an answer nor the end of the connection: {error}"),
        }
    }

    /// Creates a topic with one partition, and waits until it has a leader.
    pub fn create_topic(&mut self, name: &str, configs: &[(&str, &str)]) {
        self.create_partitioned_topic(name, 1, configs);
    }

    pub fn create_partitioned_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let config = |(key, value): &(&str, &str)| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)));
        let topic = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(crate::broker::PATIENCE_MS);
        let response = self.call(7, &request);
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
        for partition in 0..partitions {
            while self.list_offset(name, partition, -1).0 != 0 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}

/// A whole frame: size, header and body.
pub fn frame<R: Request>(version: i16, correlation_id: i32, request: &R) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("integration")));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).expect("header");
    request.encode(&mut body, version).expect("body");
    framed(&body)
}

/// A frame around a body.
pub fn framed(body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(body.len() + 4);
    frame.put_i32(body.len() as i32);
    frame.put_slice(body);
    frame.freeze()
}

pub fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_string())
}

pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}
