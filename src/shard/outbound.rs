//! A response on its way out: memory parts and file ranges, in order.

use super::budget::Hold;
use crate::rt::{Connection, SharedFile};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;

/// One piece of a response.
pub enum Part {
    Memory(Bytes),
    /// `len` bytes of `file` from byte `offset`, sent by sendfile.
    File {
        file: SharedFile,
        offset: u64,
        len: u32,
    },
}

/// One or several whole response frames, ready to be sent.
#[derive(Default)]
pub struct Outbound {
    parts: VecDeque<Part>,
    len: usize,
    /// Budgets that the parts are charged to, until they are sent.
    holds: Vec<Hold>,
}

impl Outbound {
    /// Keeps a budget until this is sent or dropped.
    pub fn hold(&mut self, hold: Hold) {
        self.holds.push(hold);
    }

    pub fn push(&mut self, part: Part) {
        self.len += match &part {
            Part::Memory(bytes) => bytes.len(),
            Part::File { len, .. } => *len as usize,
        };
        self.parts.push_back(part);
    }

    /// Appends another response behind this one, so that both go out in one send.
    pub fn append(&mut self, mut other: Outbound) {
        self.len += other.len;
        self.parts.append(&mut other.parts);
        self.holds.append(&mut other.holds);
    }

    /// Bytes to be sent.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sends everything; on an error the connection is of no more use.
    pub async fn send(self, connection: &Connection) -> io::Result<()> {
        let mut memory = VecDeque::new();
        for part in self.parts {
            match part {
                Part::Memory(bytes) => memory.push_back(bytes),
                Part::File { file, offset, len } => {
                    if !memory.is_empty() {
                        connection.write_before_more(&mut memory).await?;
                    }
                    connection.send_file(&file, offset, len as u64).await?;
                }
            }
        }
        if memory.is_empty() { Ok(()) } else { connection.write_all(&mut memory).await }
    }
}
