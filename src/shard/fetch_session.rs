//! Incremental fetch sessions (KIP-227): what a consumer asked for last time, so that it names only what changed.
//!
//! Pure state machine, one cache per shard; sessions belong to the shard whose connection made them (a client that reconnects
//! elsewhere is told FETCH_SESSION_ID_NOT_FOUND and starts over with a full fetch, as after a broker restart).
//!
//! | request epoch | session id | context |
//! |---|---|---|
//! | 0 | any | full fetch; the old session is closed, a new one made |
//! | -1 | any | full fetch without a session; the old one is closed |
//! | n > 0 | known, at epoch n | incremental |
//! | n > 0 | unknown | FETCH_SESSION_ID_NOT_FOUND |
//! | n > 0 | known, other epoch | INVALID_FETCH_SESSION_EPOCH |

use crate::rt::Instant;
use crate::types::{ErrorCode, HashMap, TopicId};
use crate::wire::Str;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a request names a topic: by name up to version 12, by id from 13 on.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TopicRef {
    Name(Str),
    Id(TopicId),
}

/// One partition as a session names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionKey {
    pub topic: TopicRef,
    pub partition: i32,
}

/// What the client last asked of a partition; offsets and sizes as on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionAsk {
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
}

/// The facts of an answer that decide whether an incremental response carries it.
#[derive(Clone, Copy, Debug)]
pub struct AnswerFacts {
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub has_records: bool,
    pub has_diverging_epoch: bool,
}

struct Cached {
    key: SessionKey,
    ask: PartitionAsk,
    high_watermark: i64,
    log_start_offset: i64,
}

struct Session {
    /// The epoch the next request must carry.
    epoch: i32,
    by_id: bool,
    last_used: Instant,
    next_order: u64,
    /// Fetch order: a partition that gave records goes to the end, so that others get their turn.
    partitions: BTreeMap<u64, Cached>,
    order_of: HashMap<SessionKey, u64>,
}

impl Session {
    fn put(&mut self, key: SessionKey, ask: PartitionAsk) {
        if let Some(order) = self.order_of.get(&key) {
            self.partitions.get_mut(order).expect("order and partitions agree").ask = ask;
            return;
        }
        let order = self.next_order;
        self.next_order += 1;
        self.order_of.insert(key.clone(), order);
        self.partitions.insert(order, Cached { key, ask, high_watermark: -1, log_start_offset: -1 });
    }

    fn forget(&mut self, key: &SessionKey) {
        if let Some(order) = self.order_of.remove(key) {
            self.partitions.remove(&order);
        }
    }

    /// Whether the answer must be sent; remembers it, and turns the order if records were returned.
    fn note(&mut self, key: &SessionKey, facts: AnswerFacts) -> bool {
        let Some(&order) = self.order_of.get(key) else { return true };
        let cached = self.partitions.get_mut(&order).expect("order and partitions agree");
        let changed = cached.high_watermark != facts.high_watermark || cached.log_start_offset != facts.log_start_offset;
        cached.high_watermark = facts.high_watermark;
        cached.log_start_offset = facts.log_start_offset;
        if !facts.error.is_none() {
            // So that the first answer without an error is sent again.
            cached.high_watermark = -1;
            return true;
        }
        if facts.has_records {
            let cached = self.partitions.remove(&order).expect("just seen");
            let order = self.next_order;
            self.next_order += 1;
            self.order_of.insert(key.clone(), order);
            self.partitions.insert(order, cached);
        }
        changed || facts.has_records || facts.has_diverging_epoch
    }
}

/// What a fetch request turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum FetchContext {
    /// All partitions are answered; `make_session`: remember them under a new id.
    Full { make_session: bool },
    /// The session's partitions are fetched, in this order; only changed answers are sent.
    Incremental { session_id: i32 },
    /// The whole request fails with this code at its top.
    Refused(ErrorCode),
}

/// The sessions of one shard.
pub struct SessionCache {
    sessions: BTreeMap<i32, Session>,
    slots_max: usize,
    eviction_age: Duration,
    shard: u32,
    shard_count: u32,
}

/// The session id that means "none".
pub const NO_SESSION: i32 = 0;
const FINAL_EPOCH: i32 = -1;

impl SessionCache {
    /// `slots_max`: this shard's part of `max.incremental.fetch.session.cache.slots`; ids of different shards never meet.
    pub fn new(slots_max: usize, eviction_age: Duration, shard: u32, shard_count: u32) -> SessionCache {
        SessionCache { sessions: BTreeMap::new(), slots_max, eviction_age, shard, shard_count }
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Step one of a fetch: what the request means, and what it changes in its session.
    pub fn begin(
        &mut self,
        now: Instant,
        (session_id, epoch): (i32, i32),
        by_id: bool,
        asked: impl IntoIterator<Item = (SessionKey, PartitionAsk)>,
        forgotten: impl IntoIterator<Item = SessionKey>,
    ) -> FetchContext {
        if epoch == 0 || epoch == FINAL_EPOCH {
            self.sessions.remove(&session_id);
            return FetchContext::Full { make_session: epoch == 0 };
        }
        let Some(session) = self.sessions.get_mut(&session_id) else {
            return FetchContext::Refused(ErrorCode::FetchSessionIdNotFound);
        };
        if session.by_id != by_id {
            return FetchContext::Refused(ErrorCode::FetchSessionTopicIdError);
        }
        if session.epoch != epoch {
            return FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch);
        }
        for (key, ask) in asked {
            session.put(key, ask);
        }
        for key in forgotten {
            session.forget(&key);
        }
        if session.partitions.is_empty() {
            self.sessions.remove(&session_id);
            return FetchContext::Full { make_session: false };
        }
        session.epoch = next_epoch(session.epoch);
        session.last_used = now;
        FetchContext::Incremental { session_id }
    }

    /// The partitions of a session in fetch order.
    pub fn partitions(&self, session_id: i32) -> Vec<(SessionKey, PartitionAsk)> {
        let Some(session) = self.sessions.get(&session_id) else { return Vec::new() };
        session.partitions.values().map(|c| (c.key.clone(), c.ask.clone())).collect()
    }

    /// Makes a session of a full fetch's partitions and answers; [`NO_SESSION`] if there is no room. `random` is any number.
    pub fn create(&mut self, now: Instant, random: u64, by_id: bool, partitions: Vec<(SessionKey, PartitionAsk, AnswerFacts)>) -> i32 {
        if partitions.is_empty() || !self.make_room(now, partitions.len()) {
            return NO_SESSION;
        }
        let id = self.free_id(random);
        let mut session =
            Session { epoch: 1, by_id, last_used: now, next_order: 0, partitions: BTreeMap::new(), order_of: HashMap::default() };
        for (key, ask, facts) in partitions {
            session.put(key.clone(), ask);
            session.note(&key, facts);
        }
        self.sessions.insert(id, session);
        id
    }

    /// Whether an incremental response must carry this answer. A session that went meanwhile carries everything.
    pub fn note(&mut self, session_id: i32, key: &SessionKey, facts: AnswerFacts) -> bool {
        self.sessions.get_mut(&session_id).is_none_or(|s| s.note(key, facts))
    }

    fn make_room(&mut self, now: Instant, size: usize) -> bool {
        if self.sessions.len() < self.slots_max {
            return true;
        }
        // As Kafka: one unused for long goes first, else one that is smaller than the newcomer and not brand-new.
        let stale = self.sessions.iter().min_by_key(|(_, s)| s.last_used).map(|(&id, s)| (id, now - s.last_used));
        if let Some((id, age)) = stale
            && age > self.eviction_age
        {
            self.sessions.remove(&id);
            return true;
        }
        let smallest = self.sessions.iter().min_by_key(|(_, s)| s.partitions.len()).map(|(&id, s)| (id, s.partitions.len()));
        if let Some((id, partitions)) = smallest
            && partitions < size
        {
            self.sessions.remove(&id);
            return true;
        }
        false
    }

    fn free_id(&self, random: u64) -> i32 {
        let count = self.shard_count as u64;
        let slots = i32::MAX as u64 / count;
        let mut slot = random % slots;
        loop {
            let id = (slot * count + self.shard as u64) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                return id;
            }
            slot = (slot + 1) % slots;
        }
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> SessionKey {
        SessionKey { topic: TopicRef::Id(TopicId([7; 16])), partition }
    }

    fn ask(fetch_offset: i64) -> PartitionAsk {
        PartitionAsk { current_leader_epoch: -1, fetch_offset, last_fetched_epoch: -1, log_start_offset: -1, partition_max_bytes: 1000 }
    }

    fn quiet(high_watermark: i64) -> AnswerFacts {
        AnswerFacts { error: ErrorCode::None, high_watermark, log_start_offset: 0, has_records: false, has_diverging_epoch: false }
    }

    fn cache() -> SessionCache {
        SessionCache::new(2, Duration::from_secs(120), 1, 2)
    }

    fn make(cache: &mut SessionCache, partitions: &[i32]) -> i32 {
        let all = partitions.iter().map(|&p| (key(p), ask(0), quiet(5))).collect();
        cache.create(Instant(0), 11, true, all)
    }

    #[test]
    fn a_session_sends_only_what_changed() {
        let mut cache = cache();
        let id = make(&mut cache, &[0, 1]);
        assert_eq!(id % 2, 1, "ids of shard 1 of 2 are odd");
        let context = cache.begin(Instant(1), (id, 1), true, [(key(1), ask(9))], []);
        assert_eq!(context, FetchContext::Incremental { session_id: id });
        assert_eq!(cache.partitions(id)[1].1.fetch_offset, 9);
        assert!(!cache.note(id, &key(0), quiet(5)), "nothing new");
        assert!(cache.note(id, &key(0), quiet(6)), "the high watermark moved");
        assert!(cache.note(id, &key(1), AnswerFacts { error: ErrorCode::NotLeaderOrFollower, ..quiet(-1) }));
        assert!(cache.note(id, &key(1), quiet(5)), "the first answer after an error is sent");
    }

    #[test]
    fn a_partition_that_gave_records_goes_last() {
        let mut cache = cache();
        let id = make(&mut cache, &[0, 1, 2]);
        cache.note(id, &key(0), AnswerFacts { has_records: true, ..quiet(5) });
        let order: Vec<i32> = cache.partitions(id).iter().map(|(k, _)| k.partition).collect();
        assert_eq!(order, [1, 2, 0]);
    }

    #[test]
    fn wrong_epochs_ids_and_naming_are_refused() {
        let mut cache = cache();
        let id = make(&mut cache, &[0]);
        let refused = |c: FetchContext| matches!(c, FetchContext::Refused(_)).then_some(c);
        assert_eq!(
            refused(cache.begin(Instant(1), (id, 2), true, [], [])),
            Some(FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch))
        );
        assert_eq!(
            refused(cache.begin(Instant(1), (id + 2, 1), true, [], [])),
            Some(FetchContext::Refused(ErrorCode::FetchSessionIdNotFound))
        );
        assert_eq!(
            refused(cache.begin(Instant(1), (id, 1), false, [], [])),
            Some(FetchContext::Refused(ErrorCode::FetchSessionTopicIdError))
        );
        assert_eq!(cache.begin(Instant(1), (id, -1), true, [], []), FetchContext::Full { make_session: false });
        assert!(cache.is_empty(), "the final epoch closes the session");
    }

    #[test]
    fn forgetting_everything_closes_the_session() {
        let mut cache = cache();
        let id = make(&mut cache, &[0]);
        assert_eq!(cache.begin(Instant(1), (id, 1), true, [], [key(0)]), FetchContext::Full { make_session: false });
        assert!(cache.is_empty());
    }

    #[test]
    fn a_full_cache_keeps_used_sessions_and_drops_stale_ones() {
        let mut cache = cache();
        make(&mut cache, &[0, 1]);
        make(&mut cache, &[0, 1]);
        assert_eq!(make(&mut cache, &[0]), NO_SESSION, "no session is older or smaller");
        assert_ne!(make(&mut cache, &[0, 1, 2]), NO_SESSION, "a larger one takes a smaller one's place");
        let later = Instant(0) + Duration::from_secs(121);
        assert_ne!(cache.create(later, 3, true, vec![(key(0), ask(0), quiet(0))]), NO_SESSION);
        assert_eq!(cache.len(), 2);
    }
}
