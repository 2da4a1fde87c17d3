//! What the broker's process used, out of `/proc`.

use crate::Result;
use std::fs;

/// Clock ticks of `/proc/PID/stat`; Linux shows them all in this unit.
const TICKS_PER_SECOND: f64 = 100.0;

/// Totals since the process started, and its memory now.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub cpu_seconds: f64,
    /// Handed to the block layer by this process, or dirtied in the page cache for it.
    pub written_bytes: f64,
    /// Fetched from the block layer for this process.
    pub read_bytes: f64,
    pub rss_mib: f64,
    pub rss_max_mib: f64,
}

impl Usage {
    /// Of process `pid`, all its threads.
    pub fn of(pid: u32) -> Result<Usage> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|error| format!("process {pid}: {error}"));
        let stat = read("stat")?;
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th fields behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        let status = read("status")?;
        Ok(Usage {
            cpu_seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
            written_bytes: number_after(&read("io")?, "\nwrite_bytes:"),
            read_bytes: number_after(&read("io")?, "\nread_bytes:"),
            rss_mib: number_after(&status, "\nVmRSS:") / 1024.0,
            rss_max_mib: number_after(&status, "\nVmHWM:") / 1024.0,
        })
    }

    /// Of process `pid`, or nothing if none is named.
    pub fn of_any(pid: Option<u32>) -> Result<Usage> {
        pid.map_or(Ok(Usage::default()), Usage::of)
    }
}

fn number_after(text: &str, label: &str) -> f64 {
    let value = text.split(label).nth(1).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}
