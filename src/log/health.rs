//! Whether a log directory can be used: shared by everything of one shard that writes to it.
//!
//! A failed write or sync of the journal or of a segment takes the directory offline until the next start: nobody can say what is on disk,
//! so nothing is retried as if it had worked. A full disk only refuses appends, and passes by itself.

use super::OpenError;
use crate::rt::sync::{Event, EventListener};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};

pub struct DirHealth {
    path: PathBuf,
    offline: RefCell<Option<String>>,
    full: Cell<bool>,
    changed: Event,
}

impl DirHealth {
    pub fn new(path: PathBuf) -> DirHealth {
        DirHealth { path, offline: RefCell::default(), full: Cell::new(false), changed: Event::default() }
    }

    /// Of a directory that the start goes without. It was logged by who found out.
    pub fn failed(path: PathBuf, reason: &str) -> DirHealth {
        let health = DirHealth::new(path);
        health.offline.replace(Some(reason.to_owned()));
        health
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_offline(&self) -> bool {
        self.offline.borrow().is_some()
    }

    /// Why it is offline.
    pub fn reason(&self) -> Option<String> {
        self.offline.borrow().clone()
    }

    /// Takes the directory offline. Only the first reason is kept and logged.
    pub fn fail(&self, what: impl fmt::Display, error: impl fmt::Display) {
        if !self.is_offline() {
            tracing::error!(dir = %self.path.display(), "log directory goes offline: {what}: {error}");
            *self.offline.borrow_mut() = Some(format!("{what}: {error}"));
        }
        self.changed.notify();
    }

    /// Appends are refused while there is too little space.
    pub fn is_full(&self) -> bool {
        self.full.get()
    }

    pub fn set_full(&self, full: bool) {
        if self.full.replace(full) != full {
            tracing::warn!(dir = %self.path.display(), "log directory {}", if full { "is out of space" } else { "has space again" });
        }
    }

    pub fn check(&self) -> Result<(), OpenError> {
        if self.is_offline() { Err(OpenError::Offline(self.path.clone())) } else { Ok(()) }
    }

    /// Completes at the next [`DirHealth::fail`] or [`DirHealth::wake`].
    pub fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    /// Makes those who listen look again (when the store closes).
    pub fn wake(&self) {
        self.changed.notify();
    }
}
