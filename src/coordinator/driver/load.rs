//! Loading a partition's machine: its log, read from the start in pieces, record by record.

use super::hosted::Hosted;
use crate::coordinator::machine::{Position, StateMachine};
use crate::log::{ReadError, Slice};
use crate::rt::yield_if_needed;
use crate::types::{Offset, ProducerId};
use crate::wire::records::{RecordBatch, TransactionMarker, batches};
use bytes::Bytes;
use std::rc::Rc;

impl<M: StateMachine> Hosted<M> {
    /// The machine as its log says; `None` if the partition was given up meanwhile; else why it cannot be loaded.
    pub(super) async fn load(self: &Rc<Self>) -> Result<Option<M>, String> {
        let _turn = self.shared.loads.acquire(1).await;
        let mut machine = M::new(self.config.clone());
        let end = self.log.log_end();
        let mut from = self.log.log_start();
        while from < end {
            if !self.is_loading() {
                return Ok(None);
            }
            let fetched = match self.log.read(from, self.shared.settings.load_bytes, true, end).await {
                Ok(fetched) => fetched,
                // Retention took what was next.
                Err(ReadError::OutOfRange) if self.log.log_start() > from => {
                    from = self.log.log_start();
                    continue;
                }
                // It was closed because it left.
                Err(_) if !self.is_loading() => return Ok(None),
                Err(error) => return Err(format!("it cannot be read at offset {from}: {}", error.code())),
            };
            if fetched.bytes == 0 {
                break;
            }
            for part in fetched.parts {
                self.load_part(&mut machine, part, from).await?;
            }
            from = fetched.end;
        }
        Ok(self.is_loading().then_some(machine))
    }

    async fn load_part(&self, machine: &mut M, part: Slice, from: Offset) -> Result<(), String> {
        let bytes = match part {
            Slice::Memory(bytes) => bytes,
            Slice::File { file, offset, len } => file.read_at(offset, len as usize).await.map_err(|error| error.to_string())?,
        };
        for batch in batches(bytes) {
            let batch = batch.map_err(|error| format!("after offset {from}: {error}"))?;
            batch.check_crc().map_err(|error| format!("at offset {}: {error}", batch.base_offset))?;
            self.load_batch(machine, &batch, from).await?;
            yield_if_needed().await;
        }
        Ok(())
    }

    async fn load_batch(&self, machine: &mut M, batch: &RecordBatch, from: Offset) -> Result<(), String> {
        if batch.attributes.is_control() {
            if let Some((marker, _, _)) = batch.end_transaction() {
                machine.end_transaction(batch.producer_id, marker == TransactionMarker::Commit);
            }
            return Ok(());
        }
        let producer_id = if batch.attributes.is_transactional() { batch.producer_id } else { ProducerId::NONE };
        let damaged = |why: &dyn std::fmt::Display| format!("the batch at offset {}: {why}", batch.base_offset);
        let mut expansion = batch.expand().map_err(|error| damaged(&error))?;
        while expansion.advance().map_err(|error| damaged(&error))? {
            yield_if_needed().await;
        }
        for record in expansion.into_records() {
            let record = record.map_err(|error| damaged(&error))?;
            let Some(key) = record.key.filter(|_| record.offset >= from) else { continue };
            // Slices of the batch would keep all of it.
            let (key, value) = (Bytes::copy_from_slice(&key), record.value.map(|value| Bytes::copy_from_slice(&value)));
            if let Some(decoded) = M::decode(&key, value.as_ref()).map_err(|error| damaged(&error))? {
                machine.replay(Position { offset: record.offset, producer_id }, decoded);
            }
            yield_if_needed().await;
        }
        Ok(())
    }
}
