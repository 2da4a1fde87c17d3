//! Consensus: the `raft` crate, fed and drained synchronously.
//!
//! Pure (no clock, no I/O). The driver proposes, takes what must be made durable ([`RaftNode::take_unsaved`]), says when it is
//! ([`RaftNode::saved`]), and gets what is committed. The quorum is this node alone, which campaigns at once and leads from then
//! on: there is nobody to send messages to and nothing that waits for a tick.

use super::raft_log::{LogEntry, Recovered, Snapshot, Vote};
use raft::eraftpb::{ConfState, Entry, EntryType, HardState, Snapshot as RaftSnapshot};
use raft::{GetEntriesContext, RaftState, RawNode, Ready, StateRole, Storage, StorageError};

/// Raft's own timeouts, in ticks. The election timeout is not drawn at random by the crate (from the world's randomness), since
/// the range holds one value.
const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;

/// The id raft knows a node by; it has no 0.
pub fn raft_id(node: crate::types::NodeId) -> u64 {
    u64::try_from(node.0).expect("node ids are not negative") + 1
}

/// Raft's view of the log: the entries since the last snapshot, all of them durable.
struct Store {
    voters: Vec<u64>,
    vote: Vote,
    snapshot_index: u64,
    snapshot_term: u64,
    entries: Vec<Entry>,
}

impl Store {
    fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let kept = first.index - self.snapshot_index - 1;
        assert!(kept <= self.entries.len() as u64, "entries are appended without a gap");
        self.entries.truncate(kept as usize);
        self.entries.extend_from_slice(entries);
    }

    fn compact(&mut self, index: u64) {
        self.snapshot_term = self.term(index).expect("a snapshot is taken of an applied entry");
        self.entries.drain(..(index - self.snapshot_index) as usize);
        self.snapshot_index = index;
    }
}

impl Storage for Store {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let hard_state = HardState { term: self.vote.term, vote: self.vote.vote, commit: self.vote.commit, ..HardState::default() };
        Ok(RaftState::new(hard_state, ConfState { voters: self.voters.clone(), ..ConfState::default() }))
    }

    fn entries(&self, low: u64, high: u64, max_size: impl Into<Option<u64>>, _: GetEntriesContext) -> raft::Result<Vec<Entry>> {
        if low <= self.snapshot_index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let position = |index: u64| (index - self.snapshot_index - 1) as usize;
        let slice = self.entries.get(position(low)..position(high)).ok_or(raft::Error::Store(StorageError::Unavailable))?;
        let mut entries = slice.to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.snapshot_index {
            return Ok(self.snapshot_term);
        }
        if index < self.snapshot_index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let entry = self.entries.get((index - self.snapshot_index - 1) as usize);
        entry.map(|entry| entry.term).ok_or(raft::Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.snapshot_index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.snapshot_index + self.entries.len() as u64)
    }

    fn snapshot(&self, _index: u64, _to: u64) -> raft::Result<RaftSnapshot> {
        // Asked for on behalf of a follower that lags behind the log; a quorum of one has none.
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

/// What must be durable before [`RaftNode::saved`] is called.
pub struct Unsaved {
    pub vote: Option<Vote>,
    pub entries: Vec<LogEntry>,
    ready: Ready,
}

/// See the module's header.
pub struct RaftNode {
    node: RawNode<Store>,
}

impl RaftNode {
    /// The node as its log has it. It leads at once, and its first entry, an empty one, waits to be saved.
    pub fn new(id: u64, recovered: &Recovered) -> RaftNode {
        let (snapshot_index, snapshot_term) = recovered.snapshot.as_ref().map_or((0, 0), |s| (s.index, s.term));
        let mut vote = recovered.vote;
        // A crash may leave the snapshot durable and the vote record behind it.
        vote.commit = vote.commit.max(snapshot_index);
        let entries = recovered.entries.iter().map(to_raft).collect();
        let store = Store { voters: vec![id], vote, snapshot_index, snapshot_term, entries };
        let config = raft::Config {
            id,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            min_election_tick: ELECTION_TICKS,
            max_election_tick: ELECTION_TICKS + 1,
            applied: snapshot_index,
            pre_vote: true,
            check_quorum: true,
            ..raft::Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let mut node = RawNode::new(&config, store, &logger).expect("the configuration is constant and the store answers");
        node.campaign().expect("a node that leads nothing may campaign");
        assert_eq!(node.raft.state, StateRole::Leader, "a quorum of one is won by its only vote");
        RaftNode { node }
    }

    /// The index of the newest entry, proposed or saved.
    pub fn last_index(&self) -> u64 {
        self.node.raft.raft_log.last_index()
    }

    /// Appends an entry and gives its index. It is committed once it was saved.
    pub fn propose(&mut self, data: Vec<u8>) -> u64 {
        self.node.propose(Vec::new(), data).expect("a quorum of one leads for ever");
        self.last_index()
    }

    /// What must be made durable next, if anything, and the entries that became committed meanwhile.
    pub fn take_unsaved(&mut self) -> Option<(Unsaved, Vec<LogEntry>)> {
        if !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        assert!(ready.messages().is_empty() && ready.persisted_messages().is_empty(), "a quorum of one has nobody to write to");
        let committed = from_raft(ready.take_committed_entries());
        let vote = ready.hs().filter(|_| ready.must_sync()).map(|hs| Vote { term: hs.term, vote: hs.vote, commit: hs.commit });
        let entries = from_raft(ready.entries().clone());
        Some((Unsaved { vote, entries, ready }, committed))
    }

    /// What was taken is durable. Gives the entries that this commits.
    pub fn saved(&mut self, mut unsaved: Unsaved) -> Vec<LogEntry> {
        let store = self.node.mut_store();
        store.append(&unsaved.ready.take_entries());
        store.vote = unsaved.vote.unwrap_or(store.vote);
        let mut light = self.node.advance(unsaved.ready);
        assert!(light.messages().is_empty(), "a quorum of one has nobody to write to");
        let committed = from_raft(light.take_committed_entries());
        self.node.advance_apply();
        committed
    }

    /// The term of an applied entry that is not compacted yet.
    pub fn term_of(&self, index: u64) -> u64 {
        self.node.store().term(index).expect("asked for an entry that is there")
    }

    /// Forgets the entries that a durable snapshot holds.
    pub fn compact(&mut self, snapshot: &Snapshot) {
        self.node.mut_store().compact(snapshot.index);
    }
}

fn to_raft(entry: &LogEntry) -> Entry {
    Entry { entry_type: EntryType::EntryNormal, term: entry.term, index: entry.index, data: entry.data.clone().into(), ..Entry::default() }
}

fn from_raft(entries: Vec<Entry>) -> Vec<LogEntry> {
    entries.into_iter().map(|e| LogEntry { term: e.term, index: e.index, data: e.data.to_vec() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saves everything and gives the data of what was committed.
    fn run(node: &mut RaftNode, log: &mut Recovered) -> Vec<Vec<u8>> {
        let mut committed = Vec::new();
        while let Some((unsaved, now)) = node.take_unsaved() {
            committed.extend(now);
            log.vote = unsaved.vote.unwrap_or(log.vote);
            log.entries.extend(unsaved.entries.clone());
            committed.extend(node.saved(unsaved));
        }
        committed.into_iter().map(|entry| entry.data).collect()
    }

    #[test]
    fn a_quorum_of_one_commits_what_it_saved_and_nothing_before() {
        let mut log = Recovered::default();
        let mut node = RaftNode::new(1, &log);
        assert_eq!(run(&mut node, &mut log), [b""]);
        assert_eq!((node.propose(b"a".to_vec()), node.propose(b"b".to_vec())), (2, 3));
        let (unsaved, committed) = node.take_unsaved().unwrap();
        assert!(committed.is_empty(), "not saved yet");
        assert_eq!(unsaved.entries.len(), 2, "both in one write");
        assert_eq!(node.saved(unsaved).len(), 2);
    }

    #[test]
    fn a_restart_gives_back_every_entry_in_a_new_term() {
        let mut log = Recovered::default();
        let mut node = RaftNode::new(1, &log);
        node.propose(b"a".to_vec());
        run(&mut node, &mut log);
        let term = node.node.raft.term;

        let mut node = RaftNode::new(1, &log);
        assert_eq!(node.node.raft.term, term + 1);
        assert_eq!(run(&mut node, &mut log), [&b""[..], b"a", b""]);
    }

    #[test]
    fn a_snapshot_takes_the_place_of_entries() {
        let mut log = Recovered::default();
        let mut node = RaftNode::new(1, &log);
        node.propose(b"a".to_vec());
        node.propose(b"b".to_vec());
        run(&mut node, &mut log);
        let snapshot = Snapshot { index: 2, term: node.term_of(2), records: Vec::new() };
        node.compact(&snapshot);
        assert_eq!(node.propose(b"c".to_vec()), 4);
        run(&mut node, &mut log);

        log.entries.retain(|entry| entry.index > 2);
        log.snapshot = Some(snapshot);
        let mut node = RaftNode::new(1, &log);
        assert_eq!(run(&mut node, &mut log), [&b"b"[..], b"c", b""]);
    }
}
