//! Files that were renamed to `.deleted` and wait for their unlinking: one list for a shard's part of a log directory, in the order they are due.
//!
//! Unlinking a large file takes the file system a while: it runs on the blocking pool, one file after the other. A stop leaves the rest to the next start.

use super::LogStore;
use super::dir::LogDir;
use crate::rt::sync::Event;
use crate::rt::{Instant, fs, now, timeout};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How often a list without anything due is looked at: for the end of the store.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);
/// Longer delays are as good as for ever: the next start removes the file.
const DELAY_MAX: Duration = Duration::from_secs(365 * 86_400);

#[derive(Default)]
pub struct Unlinks {
    waiting: RefCell<BTreeMap<(Instant, u64), PathBuf>>,
    next: Cell<u64>,
    added: Event,
}

impl Unlinks {
    /// Has a file unlinked in `delay_ms`.
    pub fn add(&self, path: PathBuf, delay_ms: i64) {
        let delay = Duration::from_millis(delay_ms.max(0) as u64).min(DELAY_MAX);
        let number = self.next.replace(self.next.get() + 1);
        self.waiting.borrow_mut().insert((now() + delay, number), path);
        self.added.notify();
    }

    fn take_due(&self) -> Option<PathBuf> {
        let mut waiting = self.waiting.borrow_mut();
        let first = waiting.first_entry()?;
        (first.key().0 <= now()).then(|| first.remove())
    }

    fn next_due(&self) -> Option<Instant> {
        self.waiting.borrow().first_key_value().map(|((due, _), _)| *due)
    }
}

/// Unlinks what is due until the store closes.
pub async fn run(store: Weak<LogStore>, dir: Rc<LogDir>) {
    loop {
        let added = dir.unlinks.added.listen();
        if store.upgrade().is_none_or(|store| store.is_closing()) {
            return;
        }
        match dir.unlinks.take_due() {
            Some(path) => unlink(&path).await,
            None => {
                let wait = dir.unlinks.next_due().map_or(IDLE_INTERVAL, |due| (due - now()).min(IDLE_INTERVAL));
                timeout(wait, added).await;
            }
        }
    }
}

/// Removes a file, if it is there. It is no more than space if that fails: the next start tries again.
pub async fn unlink(path: &Path) {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), "removing a deleted segment's file: {error}");
        }
        _ => {}
    }
}
