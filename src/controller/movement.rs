//! One partition's move from a shard to another: which step follows which, and what undoes a move that cannot go on.
//!
//! Pure; the mover on the controller's core carries out what it is told and reports back.
//!
//! | state | what happened | effect | then |
//! |---|---|---|---|
//! | `New` | | `Prepare`: the owner writes its tail, appends go on | `Preparing` |
//! | `Preparing` | done | `Freeze`: no shard begins an append any more | `Freezing` |
//! | `Freezing` | every shard did | `Release`: the owner gives the partition up, durably | `Releasing` |
//! | `Freezing` | one did not | `Settle` where it was | `Settling` |
//! | `Releasing` | released | `Adopt`: the new owner goes on with it | `Adopting` |
//! | `Releasing` | kept | `Settle` where it was | `Settling` |
//! | `Adopting` | done | `Settle` at the new owner: appends go on there | `Settling` |
//! | `Settling` | done | | `Ended` |
//!
//! Between `Release` and `Settle` nobody owns the partition; a crash there is no different from one at any other time.

use crate::types::{ShardId, TopicPartitionId};

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    Prepare {
        at: ShardId,
    },
    Freeze {
        owner: ShardId,
    },
    Release {
        at: ShardId,
    },
    Adopt {
        at: ShardId,
    },
    /// Tell every shard who owns the partition from now on.
    Settle {
        owner: ShardId,
    },
}

/// What became of the last effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    Done,
    /// Not by every shard, or not by the owner: nothing was changed.
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    Preparing,
    Freezing,
    Releasing,
    Adopting,
    Settling { moved: bool },
    Ended { moved: bool },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Movement {
    pub id: TopicPartitionId,
    pub from: ShardId,
    pub to: ShardId,
    state: State,
}

impl Movement {
    /// `from` owns the partition and is not `to`.
    pub fn new(id: TopicPartitionId, from: ShardId, to: ShardId) -> Movement {
        assert_ne!(from, to, "a move goes somewhere");
        Movement { id, from, to, state: State::New }
    }

    /// The first effect.
    pub fn begin(&mut self) -> Effect {
        assert_eq!(self.state, State::New, "a move begins once");
        self.enter(State::Preparing, Effect::Prepare { at: self.from })
    }

    /// The next effect; `None` at the end.
    pub fn step(&mut self, report: Report) -> Option<Effect> {
        let (from, to) = (self.from, self.to);
        let next = match (self.state, report) {
            (State::Preparing, _) => (State::Freezing, Effect::Freeze { owner: from }),
            (State::Freezing, Report::Done) => (State::Releasing, Effect::Release { at: from }),
            (State::Releasing, Report::Done) => (State::Adopting, Effect::Adopt { at: to }),
            (State::Freezing | State::Releasing, Report::Refused) => (State::Settling { moved: false }, Effect::Settle { owner: from }),
            (State::Adopting, _) => (State::Settling { moved: true }, Effect::Settle { owner: to }),
            (State::Settling { moved }, _) => {
                self.state = State::Ended { moved };
                return None;
            }
            (State::New | State::Ended { .. }, _) => unreachable!("nothing is under way"),
        };
        Some(self.enter(next.0, next.1))
    }

    fn enter(&mut self, state: State, effect: Effect) -> Effect {
        self.state = state;
        effect
    }

    /// Whether the partition has a new owner.
    pub fn has_moved(&self) -> bool {
        self.state == State::Ended { moved: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PartitionIndex, TopicId};

    const FROM: ShardId = ShardId(0);
    const TO: ShardId = ShardId(2);

    /// The effects of a move in which the effect with this number, counted from 0, is refused.
    fn effects(refused: Option<usize>) -> (Vec<Effect>, bool) {
        let id = TopicPartitionId { topic_id: TopicId([1; 16]), partition: PartitionIndex(3) };
        let mut movement = Movement::new(id, FROM, TO);
        let mut effects = vec![movement.begin()];
        loop {
            let report = if refused == Some(effects.len() - 1) { Report::Refused } else { Report::Done };
            match movement.step(report) {
                Some(effect) => effects.push(effect),
                None => return (effects, movement.has_moved()),
            }
        }
    }

    #[test]
    fn a_partition_is_released_before_it_is_adopted_and_known_after() {
        let (effects, moved) = effects(None);
        let expected = [
            Effect::Prepare { at: FROM },
            Effect::Freeze { owner: FROM },
            Effect::Release { at: FROM },
            Effect::Adopt { at: TO },
            Effect::Settle { owner: TO },
        ];
        assert_eq!((effects.as_slice(), moved), (&expected[..], true));
    }

    #[test]
    fn whoever_refuses_leaves_it_where_it_was_and_appends_go_on() {
        for refused in [1, 2] {
            let (effects, moved) = effects(Some(refused));
            assert_eq!((effects.last(), moved), (Some(&Effect::Settle { owner: FROM }), false), "effect {refused} was refused");
            assert!(!effects.contains(&Effect::Adopt { at: TO }));
        }
    }

    #[test]
    fn what_was_released_is_settled_at_its_new_owner_whatever_happens() {
        for refused in [0, 3, 4] {
            let (effects, moved) = effects(Some(refused));
            assert_eq!((effects.last(), moved), (Some(&Effect::Settle { owner: TO }), true), "effect {refused} was refused");
        }
    }
}
