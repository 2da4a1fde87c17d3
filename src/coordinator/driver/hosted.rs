//! One partition's machine: runs requests and timers on it, writes its records, keeps replies until they may go.

use super::Shared;
use super::outbox::Outbox;
use crate::coordinator::machine::{Answer, Effects, Ending, Position, Reply, StateMachine, Token, Transaction, Turn, Write};
use crate::log::PartitionLog;
use crate::rt::sync::{Event, OneshotSender, oneshot};
use crate::rt::{self, Queue, random_u64, spawn, timeout, yield_if_needed, yield_now};
use crate::types::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::EncodeError;
use crate::wire::coordinator::KeyAndValue;
use crate::wire::records::RecordBatch;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// `Loading -> Live -> Ended`; also `Loading -> Ended`.
pub(super) enum Phase<M> {
    Loading,
    Live(M),
    /// With what who asks is told.
    Ended(ErrorCode),
}

/// A reply that waits for a flush to be durable.
struct Parked<M: StateMachine> {
    flush: u64,
    token: Token,
    answer: Answer<M>,
}

/// See the module.
pub(super) struct Hosted<M: StateMachine> {
    pub(super) log: Rc<PartitionLog>,
    pub(super) leader_epoch: Cell<LeaderEpoch>,
    pub(super) config: M::Config,
    pub(super) shared: Rc<Shared>,
    phase: RefCell<Phase<M>>,
    waiting: RefCell<BTreeMap<Token, OneshotSender<Answer<M>>>>,
    parked: RefCell<VecDeque<Parked<M>>>,
    outbox: RefCell<Outbox>,
    is_writing: Cell<bool>,
    next_token: Cell<u64>,
    /// Memory that its state takes, as counted in [`Shared::bytes`].
    bytes: Cell<u64>,
    /// The timer task sleeps until then, or is woken.
    sleeps_until: Cell<u64>,
    woken: Event,
    /// Loading it again would end the same way.
    is_beyond_repair: Cell<bool>,
}

/// The longest sleep between two looks at the clock.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);

/// The monotonic clock, as machines see it.
fn now_ms() -> u64 {
    rt::now().0 / 1_000_000
}

impl<M: StateMachine> Hosted<M> {
    pub(super) fn new(log: Rc<PartitionLog>, leader_epoch: LeaderEpoch, config: M::Config, shared: Rc<Shared>) -> Rc<Hosted<M>> {
        let outbox = Outbox::new(log.log_end(), shared.settings.compression);
        Rc::new(Hosted {
            log,
            leader_epoch: Cell::new(leader_epoch),
            config,
            shared,
            phase: RefCell::new(Phase::Loading),
            waiting: RefCell::default(),
            parked: RefCell::default(),
            outbox: RefCell::new(outbox),
            is_writing: Cell::new(false),
            next_token: Cell::new(0),
            bytes: Cell::new(0),
            sleeps_until: Cell::new(0),
            woken: Event::default(),
            is_beyond_repair: Cell::new(false),
        })
    }

    /// Loads the machine, then lets time pass for it until it ends.
    pub(super) async fn run(self: &Rc<Self>) {
        match self.load().await {
            Ok(Some(machine)) => self.go_live(machine),
            // Given up meanwhile.
            Ok(None) => return,
            Err(why) => {
                tracing::error!(partition = %self.name(), %why, "a coordinator cannot load its partition");
                self.is_beyond_repair.set(true);
                return self.end(ErrorCode::NotCoordinator);
            }
        }
        while let Some(at) = self.next_timeout() {
            let woken = self.woken.listen();
            let now = now_ms();
            if at <= now {
                // An error means that it ended, which the next look shows.
                let _ = self.step(|machine, turn, effects| machine.fire(turn, effects));
                yield_if_needed().await;
            } else {
                self.sleeps_until.set(at);
                timeout(Duration::from_millis(at - now).min(SLEEP_MAX), woken).await;
                self.sleeps_until.set(0);
            }
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.log.topic(), self.log.id().partition)
    }

    pub(super) fn is_loading(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Loading)
    }

    pub(super) fn is_beyond_repair(&self) -> bool {
        self.is_beyond_repair.get()
    }

    pub(super) fn visit(&self, look: &mut impl FnMut(&M)) {
        if let Phase::Live(machine) = &*self.phase.borrow() {
            look(machine);
        }
    }

    fn go_live(self: &Rc<Self>, machine: M) {
        *self.outbox.borrow_mut() = Outbox::new(self.log.log_end(), self.shared.settings.compression);
        *self.phase.borrow_mut() = Phase::Live(machine);
        let _ = self.step(|machine, turn, effects| machine.loaded(turn, effects));
    }

    /// `None`: it has ended. A live machine without a deadline has one far away.
    fn next_timeout(&self) -> Option<u64> {
        match &*self.phase.borrow() {
            Phase::Live(machine) => Some(machine.next_timeout().unwrap_or(u64::MAX / 2)),
            _ => None,
        }
    }

    pub(super) async fn ask(self: &Rc<Self>, request: M::Request) -> Answer<M> {
        let token = Token(self.next_token.get());
        self.next_token.set(token.0 + 1);
        let (sender, answer) = oneshot();
        self.waiting.borrow_mut().insert(token, sender);
        if let Err(error) = self.step(|machine, turn, effects| machine.handle(turn, token, request, effects)) {
            self.waiting.borrow_mut().remove(&token);
            return Err(error);
        }
        answer.await.unwrap_or(Err(ErrorCode::NotCoordinator))
    }

    /// One call of the machine and all that follows from it. An error: it is not live.
    pub(super) fn step(self: &Rc<Self>, call: impl FnOnce(&mut M, &mut Turn, &mut Effects<M>)) -> Result<(), ErrorCode> {
        let mut phase = self.phase.borrow_mut();
        let machine = match &mut *phase {
            Phase::Live(machine) => machine,
            Phase::Loading => return Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Ended(error) => return Err(*error),
        };
        let bytes_free = self.shared.settings.bytes_max.saturating_sub(self.shared.bytes.get());
        let mut turn = Turn { now: now_ms(), wall: rt::wall_clock(), bytes_free, random: &mut random_u64 };
        let mut effects = Effects::default();
        call(machine, &mut turn, &mut effects);
        let mut writes: VecDeque<Write<M>> = effects.writes.drain(..).collect();
        while let Some(write) = writes.pop_front() {
            self.write(machine, &mut turn, write, &mut effects);
            writes.extend(effects.writes.drain(..));
        }
        self.count_bytes(machine.bytes());
        if machine.next_timeout().is_some_and(|next| next < self.sleeps_until.get()) {
            self.woken.notify();
        }
        drop(phase);
        effects.replies.into_iter().for_each(|reply| self.deliver(reply));
        Ok(())
    }

    fn write(self: &Rc<Self>, machine: &mut M, turn: &mut Turn, write: Write<M>, effects: &mut Effects<M>) {
        let Write { records, transaction, ending, purpose } = write;
        match self.accept(&records, transaction, ending, turn.wall) {
            Ok(first) => {
                let producer_id = transaction.map_or(ProducerId::NONE, |transaction| transaction.producer_id);
                for (index, record) in records.into_iter().enumerate() {
                    machine.replay(Position { offset: first.plus(index as i64), producer_id }, record);
                }
                if let Some(ending) = ending {
                    machine.end_transaction(ending.producer_id, ending.committed);
                }
                machine.written(turn, purpose, effects);
                self.start_writing();
            }
            Err(error) => machine.refused(turn, purpose, refusal_code(error), effects),
        }
    }

    /// Puts records into the outbox; the offset of the first. Refused is what cannot be written, before it changes anything.
    fn accept(
        &self,
        records: &[M::Record],
        transaction: Option<Transaction>,
        ending: Option<Ending>,
        now: Timestamp,
    ) -> Result<Offset, ErrorCode> {
        if records.is_empty() && ending.is_none() {
            return Ok(Offset::NONE);
        }
        if self.log.refuses_appends() {
            return Err(ErrorCode::KafkaStorageError);
        }
        if let Some(of) = transaction {
            self.check_epochs(of.producer_id, of.producer_epoch, i32::MAX)?;
        }
        if let Some(ending) = ending {
            self.check_epochs(ending.producer_id, ending.producer_epoch, ending.coordinator_epoch)?;
            return Ok(self.outbox.borrow_mut().accept_marker(ending, now));
        }
        let encoded: Result<Vec<KeyAndValue>, EncodeError> = records.iter().map(M::encode).collect();
        self.outbox.borrow_mut().accept(&encoded.map_err(|_| ErrorCode::RecordListTooLarge)?, transaction, now)
    }

    /// Refuses an epoch below one that is in the log, or on its way there.
    fn check_epochs(&self, id: ProducerId, epoch: ProducerEpoch, coordinator_epoch: i32) -> Result<(), ErrorCode> {
        let known = self.log.producer_epochs(id);
        let on_its_way = self.outbox.borrow().producer_epoch(id);
        if known.is_some_and(|(known, _)| epoch < known) || on_its_way.is_some_and(|known| epoch < known) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if known.is_some_and(|(_, known)| coordinator_epoch < known) {
            return Err(ErrorCode::TransactionCoordinatorFenced);
        }
        Ok(())
    }

    fn deliver(&self, reply: Reply<M>) {
        let Reply { token, answer, after_durable } = reply;
        let outbox = self.outbox.borrow();
        let flush = outbox.accepted();
        if after_durable && !outbox.is_durable(flush) {
            self.parked.borrow_mut().push_back(Parked { flush, token, answer });
        } else {
            self.answer(token, answer);
        }
    }

    fn answer(&self, token: Token, answer: Answer<M>) {
        let waiter = self.waiting.borrow_mut().remove(&token);
        if let Some(waiter) = waiter {
            waiter.send(answer);
        }
    }

    fn count_bytes(&self, bytes: u64) {
        let shared = &self.shared.bytes;
        shared.set(shared.get() + bytes - self.bytes.replace(bytes));
    }

    fn start_writing(self: &Rc<Self>) {
        if !self.is_writing.replace(true) {
            let hosted = Rc::clone(self);
            spawn(Queue::Foreground, async move { hosted.write_out().await });
        }
    }

    /// Appends what has gathered, until nothing has. A moment's wait lets the requests of this turn go together.
    async fn write_out(self: &Rc<Self>) {
        loop {
            yield_now().await;
            let taken = self.outbox.borrow_mut().take();
            let Some((flush, batches)) = taken else { break };
            if let Some(logs) = self.shared.logs.get() {
                logs.room(batches.iter().map(RecordBatch::size).sum()).await;
            }
            if self.has_ended() {
                return;
            }
            match self.append(batches) {
                Ok(end) => {
                    self.outbox.borrow_mut().note_appended(flush);
                    self.await_durable(flush, end);
                }
                Err(error) => return self.fail(error),
            }
        }
        self.is_writing.set(false);
    }

    fn append(&self, batches: Vec<RecordBatch>) -> Result<Offset, ErrorCode> {
        let mut end = self.log.log_end();
        for batch in batches {
            let appended = self.log.append_of_broker(batch.into_bytes(), self.leader_epoch.get(), rt::wall_clock());
            end = appended.map_err(|error| error.code())?.last_offset.plus(1);
        }
        Ok(end)
    }

    fn await_durable(self: &Rc<Self>, flush: u64, end: Offset) {
        let hosted = Rc::clone(self);
        spawn(Queue::Foreground, async move {
            match hosted.log.wait_durable(end).await {
                Ok(()) => hosted.release(flush),
                Err(error) => hosted.fail(error),
            }
        });
    }

    /// Replies that waited for this flush may go.
    fn release(&self, flush: u64) {
        self.outbox.borrow_mut().note_durable(flush);
        loop {
            let next = self.parked.borrow_mut().pop_front_if(|parked| self.outbox.borrow().is_durable(parked.flush));
            let Some(parked) = next else { return };
            self.answer(parked.token, parked.answer);
        }
    }

    fn has_ended(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Ended(_))
    }

    /// What was accepted did not get into the log: memory is ahead of it, and dropped.
    fn fail(&self, error: ErrorCode) {
        if !self.has_ended() {
            tracing::error!(partition = %self.name(), %error, "a coordinator's write failed: it begins anew with what is in the log");
            self.end(refusal_code(error));
        }
    }

    /// Answers everybody who waits, and never writes again.
    pub(super) fn end(&self, error: ErrorCode) {
        *self.phase.borrow_mut() = Phase::Ended(error);
        self.count_bytes(0);
        self.parked.borrow_mut().clear();
        for waiter in std::mem::take(&mut *self.waiting.borrow_mut()).into_values() {
            waiter.send(Err(error));
        }
        self.woken.notify();
    }
}

/// Kafka's way to tell clients of coordinators that a coordinator's own log would not take something.
fn refusal_code(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        other => other,
    }
}
