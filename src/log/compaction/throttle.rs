//! `log.cleaner.io.max.bytes.per.second`: how long a pass rests after what it read and wrote. Pure.

use crate::rt::Instant;
use std::time::Duration;

/// Rests shorter than this are saved up.
const REST_MIN: Duration = Duration::from_millis(5);

pub struct Throttle {
    bytes_per_second: f64,
    /// When all bytes so far would have been through at the rate.
    through: Instant,
}

impl Throttle {
    pub fn new(bytes_per_second: f64, now: Instant) -> Throttle {
        Throttle { bytes_per_second, through: now }
    }

    /// What the old rate had saved up is forgotten.
    pub fn set_rate(&mut self, bytes_per_second: f64, now: Instant) {
        if bytes_per_second != self.bytes_per_second {
            *self = Throttle::new(bytes_per_second, now);
        }
    }

    /// Takes bytes that were read or written; how long to rest now.
    pub fn rest_after(&mut self, bytes: u64, now: Instant) -> Option<Duration> {
        let time = Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second).unwrap_or(Duration::MAX);
        self.through = self.through.max(now) + time;
        Some(self.through - now).filter(|rest| *rest >= REST_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_many_small_pieces() {
        let mut throttle = Throttle::new(1_000_000.0, Instant(0));
        let mut now = Instant(0);
        for _ in 0..1_000 {
            now = now + Duration::from_micros(100);
            now = now + throttle.rest_after(1_000, now).unwrap_or_default();
        }
        let took = now - Instant(0);
        assert!(took > Duration::from_millis(980) && took < Duration::from_millis(1_020), "{took:?}");
    }

    #[test]
    fn without_a_limit_there_is_no_rest() {
        let mut throttle = Throttle::new(f64::MAX, Instant(7));
        assert_eq!(throttle.rest_after(u64::MAX, Instant(7)), None);
    }

    #[test]
    fn a_new_rate_counts_at_once() {
        let mut throttle = Throttle::new(1.0, Instant(0));
        assert_eq!(throttle.rest_after(1_000, Instant(0)), Some(Duration::from_secs(1_000)));
        throttle.set_rate(1_000.0, Instant(0));
        assert_eq!(throttle.rest_after(1_000, Instant(0)), Some(Duration::from_secs(1)));
        throttle.set_rate(1_000.0, Instant(0));
        assert_eq!(throttle.rest_after(1_000, Instant(0)), Some(Duration::from_secs(2)), "the same rate is no new one");
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let mut throttle = Throttle::new(1_000.0, Instant(0));
        let later = Instant(0) + Duration::from_secs(100);
        assert_eq!(throttle.rest_after(1_000, later), Some(Duration::from_secs(1)));
    }
}
