//! The coordinator as a state machine that can be hosted: requests to decisions, decisions to records, time.
//!
//! An answer that tells of a decision waits until it is durable, and so do markers that are to be sent. Pure.

use super::{Change, Outcome, TransactionConfig, TransactionRequest, TransactionResponse, Transactions};
use crate::config::limits;
use crate::coordinator::machine::{Effects, Position, StateMachine, Token, Turn};
use crate::types::{ErrorCode, ProducerId};
use crate::wire::EncodeError;
use crate::wire::coordinator::{KeyAndValue, RecordError, TransactionRecord};
use bytes::Bytes;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A look for transactions that take too long.
    Overdue,
    /// A look for ids that nobody uses.
    Expiry,
}

/// What a write was for.
pub enum Purpose {
    /// An answer waits for it.
    Answer {
        token: Token,
        answer: Result<TransactionResponse, ErrorCode>,
    },
    Nothing,
}

impl Transactions {
    /// Writes what was decided and answers when it is durable.
    fn settle<R>(token: Token, outcome: Outcome<R>, response: impl FnOnce(R) -> TransactionResponse, effects: &mut Effects<Transactions>) {
        let answer = outcome.reply.map(response);
        match (outcome.change, answer) {
            (Some(change), answer) => effects.write(vec![change], Purpose::Answer { token, answer }),
            (None, Ok(response)) => effects.reply_durable(token, Ok(response)),
            (None, Err(error)) => effects.reply(token, Err(error)),
        }
    }

    /// Tells who sends markers what there is to send.
    fn offer_markers(&mut self, effects: &mut Effects<Transactions>) {
        if self.unsent.is_empty() {
            return;
        }
        let Some(sender) = self.sender.take() else { return };
        let mut markers = Vec::new();
        while markers.len() < limits::TRANSACTIONS_MARKED_AT_ONCE
            && let Some(id) = self.unsent.pop_first()
        {
            markers.extend(self.owed_of(&id));
        }
        effects.reply_durable(sender, Ok(TransactionResponse::Markers(markers)));
    }

    fn has_room(&self, turn: &Turn, id: &str) -> bool {
        self.ids.contains_key(id) || turn.bytes_free > limits::GROUP_BYTES_MIN
    }
}

impl StateMachine for Transactions {
    type Config = TransactionConfig;
    type Request = TransactionRequest;
    type Response = TransactionResponse;
    type Record = Change;
    type Purpose = Purpose;

    fn new(config: TransactionConfig) -> Transactions {
        Transactions::new(config)
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Change>, RecordError> {
        TransactionRecord::decode(key, value).map(Change::of_record)
    }

    fn encode(record: &Change) -> Result<KeyAndValue, EncodeError> {
        record.to_record().encode()
    }

    fn replay(&mut self, _: Position, change: Change) {
        Transactions::replay(self, change);
    }

    /// Nobody writes to this log in transactions.
    fn end_transaction(&mut self, _: ProducerId, _: bool) {}

    fn loaded(&mut self, turn: &mut Turn, effects: &mut Effects<Transactions>) {
        self.number_anew((turn.random)());
        self.timers.set(Timer::Overdue, turn.now + self.config.abort_interval_ms);
        self.timers.set(Timer::Expiry, turn.now + self.config.expiry_interval_ms);
        self.offer_markers(effects);
    }

    fn handle(&mut self, turn: &mut Turn, token: Token, request: TransactionRequest, effects: &mut Effects<Transactions>) {
        match request {
            TransactionRequest::Init(ask) if !self.has_room(turn, &ask.transactional_id) => {
                effects.reply(token, Err(ErrorCode::CoordinatorNotAvailable));
            }
            TransactionRequest::Init(ask) => {
                Transactions::settle(token, self.init(turn.wall, &ask), TransactionResponse::Init, effects);
            }
            TransactionRequest::Add(ask) => {
                Transactions::settle(token, self.add_partitions(turn.wall, &ask), |()| TransactionResponse::Added, effects);
            }
            TransactionRequest::Verify(ask) => {
                effects.reply_durable(token, self.verify_partitions(&ask).map(TransactionResponse::Verified));
            }
            TransactionRequest::End(ask) => {
                Transactions::settle(token, self.end(turn.wall, &ask), TransactionResponse::Ended, effects);
            }
            TransactionRequest::Describe(id) => {
                effects.reply_durable(token, Ok(TransactionResponse::Described(self.describe(&id))));
            }
            TransactionRequest::List { states, producers, duration_ms } => {
                let listed = self.list(turn.wall, &states, &producers, duration_ms);
                effects.reply_durable(token, Ok(TransactionResponse::Listed(listed)));
            }
            TransactionRequest::NextMarkers => {
                if let Some(before) = self.sender.replace(token) {
                    effects.reply(before, Ok(TransactionResponse::Superseded));
                }
                self.offer_markers(effects);
            }
            TransactionRequest::Marked(sent) => {
                for (topic, ids) in &sent.partitions {
                    ids.iter().for_each(|id| self.note_marker(&sent, topic, *id));
                }
                let is_that = self.owed.get(&sent.transactional_id).is_some_and(|owed| owed.number == sent.number);
                let done = if is_that { self.marked(&sent.transactional_id, turn.wall) } else { None };
                let answer = Ok(TransactionResponse::Marked);
                match done {
                    Some(change) => effects.write(vec![change], Purpose::Answer { token, answer }),
                    None => effects.reply(token, answer),
                }
            }
        }
    }

    fn written(&mut self, _: &mut Turn, purpose: Purpose, effects: &mut Effects<Transactions>) {
        if let Purpose::Answer { token, answer } = purpose {
            effects.reply_durable(token, answer);
        }
        self.offer_markers(effects);
    }

    fn refused(&mut self, _: &mut Turn, purpose: Purpose, error: ErrorCode, effects: &mut Effects<Transactions>) {
        if let Purpose::Answer { token, .. } = purpose {
            effects.reply(token, Err(error));
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        self.timers.next()
    }

    fn fire(&mut self, turn: &mut Turn, effects: &mut Effects<Transactions>) {
        match self.timers.pop_due(turn.now) {
            Some(Timer::Overdue) => {
                self.timers.set(Timer::Overdue, turn.now + self.config.abort_interval_ms);
                self.timed_out(turn.wall).into_iter().for_each(|change| effects.write(vec![change], Purpose::Nothing));
            }
            Some(Timer::Expiry) => {
                self.timers.set(Timer::Expiry, turn.now + self.config.expiry_interval_ms);
                self.expired(turn.wall).into_iter().for_each(|change| effects.write(vec![change], Purpose::Nothing));
            }
            None => {}
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
