//! One client connection: frames in, responses out, in the client's order.
//!
//! Two tasks on the connection's core. The reader takes one request after the other off the socket, begins it, and waits for it
//! unless it is a Produce, which only has to be *begun* in order (validated, appended): so a pipelining producer shares journal
//! turns, and everything else sees what Apache Kafka shows, one request at a time. The writer sends responses in request order.
//! Never reads a socket while its request does not fit the shard's budget.

use super::Shard;
use super::budget::Hold;
use super::outbound::Outbound;
use crate::api::{self, Handled};
use crate::config::limits;
use crate::rt::sync::{Event, QueueReceiver, QueueSender, queue};
use crate::rt::task::LocalFuture;
use crate::rt::{Connection, Instant, Queue, now, spawn, yield_if_needed};
use crate::types::ShardId;
use bytes::{Buf, Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

/// What handlers may know of the connection they answer.
pub struct Peer {
    pub address: SocketAddr,
    pub entrance: Entrance,
}

/// Which socket a connection came in by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entrance {
    /// Index into the configured listeners; decides which addresses metadata advertises.
    pub listener: usize,
    /// The core whose own port it was (`ringmill.core.endpoints`).
    pub core: Option<ShardId>,
}

/// A connection's shared state; the shard keeps one for each connection to find idle ones.
pub struct Session {
    pub peer: Peer,
    pub connection: Connection,
    pub last_active: Cell<Instant>,
    /// Sizes in bytes of the requests begun and not yet answered, in order.
    in_flight: RefCell<VecDeque<usize>>,
    answered: Event,
}

impl Session {
    pub fn new(connection: Connection, entrance: Entrance) -> Session {
        Session {
            peer: Peer { address: connection.peer_address(), entrance },
            connection,
            last_active: Cell::new(now()),
            in_flight: RefCell::default(),
            answered: Event::default(),
        }
    }

    /// True while a request is being worked on or answered: such a connection is not idle.
    pub fn is_busy(&self) -> bool {
        !self.in_flight.borrow().is_empty()
    }

    async fn wait_in_flight_below(&self, count: usize) {
        self.wait_until(|in_flight| in_flight.len() < count).await;
    }

    /// Waits until `size` more bytes are within the connection's share; one request of any size always is.
    async fn wait_for_share(&self, size: usize, share: u64) {
        self.wait_until(|in_flight| in_flight.is_empty() || (in_flight.iter().sum::<usize>() + size) as u64 <= share).await;
    }

    async fn wait_until(&self, condition: impl Fn(&VecDeque<usize>) -> bool) {
        loop {
            let answered = self.answered.listen();
            if condition(&self.in_flight.borrow()) {
                return;
            }
            answered.await;
        }
    }
}

/// A request frame without its length prefix, and the budget it holds.
pub struct Frame {
    pub bytes: Bytes,
    pub hold: Hold,
}

enum Outgoing {
    Ready(Handled),
    Later(LocalFuture<Handled>),
}

/// Why a connection ends, for the log.
#[derive(Debug)]
enum End {
    PeerClosed,
    Io,
    /// The broker stops; what was begun is still answered.
    Stopping,
    /// What the client sent cannot be answered; the text says what and why.
    Refused(String),
}

/// Serves the connection until it ends.
pub async fn serve(shard: Rc<Shard>, session: Rc<Session>) {
    let (outgoing, queue_end) = queue();
    spawn(Queue::Foreground, write_loop(Rc::clone(&session), queue_end));
    let end = read_loop(&shard, &session, &outgoing).await;
    drop(outgoing);
    if let End::Refused(reason) = end {
        shard.metrics.borrow_mut().connection_refused();
        tracing::info!(peer = %session.peer.address, reason, "closing a connection");
    }
    // What was begun is still answered, as far as the peer listens.
    session.wait_in_flight_below(1).await;
    session.connection.shutdown();
}

async fn read_loop(shard: &Rc<Shard>, session: &Rc<Session>, outgoing: &QueueSender<Outgoing>) -> End {
    let mut buffer = BytesMut::new();
    let mut read_ahead = limits::READ_AHEAD_BYTES;
    loop {
        let frame = match read_frame(shard, session, &mut buffer, read_ahead).await {
            Ok(frame) => frame,
            Err(end) => return end,
        };
        // Who sends large requests sends more of them: what is read ahead of one is copied.
        read_ahead = if frame.bytes.len() < limits::FRAME_OF_ITS_OWN_BYTES { limits::READ_AHEAD_BYTES } else { PREFIX + KEY };
        if shard.is_stopping() {
            return End::Stopping;
        }
        session.last_active.set(now());
        let context = match api::RequestContext::parse(shard, session, frame) {
            Ok(context) => context,
            Err(reason) => return End::Refused(reason),
        };
        // A Produce may start while Produces before it wait for the disk; nothing else starts early.
        let others = if context.is_pipelined() { limits::REQUESTS_IN_FLIGHT_PER_CONNECTION } else { 1 };
        session.wait_in_flight_below(others).await;
        session.in_flight.borrow_mut().push_back(context.request_bytes());
        let item = match api::handle(context).await {
            Handled::Later(future) => Outgoing::Later(future),
            done => Outgoing::Ready(done),
        };
        let later = matches!(item, Outgoing::Later(_));
        if outgoing.send(item).is_err() {
            finish(session, 1);
            return End::Io;
        }
        if !later {
            // Sent before the next request is begun: bounds what a client that never reads can pile up.
            session.wait_in_flight_below(1).await;
        }
        yield_if_needed().await;
    }
}

/// Bytes of a frame's size.
const PREFIX: usize = 4;
/// Bytes of the API key behind it.
const KEY: usize = 2;

async fn read_frame(shard: &Rc<Shard>, session: &Session, buffer: &mut BytesMut, read_ahead: usize) -> Result<Frame, End> {
    // Waits for no byte behind the prefix: a size that no request has is refused before anything behind it comes.
    fill(session, buffer, PREFIX, read_ahead).await?;
    let size = i32::from_be_bytes(buffer[..PREFIX].try_into().expect("four bytes"));
    let size_max = shard.config.socket_request_max_bytes;
    if size < limits::REQUEST_BYTES_MIN || size > size_max {
        return Err(End::Refused(format!(
            "request size {size} is not within {} and socket.request.max.bytes {size_max}",
            limits::REQUEST_BYTES_MIN
        )));
    }
    fill(session, buffer, PREFIX + KEY, read_ahead).await?;
    let api_key = i16::from_be_bytes(buffer[PREFIX..PREFIX + KEY].try_into().expect("two bytes"));
    let size = size as usize;
    session.wait_for_share(size, shard.config.ringmill.request_memory_connection_bytes).await;
    let hold = shard.budget_of(api_key).acquire(size as u64, &session.connection).await;
    buffer.advance(PREFIX);
    if size >= limits::FRAME_OF_ITS_OWN_BYTES {
        let bytes = read_large(session, buffer, size).await?;
        return Ok(Frame { bytes, hold });
    }
    fill(session, buffer, size, read_ahead).await?;
    Ok(Frame { bytes: buffer.split_to(size).freeze(), hold })
}

/// Reads the rest of a large frame, and not a byte more, into memory of its own: the budget for all of it is held by now.
async fn read_large(session: &Session, buffer: &mut BytesMut, size: usize) -> Result<Bytes, End> {
    let mut frame = BytesMut::with_capacity(size);
    frame.extend_from_slice(&buffer.split_to(buffer.len().min(size)));
    while frame.len() < size {
        let missing = size - frame.len();
        match session.connection.read_in_place(&mut frame, missing).await {
            Ok(0) => return Err(End::PeerClosed),
            Ok(_) => {}
            Err(_) => return Err(End::Io),
        }
    }
    Ok(frame.freeze())
}

/// Reads until `buffer` holds `wanted` bytes, few of them, and up to `read_ahead` at once.
async fn fill(session: &Session, buffer: &mut BytesMut, wanted: usize, read_ahead: usize) -> Result<(), End> {
    while buffer.len() < wanted {
        let limit = (wanted - buffer.len()).max(read_ahead);
        match session.connection.read(buffer, limit).await {
            Ok(0) => return Err(End::PeerClosed),
            Ok(_) => {}
            Err(_) => return Err(End::Io),
        }
    }
    Ok(())
}

fn finish(session: &Session, count: usize) {
    session.in_flight.borrow_mut().drain(..count);
    session.last_active.set(now());
    session.answered.notify();
}

async fn write_loop(session: Rc<Session>, mut queue: QueueReceiver<Outgoing>) {
    let mut waiting = None;
    let mut broken = false;
    loop {
        let item = match waiting.take() {
            Some(item) => item,
            None => match queue.receive().await {
                Some(item) => item,
                None => return,
            },
        };
        let mut batch = Batch::default();
        batch.add(match item {
            Outgoing::Ready(handled) => handled,
            Outgoing::Later(future) => future.await,
        });
        // What is ready by now goes out in the same send.
        while batch.takes_more() {
            match queue.try_receive() {
                Some(Outgoing::Ready(handled)) => batch.add(handled),
                Some(Outgoing::Later(mut future)) => match poll_once(&mut future).await {
                    Some(handled) => batch.add(handled),
                    None => {
                        waiting = Some(Outgoing::Later(future));
                        break;
                    }
                },
                None => break,
            }
        }
        let Batch { outbound, count, refused } = batch;
        if !broken && !outbound.is_empty() {
            broken = outbound.send(&session.connection).await.is_err();
        }
        if let Some(reason) = refused {
            tracing::info!(peer = %session.peer.address, reason, "closing a connection");
            broken = true;
        }
        if broken {
            // Ends the reader; the responses still to come are thrown away.
            session.connection.shutdown();
        }
        finish(&session, count);
    }
}

/// Responses that go out in one send.
#[derive(Default)]
struct Batch {
    outbound: Outbound,
    /// Requests answered by it.
    count: usize,
    /// The request after them cannot be answered.
    refused: Option<String>,
}

impl Batch {
    fn add(&mut self, handled: Handled) {
        self.count += 1;
        match handled {
            Handled::Reply(outbound) => self.outbound.append(outbound),
            Handled::Nothing => {}
            Handled::Refuse(reason) => self.refused = Some(reason),
            Handled::Later(_) => unreachable!("what was begun ends with an answer"),
        }
    }

    fn takes_more(&self) -> bool {
        self.outbound.len() < limits::SEND_BATCH_BYTES && self.refused.is_none()
    }
}

async fn poll_once<T>(future: &mut LocalFuture<T>) -> Option<T> {
    std::future::poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}
