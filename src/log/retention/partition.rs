//! Retention of one partition: the steps, each of which leaves a log that a crash may find.

use super::rules::Rules;
use crate::log::PartitionLog;
use crate::log::partition::{FlushError, SegmentFacts};
use crate::log::segment::SegmentId;
use crate::rt;
use crate::types::Timestamp;

impl PartitionLog {
    /// One look at the partition. `now`: `None` while the clock is not to be trusted, so that nothing goes for its age.
    pub(in crate::log) async fn retain(&self, now: Option<Timestamp>) -> Result<(), FlushError> {
        if self.is_offline() {
            return Ok(());
        }
        let list = self.segment_list();
        let rules = Rules::new(&self.config(), self.log_start(), self.high_watermark());
        let due = self.count_due(&rules, &list, now).await;
        rt::yield_if_needed().await;
        let Some(last) = due.checked_sub(1).map(|last| list[last]) else { return Ok(()) };
        if due == list.len() && !self.roll_unless_appended(last) {
            // Somebody appended: the next look decides anew.
            return Ok(());
        }
        if list[..due].iter().any(|segment| !segment.sealed) {
            let lock = self.lock_segments().await?;
            self.flush_locked(&lock, true).await?;
            self.make_active_file(&lock).await?;
        }
        if last.end > self.durable_log_start() {
            tracing::info!(topic = %self.topic(), partition = %self.id().partition, start = %last.end, "retention deletes {due} segments");
            self.set_log_start(last.end).await.map_err(|_| FlushError::Offline)?;
        }
        self.remove_below_log_start().await
    }

    /// How many of the first segments are due.
    async fn count_due(&self, rules: &Rules, list: &[SegmentFacts], now: Option<Timestamp>) -> usize {
        let mut count = rules.count_by_size(list);
        let Some(now) = now.filter(|_| rules.goes_by_time()) else { return count };
        while count < list.len() {
            let newest = self.newest_timestamp(list[count].id).await;
            if newest.is_none_or(|newest| !rules.is_expired(list, count, newest, now)) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Takes every sealed segment that lies wholly below the log start offset out of the list.
    async fn remove_below_log_start(&self) -> Result<(), FlushError> {
        let lock = self.lock_segments().await?;
        let log_start = self.durable_log_start();
        let list = self.segment_list();
        let (_, closed) = list.split_last().expect("a log has a segment");
        let below: Vec<SegmentId> =
            closed.iter().take_while(|segment| segment.sealed && segment.end <= log_start).map(|segment| segment.id).collect();
        if below.is_empty() {
            return Ok(());
        }
        if below.len() == closed.len() {
            // The active segment may have nothing but a tail yet, and a crash may undo some of the renames: without a file behind them, those
            // segments would be all there is, and short of what was acknowledged.
            self.make_active_file(&lock).await?;
        }
        self.remove_segments(&lock, &below).await
    }

    /// Begins a new segment if the active one is still `active`, with nothing more in it.
    fn roll_unless_appended(&self, active: SegmentFacts) -> bool {
        let is_same = self.segment_list().last() == Some(&active);
        if is_same {
            self.roll(rt::wall_clock());
        }
        is_same
    }
}
