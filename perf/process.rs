//! What a process used, out of `/proc`.

use crate::Result;
use std::fs;

/// Clock ticks of `/proc/PID/stat`; Linux shows them all in this unit.
const TICKS_PER_SECOND: f64 = 100.0;

/// Totals since the process started, and its memory now.
#[derive(Clone, Copy, Default, Debug)]
pub struct Usage {
    pub user_seconds: f64,
    pub system_seconds: f64,
    /// Handed to the block layer by this process, or dirtied in the page cache for it.
    pub written_bytes: f64,
    /// Fetched from the block layer for this process.
    pub read_bytes: f64,
    /// Threads that had to wait, and threads that had to make room.
    pub switches_voluntary: f64,
    pub switches_forced: f64,
    pub rss_mib: f64,
    pub rss_max_mib: f64,
}

impl Usage {
    /// Of process `pid`, all its threads.
    pub fn of(pid: u32) -> Result<Usage> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|error| format!("process {pid}: {error}"));
        let (stat, status, io) = (read("stat")?, read("status")?, read("io")?);
        let mut usage = Usage {
            written_bytes: number_after(&io, "\nwrite_bytes:"),
            read_bytes: number_after(&io, "\nread_bytes:"),
            rss_mib: number_after(&status, "\nVmRSS:") / 1024.0,
            rss_max_mib: number_after(&status, "\nVmHWM:") / 1024.0,
            ..Usage::default()
        };
        (usage.user_seconds, usage.system_seconds) = cpu_seconds(&stat);
        for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            // A thread may have ended meanwhile.
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            usage.switches_voluntary += number_after(&status, "\nvoluntary_ctxt_switches:");
            usage.switches_forced += number_after(&status, "\nnonvoluntary_ctxt_switches:");
        }
        Ok(usage)
    }

    /// Of process `pid`, or nothing if none is named.
    pub fn of_any(pid: Option<u32>) -> Result<Usage> {
        pid.map_or(Ok(Usage::default()), Usage::of)
    }

    pub fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }

    /// What was used since `before`; memory as it is now.
    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            user_seconds: self.user_seconds - before.user_seconds,
            system_seconds: self.system_seconds - before.system_seconds,
            written_bytes: self.written_bytes - before.written_bytes,
            read_bytes: self.read_bytes - before.read_bytes,
            // Threads that ended took their counts with them.
            switches_voluntary: (self.switches_voluntary - before.switches_voluntary).max(0.0),
            switches_forced: (self.switches_forced - before.switches_forced).max(0.0),
            ..*self
        }
    }
}

/// User and system time. The name in parentheses may hold spaces; they are the 12th and 13th fields behind it.
fn cpu_seconds(stat: &str) -> (f64, f64) {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) / TICKS_PER_SECOND, ticks(12) / TICKS_PER_SECOND)
}

fn number_after(text: &str, label: &str) -> f64 {
    let value = text.split(label).nth(1).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 200";
        assert_eq!(cpu_seconds(stat), (2.5, 0.5));
        assert_eq!(number_after("Name:\tx\nVmRSS:\t 2048 kB\n", "\nVmRSS:"), 2048.0);
        assert_eq!(number_after("Name:\tx\n", "\nVmRSS:"), 0.0);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(Usage::of(std::process::id()).unwrap().rss_mib > 0.0);
        assert!(Usage::of(u32::MAX).is_err());
    }
}
