//! What the driver hosts: a replicated state machine, one per partition of an internal topic.
//!
//! Handlers give records and change nothing that is replicated; the driver puts the records into the partition's log, and as it accepts them
//! [`StateMachine::replay`], the only mutator, changes the state. Then the machine hears that its write was accepted or refused, by the purpose it
//! gave with it, and replies. Replies marked so wait until everything accepted before is durable. Time comes in with every call, deadlines go
//! out by [`StateMachine::next_timeout`].
//!
//! Pure.

use crate::types::{ErrorCode, Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::EncodeError;
use crate::wire::coordinator::{KeyAndValue, RecordError};
use bytes::Bytes;

/// A request under way; the driver's number for who waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

/// What a machine gets to know of the world with each call.
pub struct Turn<'a> {
    /// Milliseconds on the monotonic clock: for timeouts.
    pub now: u64,
    /// The wall clock: for records.
    pub wall: Timestamp,
    /// Bytes that the machines of this shard may still take.
    pub bytes_free: u64,
    pub random: &'a mut dyn FnMut() -> u64,
}

/// Where a record stands in the log, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    pub offset: Offset,
    /// [`ProducerId::NONE`] outside transactions.
    pub producer_id: ProducerId,
}

/// The producer in whose transaction records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transaction {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
}

/// The end of a producer's transaction in this log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    pub committed: bool,
}

/// Records to be written as one, all or none.
pub struct Write<M: StateMachine> {
    pub records: Vec<M::Record>,
    pub transaction: Option<Transaction>,
    /// Behind the records: [`StateMachine::end_transaction`] is told of it.
    pub ending: Option<Ending>,
    pub purpose: M::Purpose,
}

/// An answer; an error stands for the whole request.
pub type Answer<M> = Result<<M as StateMachine>::Response, ErrorCode>;

/// The answer to a parked or present request.
pub struct Reply<M: StateMachine> {
    pub token: Token,
    pub answer: Answer<M>,
    /// It tells of what a crash could still take back: it waits for the disk.
    pub after_durable: bool,
}

/// What a call of a machine asks of the driver.
pub struct Effects<M: StateMachine> {
    pub writes: Vec<Write<M>>,
    pub replies: Vec<Reply<M>>,
}

impl<M: StateMachine> Default for Effects<M> {
    fn default() -> Self {
        Effects { writes: Vec::new(), replies: Vec::new() }
    }
}

impl<M: StateMachine> Effects<M> {
    /// Answers at once.
    pub fn reply(&mut self, token: Token, answer: Answer<M>) {
        self.replies.push(Reply { token, answer, after_durable: false });
    }

    /// Answers when everything accepted so far is durable.
    pub fn reply_durable(&mut self, token: Token, answer: Answer<M>) {
        self.replies.push(Reply { token, answer, after_durable: true });
    }

    pub fn write(&mut self, records: Vec<M::Record>, purpose: M::Purpose) {
        self.writes.push(Write { records, transaction: None, ending: None, purpose });
    }

    /// Writes records that count when their producer's transaction commits.
    pub fn write_in(&mut self, transaction: Transaction, records: Vec<M::Record>, purpose: M::Purpose) {
        self.writes.push(Write { records, transaction: Some(transaction), ending: None, purpose });
    }

    /// Writes a transaction's marker.
    pub fn end_transaction(&mut self, ending: Ending, purpose: M::Purpose) {
        self.writes.push(Write { records: Vec::new(), transaction: None, ending: Some(ending), purpose });
    }
}

/// See the module.
pub trait StateMachine: Sized + 'static {
    type Config: Clone + 'static;
    type Request: Send + 'static;
    type Response: Send + 'static;
    type Record: Clone;
    /// What a write was for: what to go on with when it was accepted or refused.
    type Purpose;

    /// The state before the first record.
    fn new(config: Self::Config) -> Self;

    /// `None`: a record that this machine does not know and leaves alone.
    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Self::Record>, RecordError>;

    /// Key and value; no value deletes the key. Fails on what no record can hold.
    fn encode(record: &Self::Record) -> Result<KeyAndValue, EncodeError>;

    /// The only mutator of what is replicated.
    fn replay(&mut self, position: Position, record: Self::Record);

    /// A transaction ended that had records in this log.
    fn end_transaction(&mut self, producer_id: ProducerId, committed: bool);

    /// The log has been replayed: from now on there are requests and time.
    fn loaded(&mut self, turn: &mut Turn, effects: &mut Effects<Self>);

    fn handle(&mut self, turn: &mut Turn, token: Token, request: Self::Request, effects: &mut Effects<Self>);

    /// A write was accepted and replayed.
    fn written(&mut self, turn: &mut Turn, purpose: Self::Purpose, effects: &mut Effects<Self>);

    /// A write was refused; nothing of it was replayed.
    fn refused(&mut self, turn: &mut Turn, purpose: Self::Purpose, error: ErrorCode, effects: &mut Effects<Self>);

    /// When [`StateMachine::fire`] is due, in [`Turn::now`]'s milliseconds.
    fn next_timeout(&self) -> Option<u64>;

    /// Does what is due.
    fn fire(&mut self, turn: &mut Turn, effects: &mut Effects<Self>);

    /// Memory taken by what peers sent.
    fn bytes(&self) -> u64;
}
