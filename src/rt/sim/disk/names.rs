//! One directory: the names that programs see, those on stable storage, and the changes in between.

use super::NodeId;
use crate::rt::sim::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Directory {
    pub names: BTreeMap<String, NodeId>,
    durable: BTreeMap<String, NodeId>,
    pending: Vec<NameChange>,
}

/// A name appears, disappears, or both at once (a rename): kept whole or not at all.
#[derive(Clone)]
struct NameChange {
    removes: Option<String>,
    inserts: Option<String>,
    node: NodeId,
}

impl Directory {
    pub fn insert(&mut self, name: &str, node: NodeId) {
        self.change(NameChange { removes: None, inserts: Some(name.into()), node });
    }

    pub fn remove(&mut self, name: &str) {
        if let Some(node) = self.names.get(name).copied() {
            self.change(NameChange { removes: Some(name.into()), inserts: None, node });
        }
    }

    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(node) = self.names.get(from).copied() {
            self.change(NameChange { removes: Some(from.into()), inserts: Some(to.into()), node });
        }
    }

    pub fn sync(&mut self) {
        self.durable = self.names.clone();
        self.pending.clear();
    }

    /// Keeps any subset of the pending changes in which nothing is kept that builds on something lost.
    pub fn crash(&mut self, rng: &mut Rng) {
        let keep_all = rng.one_in(4);
        let (mut lost_names, mut lost_nodes) = (BTreeSet::new(), BTreeSet::new());
        for change in std::mem::take(&mut self.pending) {
            let names = [&change.removes, &change.inserts].into_iter().flatten();
            let builds_on_lost = lost_nodes.contains(&change.node) || names.clone().any(|n| lost_names.contains(n));
            if !builds_on_lost && (keep_all || rng.coin()) {
                change.apply(&mut self.durable);
            } else {
                lost_names.extend(names.cloned());
                lost_nodes.insert(change.node);
            }
        }
        self.names = self.durable.clone();
    }

    /// Every node that a name leads to now or may lead to after a crash.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        let pending = self.pending.iter().map(|c| c.node);
        self.names.values().chain(self.durable.values()).copied().chain(pending)
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        if let Some(name) = &self.removes {
            names.remove(name);
        }
        if let Some(name) = &self.inserts {
            names.insert(name.clone(), self.node);
        }
    }
}
