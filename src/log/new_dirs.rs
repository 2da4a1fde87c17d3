//! The directories of new partitions on their way to the disk: synced soon, some at a time.
//!
//! Nothing needs them there before the partitions' first data. But the kernel would write them all at once, half a minute later or with the first
//! sync, and where a topic of thousands of partitions was made, acks would wait behind that in the device's queue.

use super::LogStore;
use super::dir::LogDir;
use crate::rt;
use crate::rt::sync::Event;
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// So many lots of partitions are synced together: a few MiB of blocks, inodes and directories. Fewer are left to the kernel.
const LOTS: usize = 4;
const NAP_MAX: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Default)]
pub struct NewDirs {
    unsynced: Cell<usize>,
    added: Event,
}

impl NewDirs {
    /// A directory was made.
    pub fn add(&self) {
        self.unsynced.set(self.unsynced.get() + 1);
        self.added.notify();
    }
}

/// Syncs them until the store closes.
pub async fn run(store: Weak<LogStore>, dir: Rc<LogDir>) {
    let enough = LOTS * dir.config.write_out_lot;
    loop {
        let added = dir.new_dirs.added.listen();
        if store.upgrade().is_none_or(|store| store.is_closing()) || dir.health.is_offline() {
            return;
        }
        if dir.new_dirs.unsynced.get() < enough {
            rt::timeout(NAP_MAX, added).await;
            continue;
        }
        dir.new_dirs.unsynced.set(0);
        dir.sync_file_system().await;
    }
}
