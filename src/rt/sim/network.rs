//! The network's state: listeners, connections as two pipes of segments under way, partitions between machines.
//!
//! Within a connection bytes arrive in order; nothing orders connections among each other. A pipe holds a bounded number of
//! bytes (under way and unread), so a peer that does not read makes its writer wait. What a file segment holds is read when it
//! arrives, as sendfile does: who changes the file meanwhile changes what is received.

use super::disk::Handle;
use super::options::Span;
use super::slab::{Key, Slab};
use super::state::{Event, State};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};

/// When the second end learns that a connection was cut, or a peer that a machine lost power.
const LATE_RESET: Span = Span::us(1_000, 3_000_000);
const FIRST_EPHEMERAL_PORT: u16 = 32_768;

pub struct Network {
    pub connections: Slab<Pair>,
    pub listeners: Slab<Listening>,
    partitions: BTreeSet<(usize, usize)>,
    next_port: u16,
}

pub struct Listening {
    machine: usize,
    pub address: SocketAddr,
    pub backlog: VecDeque<Key>,
    pub waker: Option<Waker>,
}

/// A connection: `ends[0]` connected, `ends[1]` was accepted; `pipes[i]` leads to `ends[i]`.
pub struct Pair {
    pub ends: [End; 2],
    pipes: [Pipe; 2],
    cut: bool,
}

pub struct End {
    pub machine: usize,
    pub address: SocketAddr,
    /// Shut by its owner (or by its owner's death).
    closed: bool,
    /// No handle is left.
    released: bool,
    reset: bool,
}

#[derive(Default)]
struct Pipe {
    under_way: VecDeque<Segment>,
    unread: VecDeque<Bytes>,
    /// Bytes of both.
    size: usize,
    last_arrival_ns: u64,
    /// Arrivals that a partition holds back.
    held_count: usize,
    finished: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

enum Segment {
    Bytes(Bytes),
    File { machine: usize, handle: Handle, offset: u64, len: usize },
    Finish,
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Segment::Bytes(bytes) => bytes.len(),
            Segment::File { len, .. } => *len,
            Segment::Finish => 0,
        }
    }
}

pub enum NetworkEvent {
    Arrive { connection: Key, to: usize },
    Reset { connection: Key, end: usize },
}

/// What became of a connection attempt when it reached the other machine.
pub enum Attempt {
    Accepted(Key),
    Refused,
    /// Nobody answers.
    Lost,
}

impl Network {
    pub fn new(generation: u32) -> Network {
        Network {
            connections: Slab::new(generation),
            listeners: Slab::new(generation),
            partitions: BTreeSet::new(),
            next_port: FIRST_EPHEMERAL_PORT,
        }
    }

    fn take_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL_PORT);
        port
    }

    fn is_partitioned(&self, a: usize, b: usize) -> bool {
        self.partitions.contains(&(a.min(b), a.max(b)))
    }
}

pub fn machine_ip(machine: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, (machine / 250) as u8, (machine % 250 + 1) as u8))
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn reset_error() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl State {
    // ---- listening and connecting --------------------------------------------------------------------------------------

    pub fn bind(&mut self, machine: usize, mut address: SocketAddr) -> io::Result<Key> {
        let ip = address.ip();
        if !(ip.is_unspecified() || ip.is_loopback() || ip == machine_ip(machine)) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if address.port() == 0 {
            address.set_port(self.network.take_port());
        }
        let taken = |l: &Listening| l.machine == machine && l.address.port() == address.port();
        if !self.network.listeners.keys(taken).is_empty() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok(self.network.listeners.insert(Listening { machine, address, backlog: VecDeque::new(), waker: None }))
    }

    pub fn stop_listening(&mut self, key: Key) {
        if let Some(listening) = self.network.listeners.remove(key) {
            for connection in listening.backlog {
                self.release(connection, 1);
            }
        }
    }

    /// A connection attempt arrives.
    pub fn connect(&mut self, from: usize, address: SocketAddr) -> Attempt {
        let local = address.ip().is_loopback() || address.ip().is_unspecified();
        let to = if local { Some(from) } else { (0..self.machines.len()).find(|m| machine_ip(*m) == address.ip()) };
        let Some(to) = to else { return Attempt::Lost };
        if self.network.is_partitioned(from, to) {
            return Attempt::Lost;
        }
        let listens =
            |l: &Listening| l.machine == to && l.address.port() == address.port() && (to == from || !l.address.ip().is_loopback());
        let listener = self.network.listeners.keys(listens).first().copied();
        let is_off = self.cores.keys(|c| c.machine == to).is_empty();
        match listener {
            Some(listener) if !self.rng.one_in(self.network_faults.refuse_one_in) => {
                Attempt::Accepted(self.join(from, to, address, listener))
            }
            _ if is_off && self.rng.coin() => Attempt::Lost,
            _ => Attempt::Refused,
        }
    }

    fn join(&mut self, from: usize, to: usize, address: SocketAddr, listener: Key) -> Key {
        let source = if address.ip().is_loopback() { address.ip() } else { machine_ip(from) };
        let source = SocketAddr::new(source, self.network.take_port());
        let end = |machine, address| End { machine, address, closed: false, released: false, reset: false };
        let pair = Pair { ends: [end(from, source), end(to, address)], pipes: Default::default(), cut: false };
        let key = self.network.connections.insert(pair);
        if let Some(listening) = self.network.listeners.get_mut(listener) {
            listening.backlog.push_back(key);
            wake(&mut listening.waker);
        }
        key
    }

    // ---- reading and writing -------------------------------------------------------------------------------------------

    pub fn poll_read(&mut self, key: Key, end: usize, buffer: &mut BytesMut, limit: usize, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let Some(pair) = self.network.connections.get_mut(key) else { return Poll::Ready(Err(reset_error())) };
        let pipe = &mut pair.pipes[end];
        if limit == 0 || pair.ends[end].closed {
            return Poll::Ready(Ok(0));
        }
        let Some(first) = pipe.unread.front_mut() else {
            if pair.ends[end].reset {
                return Poll::Ready(Err(reset_error()));
            }
            if pipe.finished {
                return Poll::Ready(Ok(0));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let mut count = first.len().min(limit);
        if self.rng.one_in(8) {
            count = 1 + self.rng.index(count);
        }
        buffer.extend_from_slice(&first.split_to(count));
        if first.is_empty() {
            pipe.unread.pop_front();
        }
        pipe.size -= count;
        wake(&mut pipe.writer);
        Poll::Ready(Ok(count))
    }

    /// Puts what fits of `parts` under way; ready when all of them are.
    pub fn poll_write(&mut self, key: Key, end: usize, parts: &mut VecDeque<Bytes>, cx: &Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(first) = parts.front_mut() else { return Poll::Ready(Ok(())) };
            if first.is_empty() {
                parts.pop_front();
                continue;
            }
            let room = match self.poll_room(key, end, cx) {
                Poll::Ready(Ok(room)) => room,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            };
            let mut count = first.len().min(room);
            if self.rng.one_in(4) {
                count = 1 + self.rng.index(count);
            }
            let bytes = first.split_to(count);
            self.send_segment(key, 1 - end, Segment::Bytes(bytes));
        }
    }

    /// Puts as much of a file's range under way as fits; says how much.
    pub fn poll_send_file(
        &mut self,
        (key, end): (Key, usize),
        (machine, handle): (usize, Handle),
        offset: u64,
        len: u64,
        cx: &Context<'_>,
    ) -> Poll<io::Result<u64>> {
        let room = match self.poll_room(key, end, cx) {
            Poll::Ready(Ok(room)) => room,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            Poll::Pending => return Poll::Pending,
        };
        let disk = &mut self.machines[machine].disk;
        let available = disk.len(handle)?.saturating_sub(offset).min(len);
        if available == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let count = (available as usize).min(room).min(64 * 1024);
        disk.duplicate(handle);
        self.send_segment(key, 1 - end, Segment::File { machine, handle, offset, len: count });
        Poll::Ready(Ok(count as u64))
    }

    /// How many bytes may be put under way now: at least one.
    fn poll_room(&mut self, key: Key, end: usize, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let Some(pair) = self.network.connections.get_mut(key) else { return Poll::Ready(Err(reset_error())) };
        if pair.ends[end].reset {
            return Poll::Ready(Err(reset_error()));
        }
        if pair.ends[end].closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let pipe = &mut pair.pipes[1 - end];
        match self.options.network_window.saturating_sub(pipe.size) {
            0 => {
                pipe.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    fn send_segment(&mut self, key: Key, to: usize, segment: Segment) {
        if self.rng.one_in(self.network_faults.cut_one_in) {
            self.cut(key);
        }
        let mut delay_ns = self.rng.span(self.options.network);
        if self.rng.one_in(self.network_faults.stall_one_in) {
            delay_ns *= 100;
        }
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        let pipe = &mut pair.pipes[to];
        pipe.size += segment.len();
        pipe.under_way.push_back(segment);
        pipe.last_arrival_ns = pipe.last_arrival_ns.max(self.now_ns + delay_ns);
        let arrival_ns = pipe.last_arrival_ns;
        self.at(arrival_ns, Event::Network(NetworkEvent::Arrive { connection: key, to }));
    }

    // ---- what the network does -----------------------------------------------------------------------------------------

    pub fn network_event(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Arrive { connection, to } => self.arrive(connection, to),
            NetworkEvent::Reset { connection, end } => self.reset(connection, end),
        }
    }

    fn arrive(&mut self, key: Key, to: usize) {
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        let pipe = &mut pair.pipes[to];
        if self.network.partitions.contains(&ordered(&pair.ends)) {
            pipe.held_count += 1;
            return;
        }
        let Some(segment) = pipe.under_way.pop_front() else { return };
        let (len, refused) = (segment.len(), pair.ends[to].closed || pair.cut);
        let bytes = match segment {
            Segment::Finish => {
                pipe.finished = !pair.cut;
                None
            }
            Segment::Bytes(bytes) => Some(bytes),
            Segment::File { machine, handle, offset, len } => {
                let disk = &mut self.machines[machine].disk;
                let read = disk.read(handle, offset, len, &mut self.rng);
                disk.close(handle);
                let mut read = read.unwrap_or_default();
                // The kernel sends zeros for pages that a truncation took.
                read.resize(len, 0);
                Some(Bytes::from(read))
            }
        };
        match bytes {
            Some(_) if refused => {
                pipe.size -= len;
                if !pair.cut {
                    self.after(self.options.network, Event::Network(NetworkEvent::Reset { connection: key, end: 1 - to }));
                }
            }
            Some(bytes) => pipe.unread.push_back(bytes),
            None => {}
        }
        if let Some(pair) = self.network.connections.get_mut(key) {
            wake(&mut pair.pipes[to].reader);
        }
        self.trace("arrive", u64::from(key.index), len as u64);
    }

    fn reset(&mut self, key: Key, end: usize) {
        let forget = self.rng.coin();
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        pair.ends[end].reset = true;
        if forget {
            let pipe = &mut pair.pipes[end];
            pipe.size -= pipe.unread.drain(..).map(|b| b.len()).sum::<usize>();
        }
        wake(&mut pair.pipes[end].reader);
        wake(&mut pair.pipes[1 - end].writer);
        self.trace("reset", u64::from(key.index), end as u64);
    }

    /// Cuts a connection: nothing more arrives, and the two ends learn it at different times.
    pub fn cut(&mut self, key: Key) {
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        if std::mem::replace(&mut pair.cut, true) {
            return;
        }
        let first = self.rng.index(2);
        self.after(self.options.network, Event::Network(NetworkEvent::Reset { connection: key, end: first }));
        self.after(LATE_RESET, Event::Network(NetworkEvent::Reset { connection: key, end: 1 - first }));
    }

    /// Its owner shuts an end, in both directions.
    pub fn shut(&mut self, key: Key, end: usize) {
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        if std::mem::replace(&mut pair.ends[end].closed, true) {
            return;
        }
        wake(&mut pair.pipes[end].reader);
        wake(&mut pair.pipes[1 - end].writer);
        if pair.pipes[end].unread.is_empty() {
            self.send_segment(key, 1 - end, Segment::Finish);
        } else {
            // As TCP: who closes on unread bytes resets the peer.
            self.after(self.options.network, Event::Network(NetworkEvent::Reset { connection: key, end: 1 - end }));
        }
    }

    /// An end's last handle is gone.
    pub fn release(&mut self, key: Key, end: usize) {
        self.shut(key, end);
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        pair.ends[end].released = true;
        if pair.ends.iter().all(|e| e.released) {
            let segments = pair.pipes.iter_mut().flat_map(|p| p.under_way.drain(..)).collect();
            self.network.connections.remove(key);
            self.drop_segments(segments);
        }
    }

    fn drop_segments(&mut self, segments: Vec<Segment>) {
        for segment in segments {
            if let Segment::File { machine, handle, .. } = segment {
                self.machines[machine].disk.close(handle);
            }
        }
    }

    pub fn partition(&mut self, a: usize, b: usize) {
        self.network.partitions.insert((a.min(b), a.max(b)));
    }

    pub fn heal(&mut self, a: usize, b: usize) {
        self.network.partitions.remove(&(a.min(b), a.max(b)));
        for connection in self.network.connections.keys(|p| ordered(&p.ends) == (a.min(b), a.max(b))) {
            for to in 0..2 {
                let held = self.network.connections.get_mut(connection).map_or(0, |p| std::mem::take(&mut p.pipes[to].held_count));
                for _ in 0..held {
                    // Any of them delivers the pipe's first segment, so the order stays.
                    self.after(self.options.network, Event::Network(NetworkEvent::Arrive { connection, to }));
                }
            }
        }
    }

    /// The machine's processes are gone, by a kill or (`power_lost`) with the machine.
    pub fn end_of_machine(&mut self, machine: usize, power_lost: bool) {
        for listener in self.network.listeners.keys(|l| l.machine == machine) {
            self.stop_listening(listener);
        }
        for key in self.network.connections.keys(|p| p.ends.iter().any(|e| e.machine == machine)) {
            for end in 0..2 {
                self.end_of_end(key, end, machine, power_lost);
            }
        }
    }

    fn end_of_end(&mut self, key: Key, end: usize, machine: usize, power_lost: bool) {
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        if pair.ends[end].machine != machine || pair.ends[end].closed {
            return;
        }
        if power_lost {
            pair.ends[end].closed = true;
            self.lose_under_way(key, 1 - end);
            self.after(LATE_RESET, Event::Network(NetworkEvent::Reset { connection: key, end: 1 - end }));
        } else {
            self.read_files_under_way(key, 1 - end);
            self.shut(key, end);
        }
    }

    fn lose_under_way(&mut self, key: Key, to: usize) {
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        let pipe = &mut pair.pipes[to];
        let segments: Vec<Segment> = pipe.under_way.drain(..).collect();
        pipe.size -= segments.iter().map(Segment::len).sum::<usize>();
        self.drop_segments(segments);
    }

    /// Turns file segments into bytes: the files' handles end with their process, what the kernel was given does not.
    fn read_files_under_way(&mut self, key: Key, to: usize) {
        let Some(pair) = self.network.connections.get_mut(key) else { return };
        for segment in &mut pair.pipes[to].under_way {
            if let Segment::File { machine, handle, offset, len } = *segment {
                let disk = &mut self.machines[machine].disk;
                let mut bytes = disk.read(handle, offset, len, &mut self.rng).unwrap_or_default();
                bytes.resize(len, 0);
                disk.close(handle);
                *segment = Segment::Bytes(Bytes::from(bytes));
            }
        }
    }
}

fn ordered(ends: &[End; 2]) -> (usize, usize) {
    let [a, b] = ends.each_ref().map(|e| e.machine);
    (a.min(b), a.max(b))
}
