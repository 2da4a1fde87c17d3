//! The states of a transaction, under Kafka's names and codes.
//!
//! Pure.

/// ```text
/// Empty, CompleteCommit, CompleteAbort -> Ongoing           a partition is added
/// Ongoing -> PrepareCommit -> CompleteCommit                it is decided; all markers are written
/// Ongoing -> PrepareAbort -> CompleteAbort                  the same; or it took too long, or its producer began anew
/// Empty, CompleteCommit, CompleteAbort -> PrepareAbort      aborted before a partition was added (version 2)
/// CompleteCommit, CompleteAbort -> Empty                    its producer began anew
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionState {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
    /// It is about to be forgotten; only Kafka has records of it.
    Dead,
}

use TransactionState::*;

impl TransactionState {
    const ALL: [TransactionState; 7] = [Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead];

    /// As it stands in records. Kafka has an eighth, for the epoch it fences with, which is in no record.
    pub fn from_code(code: i8) -> Option<TransactionState> {
        TransactionState::ALL.into_iter().find(|state| state.code() == code)
    }

    pub fn code(self) -> i8 {
        self as i8
    }

    pub fn from_name(name: &str) -> Option<TransactionState> {
        TransactionState::ALL.into_iter().find(|state| state.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Empty => "Empty",
            Ongoing => "Ongoing",
            PrepareCommit => "PrepareCommit",
            PrepareAbort => "PrepareAbort",
            CompleteCommit => "CompleteCommit",
            CompleteAbort => "CompleteAbort",
            Dead => "Dead",
        }
    }

    /// No transaction is open, nor being ended.
    pub fn is_idle(self) -> bool {
        matches!(self, Empty | CompleteCommit | CompleteAbort)
    }

    /// Decided, and markers are owed.
    pub fn is_prepared(self) -> bool {
        matches!(self, PrepareCommit | PrepareAbort)
    }
}
