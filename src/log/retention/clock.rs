//! The wall clock as retention trusts it. Pure.
//!
//! Kafka goes by the wall clock alone, so that one wrong setting of it (a day ahead, say) deletes a day too much. Here a clock that moved by
//! itself, against the monotonic one, is believed only when it has kept steady for a while; until then nothing is deleted for its age.

use crate::rt::Instant;
use crate::types::Timestamp;
use std::time::Duration;

/// Moves that corrections of drift make.
const MOVE_MS_MAX: i64 = 10 * 60 * 1000;
/// Time in which somebody, or ntpd, puts a wrong clock right.
const DISTRUST: Duration = Duration::from_secs(3600);

pub struct RetentionClock {
    seen: (Instant, Timestamp),
    trusted_from: Instant,
}

impl RetentionClock {
    /// A clock is trusted at the start: there is nothing to compare it with.
    pub fn new(now: Instant, wall: Timestamp) -> RetentionClock {
        RetentionClock { seen: (now, wall), trusted_from: now }
    }

    /// The time to go by; `None` while the clock is not trusted.
    pub fn look(&mut self, now: Instant, wall: Timestamp) -> Option<Timestamp> {
        let (seen_at, seen) = std::mem::replace(&mut self.seen, (now, wall));
        let expected = seen.0.saturating_add((now - seen_at).as_millis() as i64);
        let moved_ms = wall.0.saturating_sub(expected);
        if moved_ms.saturating_abs() > MOVE_MS_MAX {
            tracing::warn!(moved_ms, "the clock was set: nothing is deleted for its age in the next {} minutes", DISTRUST.as_secs() / 60);
            self.trusted_from = now + DISTRUST;
        }
        (now >= self.trusted_from).then_some(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn a_clock_that_runs_on_is_trusted() {
        let mut clock = RetentionClock::new(at(0), Timestamp(1_000));
        assert_eq!(clock.look(at(300), Timestamp(301_000)), Some(Timestamp(301_000)));
        assert_eq!(clock.look(at(600), Timestamp(630_000)), Some(Timestamp(630_000)), "a little drift");
    }

    #[test]
    fn a_clock_that_was_set_a_day_off_is_trusted_again_after_an_hour_of_keeping_steady() {
        for day in [24 * HOUR_MS, -24 * HOUR_MS] {
            let mut clock = RetentionClock::new(at(0), Timestamp(100 * HOUR_MS));
            let wall = |seconds: u64| Timestamp(100 * HOUR_MS + day + seconds as i64 * 1000);
            assert_eq!(clock.look(at(300), wall(300)), None);
            assert_eq!(clock.look(at(3_000), wall(3_000)), None);
            assert_eq!(clock.look(at(3_900), wall(3_900)), Some(wall(3_900)));
        }
    }

    #[test]
    fn putting_the_clock_right_counts_as_a_move_too() {
        let mut clock = RetentionClock::new(at(0), Timestamp(0));
        assert_eq!(clock.look(at(60), Timestamp(24 * HOUR_MS)), None);
        assert_eq!(clock.look(at(3_000), Timestamp(3_000_000)), None);
        assert_eq!(clock.look(at(3_700), Timestamp(3_700_000)), None);
        assert_eq!(clock.look(at(6_700), Timestamp(6_700_000)), Some(Timestamp(6_700_000)));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut clock = RetentionClock::new(at(0), Timestamp(i64::MAX));
        assert_eq!(clock.look(at(1), Timestamp(i64::MIN)), None);
        assert_eq!(clock.look(at(2), Timestamp(i64::MAX)), None);
    }
}
