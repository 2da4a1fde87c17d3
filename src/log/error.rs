//! What can go wrong in the log, by operation. Each names the Kafka error code that a client gets.

use crate::types::ErrorCode;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why an append was refused; nothing was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// The records or their producer's sequence are refused, with this code.
    Rejected(ErrorCode),
    /// The log directory is offline or out of space, or the partition is closed.
    Storage,
}

impl AppendError {
    pub fn code(self) -> ErrorCode {
        match self {
            AppendError::Rejected(code) => code,
            AppendError::Storage => ErrorCode::KafkaStorageError,
        }
    }
}

/// Why a read gave nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The offset is below the log start offset or beyond the log end offset.
    OutOfRange,
    /// The files could not be read.
    Storage,
}

impl ReadError {
    pub fn code(self) -> ErrorCode {
        match self {
            ReadError::OutOfRange => ErrorCode::OffsetOutOfRange,
            ReadError::Storage => ErrorCode::KafkaStorageError,
        }
    }
}

/// Why a log directory, a store or a partition could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process holds the directory's lock.
    Locked(PathBuf),
    /// `meta.properties` belongs to another cluster or node, or is not understood.
    Foreign(PathBuf, String),
    /// Acknowledged data is missing or unreadable: file and place are in the text. Nothing was cut.
    Damaged(PathBuf, String),
    /// The log directory went offline after a failed write.
    Offline(PathBuf),
    /// An operation on this path failed.
    Io(PathBuf, io::Error),
}

impl OpenError {
    pub fn code(&self) -> ErrorCode {
        ErrorCode::KafkaStorageError
    }

    /// What a disk does, as opposed to another process or a wrong configuration.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, OpenError::Io(..) | OpenError::Damaged(..) | OpenError::Offline(..))
    }

    /// It will work once there is space again.
    pub fn is_lack_of_space(&self) -> bool {
        matches!(self, OpenError::Io(_, error) if error.kind() == io::ErrorKind::StorageFull)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked(path) => write!(f, "{}: the log directory is in use by another process", path.display()),
            OpenError::Foreign(path, why) => write!(f, "{}: {why}", path.display()),
            OpenError::Damaged(path, what) => write!(f, "{}: acknowledged data is damaged: {what}", path.display()),
            OpenError::Offline(path) => write!(f, "{}: the log directory is offline after a failed write", path.display()),
            OpenError::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}
