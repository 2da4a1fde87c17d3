//! The records of a fetch response: runs of memory and of files, in order. Never a copy of either.

use bytes::{Bytes, BytesMut};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A partition's records in a fetch response. On the wire: one length, then the runs' bytes one after the other.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RecordsOut {
    runs: Vec<RecordRun>,
    size: usize,
}

/// A stretch of record batches in one place.
#[derive(Clone, PartialEq, Debug)]
pub enum RecordRun {
    Bytes(Bytes),
    File(FileRun),
}

/// A range of a file. The handle is opaque here, since this module knows no files: whoever sends it asks for it by its type.
#[derive(Clone)]
pub struct FileRun {
    file: Arc<dyn Any + Send + Sync>,
    /// Where the range starts, in bytes from the file's start.
    pub offset: u64,
    /// The range's size in bytes.
    pub size: u32,
}

impl RecordsOut {
    /// Appends memory; an empty slice is left out.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        self.push(RecordRun::Bytes(bytes));
    }

    /// Appends `size` bytes of `file` from `offset`.
    pub fn push_file<F: Any + Send + Sync>(&mut self, file: Arc<F>, offset: u64, size: u32) {
        self.push(RecordRun::File(FileRun { file, offset, size }));
    }

    pub fn push(&mut self, run: RecordRun) {
        if run.size() > 0 {
            self.size += run.size();
            self.runs.push(run);
        }
    }

    pub fn runs(&self) -> &[RecordRun] {
        &self.runs
    }

    /// All runs' size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The records in one piece, copied only if they are in several; None if some are in a file. What was decoded is always one piece.
    pub fn to_bytes(&self) -> Option<Bytes> {
        match self.runs.as_slice() {
            [] => Some(Bytes::new()),
            [RecordRun::Bytes(bytes)] => Some(bytes.clone()),
            runs => {
                let mut whole = BytesMut::with_capacity(self.size);
                for run in runs {
                    let RecordRun::Bytes(bytes) = run else { return None };
                    whole.extend_from_slice(bytes);
                }
                Some(whole.freeze())
            }
        }
    }
}

impl From<Bytes> for RecordsOut {
    fn from(bytes: Bytes) -> RecordsOut {
        let mut records = RecordsOut::default();
        records.push_bytes(bytes);
        records
    }
}

impl RecordRun {
    /// Its size in bytes.
    pub fn size(&self) -> usize {
        match self {
            RecordRun::Bytes(bytes) => bytes.len(),
            RecordRun::File(run) => run.size as usize,
        }
    }
}

impl FileRun {
    /// The file, if it is an `F`.
    pub fn file<F: Any>(&self) -> Option<&F> {
        self.file.downcast_ref()
    }
}

impl PartialEq for FileRun {
    fn eq(&self, other: &FileRun) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.offset == other.offset && self.size == other.size
    }
}

impl fmt::Debug for FileRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileRun").field("offset", &self.offset).field("size", &self.size).finish_non_exhaustive()
    }
}
