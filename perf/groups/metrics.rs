//! Ringmill's own counters, out of its metrics page: what no other broker tells.

use crate::Result;
use crate::results::outcome::Metrics;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PAGE_TIME_MAX: Duration = Duration::from_secs(30);

/// Sums over all shards.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Counters {
    is_known: bool,
    pub journal_writes: f64,
    pub coordinator_bytes: f64,
    pub offsets: f64,
}

impl Counters {
    /// Those of the broker whose admin listener this is; without one nothing is known.
    pub fn of(address: Option<&str>) -> Result<Counters> {
        let Some(address) = address else { return Ok(Counters::default()) };
        let mut stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_read_timeout(Some(PAGE_TIME_MAX))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ringmill\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(Counters::on(&page))
    }

    fn on(page: &str) -> Counters {
        Counters {
            is_known: true,
            journal_writes: sum(page, "ringmill_journal_writes_total"),
            coordinator_bytes: sum(page, "ringmill_coordinator_bytes"),
            offsets: sum(page, "ringmill_group_offsets"),
        }
    }

    pub fn since(&self, before: &Counters) -> Counters {
        Counters {
            is_known: self.is_known,
            journal_writes: self.journal_writes - before.journal_writes,
            coordinator_bytes: self.coordinator_bytes - before.coordinator_bytes,
            offsets: self.offsets - before.offsets,
        }
    }

    pub fn add_if_known(&self, metrics: &mut Metrics, name: &str, value: impl FnOnce(&Counters) -> f64) {
        if self.is_known {
            metrics.add(name, value(self));
        }
    }
}

/// Of all samples of a family.
fn sum(page: &str, family: &str) -> f64 {
    let values = page.lines().filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        (name.split('{').next() == Some(family)).then(|| value.parse::<f64>().ok()).flatten()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_family_are_summed() {
        let page = "# TYPE ringmill_journal_writes_total counter\nringmill_journal_writes_total{shard=\"0\"} 3\n\
            ringmill_journal_writes_total{shard=\"1\"} 4\nringmill_journal_writes_total_created 9\nringmill_group_offsets 2\n";
        let counters = Counters::on(page);
        assert_eq!((counters.journal_writes, counters.offsets, counters.coordinator_bytes), (7.0, 2.0, 0.0));
        assert_eq!(counters.since(&counters).journal_writes, 0.0);
    }
}
