//! A Kafka client in a few lines, on the simulated network: one connection, one request at a time.

use bytes::BytesMut;
use ringmill::rt::{Connection, timeout};
use ringmill::wire::{Part, Request, decode_response_frame, encode_request_frame};
use std::net::SocketAddr;
use std::time::Duration;

/// A connection to the broker.
pub struct Client {
    connection: Connection,
    buffer: BytesMut,
    next_correlation_id: i32,
    next_answer: i32,
}

/// The connection is of no use any more: refused, cut, or silent for too long.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

const PATIENCE: Duration = Duration::from_secs(8);

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Client, Gone> {
        let connection = Connection::connect(address).await.map_err(|_| Gone)?;
        Ok(Client { connection, buffer: BytesMut::new(), next_correlation_id: 0, next_answer: 0 })
    }

    pub async fn ask<Q: Request>(&mut self, request: &Q, version: i16) -> Result<Q::Response, Gone> {
        self.send(request, version).await?;
        self.receive::<Q>(version).await
    }

    /// Sends a request without waiting for its answer.
    pub async fn send<Q: Request>(&mut self, request: &Q, version: i16) -> Result<(), Gone> {
        let id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let parts = encode_request_frame(request, version, id, Some("simulation".into())).expect("a request of this version");
        let bytes = |part| match part {
            Part::Bytes(bytes) => bytes,
            Part::File(_) => unreachable!("requests are in memory"),
        };
        let mut parts = parts.into_iter().map(bytes).collect();
        self.connection.write_all(&mut parts).await.map_err(|_| Gone)
    }

    /// The answer to the oldest request that has none yet.
    pub async fn receive<Q: Request>(&mut self, version: i16) -> Result<Q::Response, Gone> {
        let id = self.next_answer;
        self.next_answer += 1;
        let frame = timeout(PATIENCE, self.frame()).await.ok_or(Gone)??;
        let (answered, response) = decode_response_frame::<Q>(frame, version).expect("the broker's answer decodes");
        assert_eq!(answered, id, "answers come in the order of the requests");
        Ok(response)
    }

    async fn frame(&mut self) -> Result<bytes::Bytes, Gone> {
        self.fill(4).await?;
        let size = i32::from_be_bytes(self.buffer.split_to(4)[..].try_into().expect("four bytes")) as usize;
        self.fill(size).await?;
        Ok(self.buffer.split_to(size).freeze())
    }

    async fn fill(&mut self, wanted: usize) -> Result<(), Gone> {
        while self.buffer.len() < wanted {
            match self.connection.read(&mut self.buffer, 64 << 10).await {
                Ok(count) if count > 0 => {}
                _ => return Err(Gone),
            }
        }
        Ok(())
    }
}
