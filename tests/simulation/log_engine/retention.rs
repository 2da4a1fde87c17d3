//! What retention may take from a slot, told from what was written: the log start offset of a start must never be above it.

use super::ledger::Slot;
use ringmill::log::TopicLogConfig;
use ringmill::rt;

/// The limits of a run; `None` where the story has none.
#[derive(Clone, Copy, Default)]
pub struct Limits {
    pub bytes: Option<u64>,
    pub ms: Option<i64>,
}

impl Limits {
    /// Drawn by `below`: by size, by age, both or neither, so small that a life meets them.
    pub fn draw(mut below: impl FnMut(u64) -> u64) -> Limits {
        let bytes = (below(2) == 0).then(|| 20_000 + below(200_000));
        let ms = (below(2) == 0).then(|| 50 + below(2_000) as i64);
        Limits { bytes, ms }
    }

    pub fn apply(self, topic: &mut TopicLogConfig) {
        topic.retention_bytes = self.bytes.map_or(-1, |bytes| bytes as i64);
        topic.retention_ms = self.ms.unwrap_or(-1);
        // Files that wait for their end are found by the next start, others are gone by then.
        topic.file_delete_delay_ms = 20;
    }
}

/// How far retention may have gone in a slot, kept up to date by every append.
#[derive(Clone, Default)]
pub struct Allowance {
    pub limits: Limits,
    /// The largest start that ever left at least `limits.bytes` behind it.
    by_size: i64,
    /// Bytes written from there on.
    bytes_behind: u64,
    /// The first batch at or above `by_size`.
    next: usize,
}

impl Allowance {
    pub fn new(limits: Limits) -> Allowance {
        Allowance { limits, ..Allowance::default() }
    }
}

impl Slot {
    /// Something was written: call for every batch, after it is in `written`.
    pub fn note_written_size(&mut self, size: usize) {
        let allowance = &mut self.allowance;
        allowance.bytes_behind += size as u64;
        let Some(limit) = allowance.limits.bytes else { return };
        while let Some(first) = self.written.get(allowance.next) {
            let size = first.batch.bytes().len() as u64;
            if allowance.bytes_behind - size < limit {
                break;
            }
            allowance.bytes_behind -= size;
            allowance.by_size = first.next();
            allowance.next += 1;
        }
    }

    /// After a start that lost batches: what is behind must be counted anew. What was allowed once stays allowed.
    pub fn recount_sizes(&mut self) {
        self.allowance.next = self.allowance.next.min(self.written.len());
        let behind = self.written[self.allowance.next..].iter().map(|w| w.batch.bytes().len() as u64).sum();
        self.allowance.bytes_behind = behind;
    }

    /// The largest log start offset that the limits allow now.
    pub fn retention_allows(&self) -> i64 {
        let now = rt::wall_clock().0;
        let expired = |ms: i64| self.written.iter().take_while(|w| now - w.batch.max_timestamp.0 > ms).last().map_or(0, |w| w.next());
        let by_age = self.allowance.limits.ms.map_or(0, expired);
        self.allowance.by_size.max(by_age)
    }
}
