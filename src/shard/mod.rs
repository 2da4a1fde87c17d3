//! One shard: what a core owns. Its partitions' logs, its connections, its budgets, its fetch sessions; no locks, no atomics.
//!
//! A request comes in on the connection's shard ([`connection`]), is answered by a handler in `api`, and for partitions of other
//! shards goes through the mesh ([`calls`], [`message`]) to the owner, where [`produce`], [`fetch`] and [`offsets`] do the work.
//! Cluster metadata arrives as [`publication`]s from the controller's core. Runs on a shard's core only; [`serve`] is its main task.

pub mod admission;
pub mod budget;
pub mod calls;
pub mod connection;
mod coordinators;
pub mod delete_records;
pub mod failures;
pub mod fetch;
pub mod fetch_session;
pub mod groups;
pub mod markers;
pub mod message;
pub mod moving;
pub mod offsets;
pub mod outbound;
pub mod produce;
pub mod producer_ids;
pub mod producers;
pub mod publication;
pub mod router;
pub mod serve;
pub mod transactions;

use crate::admin::metrics::ShardMetrics;
use crate::config::{BrokerConfig, TopicConfig, limits};
use crate::controller::balancer::ShardLoad;
use crate::controller::{MetadataImage, Placement, Publication};
use crate::coordinator::Host;
use crate::coordinator::group::Groups;
use crate::coordinator::transaction::Transactions;
use crate::log::{LogStore, PartitionLog};
use crate::rt;
use crate::rt::sync::Event;
use crate::types::{ErrorCode, HashMap, LeaderEpoch, NodeId, ShardId, TopicId, TopicPartitionId};
use admission::Admissions;
use budget::Budget;
use calls::Calls;
use connection::Session;
use failures::Failures;
use fetch_session::SessionCache;
use moving::Moving;
use producer_ids::ProducerIds;
use publication::Owner;
use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A partition this shard leads.
struct Led {
    /// `None`: it could not be opened and stays offline.
    log: Option<Rc<PartitionLog>>,
    leader_epoch: LeaderEpoch,
}

/// See the module.
pub struct Shard {
    pub id: ShardId,
    pub shard_count: usize,
    pub config: Arc<BrokerConfig>,
    pub calls: Rc<Calls>,
    pub metrics: RefCell<ShardMetrics>,
    pub sessions: RefCell<SessionCache>,
    pub producer_ids: ProducerIds,
    pub moving: Moving,
    pub groups: Rc<Host<Groups>>,
    pub transactions: Rc<Host<Transactions>>,
    pub admissions: Admissions,
    /// Memory-backed response bytes being sent.
    pub response_budget: Budget,
    produce_budget: Budget,
    reserve_budget: Budget,
    publication: RefCell<Publication>,
    logs: OnceCell<Rc<LogStore>>,
    led: RefCell<HashMap<TopicPartitionId, Led>>,
    failures: Failures,
    topic_configs: RefCell<HashMap<TopicId, Rc<TopicConfig>>>,
    connections: RefCell<BTreeMap<u64, Rc<Session>>>,
    next_connection: Cell<u64>,
    stopping: Cell<bool>,
    stop_event: Event,
    /// The core's busy time when it was last asked for its load.
    busy_seen: Cell<Duration>,
}

impl Shard {
    fn new(id: ShardId, shard_count: usize, config: Arc<BrokerConfig>, calls: Rc<Calls>) -> Rc<Shard> {
        let slots = (config.max_incremental_fetch_session_cache_slots as usize).div_ceil(shard_count);
        // Tails must always have room, whatever requests hold.
        let share = |bytes: u64, sixteenths: u64| bytes.min(config.ringmill.memory_bytes / 16 * sixteenths);
        let publication =
            Publication { image: Arc::default(), delta: Arc::default(), placement: Arc::new(Placement::new(config.node_id, shard_count)) };
        Rc::new(Shard {
            id,
            shard_count,
            sessions: RefCell::new(SessionCache::new(slots, limits::FETCH_SESSION_EVICTION_AGE, id.0 as u32, shard_count as u32)),
            producer_ids: ProducerIds::default(),
            moving: Moving::default(),
            groups: groups::host(&config),
            transactions: transactions::host(&config),
            admissions: Admissions::default(),
            response_budget: Budget::new(share(config.ringmill.response_memory_bytes, limits::RESPONSE_MEMORY_SIXTEENTHS)),
            produce_budget: Budget::new(share(config.ringmill.request_memory_shard_bytes, limits::PRODUCE_MEMORY_SIXTEENTHS)),
            reserve_budget: Budget::new(share(config.ringmill.request_memory_reserve_bytes, limits::RESERVE_MEMORY_SIXTEENTHS)),
            metrics: RefCell::default(),
            publication: RefCell::new(publication),
            logs: OnceCell::new(),
            led: RefCell::default(),
            failures: Failures::default(),
            topic_configs: RefCell::default(),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            stopping: Cell::new(false),
            stop_event: Event::default(),
            busy_seen: Cell::default(),
            config,
            calls,
        })
    }

    /// The mesh index of the controller's core: after the shards.
    pub fn controller_core(&self) -> usize {
        self.shard_count
    }

    pub fn node_id(&self) -> NodeId {
        self.config.node_id
    }

    /// The newest metadata this shard has applied.
    pub fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.publication.borrow().image)
    }

    /// Which core works on what, with the newest image or since a later move.
    pub fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.publication.borrow().placement)
    }

    /// Which core works on a partition.
    pub fn owner_of(&self, id: TopicPartitionId) -> Owner {
        match self.publication.borrow().placement.shard_of(id) {
            Some(shard) if shard == self.id => Owner::Here,
            Some(shard) => Owner::Shard(shard),
            None => Owner::Nobody,
        }
    }

    /// The logs; they are opened before the first request.
    pub fn logs(&self) -> &Rc<LogStore> {
        self.logs.get().expect("the store is opened before it is asked")
    }

    /// A partition of this shard and its leader epoch; else the code that the client gets.
    pub fn led_partition(&self, id: TopicPartitionId) -> Result<(Rc<PartitionLog>, LeaderEpoch), ErrorCode> {
        match self.led.borrow().get(&id) {
            Some(Led { log: Some(log), leader_epoch }) if !log.is_offline() => Ok((Rc::clone(log), *leader_epoch)),
            Some(_) => Err(ErrorCode::KafkaStorageError),
            None => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// What this core did since it was last asked.
    pub fn take_load(&self) -> ShardLoad {
        let busy = rt::busy_time();
        let before = self.busy_seen.replace(busy);
        let led = self.led.borrow();
        let logs = led.iter().filter_map(|(id, led)| Some((*id, led.log.as_ref()?.take_traffic())));
        let mut hottest: Vec<(TopicPartitionId, u64)> = logs.filter(|(_, bytes)| *bytes > 0).collect();
        let bytes = hottest.iter().map(|(_, bytes)| bytes).sum();
        hottest.sort_by_key(|(id, bytes)| (Reverse(*bytes), *id));
        hottest.truncate(limits::BALANCE_CANDIDATES_MAX);
        ShardLoad { busy: busy.saturating_sub(before), bytes, hottest }
    }

    /// Partitions led here.
    pub fn led_count(&self) -> usize {
        self.led.borrow().len()
    }

    /// Partitions led here that could not be opened, or whose log failed.
    pub fn offline_count(&self) -> usize {
        self.led.borrow().values().filter(|led| led.log.as_ref().is_none_or(|log| log.is_offline())).count()
    }

    /// No shard can serve this partition: its log directory is offline, or its log is damaged.
    pub fn is_unavailable(&self, id: TopicPartitionId) -> bool {
        self.failures.unavailable.borrow().contains(&id)
    }

    /// Open connections.
    pub fn connection_count(&self) -> usize {
        self.connections.borrow().len()
    }

    /// A topic's configuration as of the newest image.
    pub fn topic_config(&self, id: TopicId) -> Option<Rc<TopicConfig>> {
        self.topic_configs.borrow().get(&id).cloned()
    }

    fn budget_of(&self, api_key: i16) -> &Budget {
        if api_key == crate::wire::ApiKey::Produce as i16 { &self.produce_budget } else { &self.reserve_budget }
    }
}
