//! Cluster metadata as the controller's core publishes it to the shards, and what a shard does with it.

use super::{Led, Shard, failures};
use crate::config::{ConfigMap, TopicConfig, limits};
use crate::controller::{ConfigResource, MetadataImage, Publication, ResourceType, TopicImage};
use crate::log::compaction::CleanerConfig;
use crate::log::{OpenError, PartitionLog, TimestampType, TopicLogConfig};
use crate::rt::sync::{Semaphore, oneshot};
use crate::rt::{Queue, sleep, spawn, yield_if_needed};
use crate::types::{ShardId, TopicPartitionId};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Partition logs opened at once: enough to keep the blocking pool busy.
const OPENS_AT_ONCE: u64 = 64;

/// Brings the shard to `publication`: new partitions are open before its image is shown, deleted ones go after. In order, one at a time.
pub async fn apply(shard: &Rc<Shard>, publication: Publication) {
    let delta = Arc::clone(&publication.delta);
    let (mut opening, mut resolved) = (Vec::new(), Resolved::default());
    for topic in delta.topics_created.iter().chain(&delta.topics_changed) {
        opening.extend(open_topic(shard, &publication, topic, &mut resolved));
        yield_if_needed().await;
    }
    open_all(shard, opening).await;
    let is_first = shard.publication.borrow().image.version() == 0;
    if is_first || delta.configs_changed.iter().any(|resource| resource.resource_type == ResourceType::Broker) {
        reconfigure_cleaner(shard, &publication.image);
    }
    *shard.publication.borrow_mut() = publication.clone();
    for resource in &delta.configs_changed {
        reconfigure(shard, &publication.image, resource);
    }
    for topic in &delta.topics_deleted {
        delete_topic(shard, topic).await;
    }
    if !delta.topics_deleted.is_empty() {
        let names = delta.topics_deleted.iter().map(|topic| (&*topic.name).into()).collect();
        let shard = Rc::clone(shard);
        spawn(Queue::Background, async move { shard.forget_offsets(names).await });
    }
}

struct Opening {
    id: TopicPartitionId,
    topic: Arc<TopicImage>,
    config: Rc<TopicLogConfig>,
}

/// What topics' overrides come to under one image: most of ten thousand topics have the same, and share it.
#[derive(Default)]
struct Resolved(BTreeMap<ConfigMap, (Rc<TopicConfig>, Rc<TopicLogConfig>)>);

impl Resolved {
    fn of(&mut self, shard: &Shard, image: &MetadataImage, topic: &str) -> (Rc<TopicConfig>, Rc<TopicLogConfig>) {
        let overrides = image.configs(&ConfigResource::topic(topic));
        if let Some(known) = self.0.get(overrides) {
            return known.clone();
        }
        let config = shard.resolve_topic_config(image, topic);
        let resolved = (Rc::clone(&config), Rc::new(log_config(&config)));
        self.0.insert(overrides.clone(), resolved.clone());
        resolved
    }
}

fn open_topic(shard: &Shard, publication: &Publication, topic: &Arc<TopicImage>, resolved: &mut Resolved) -> Vec<Opening> {
    let (config, log_config) = resolved.of(shard, &publication.image, &topic.name);
    shard.topic_configs.borrow_mut().insert(topic.id, config);
    let mine = topic.partition_ids().filter(|id| publication.placement.shard_of(*id) == Some(shard.id));
    // Topics that were there before this start may have data; newer ones cannot.
    let is_first = shard.publication.borrow().image.version() == 0;
    let mut opening = Vec::new();
    for id in mine {
        let leader_epoch = topic.partition(id.partition).expect("an id of this topic").leader_epoch;
        if let Some(led) = shard.led.borrow_mut().get_mut(&id) {
            led.leader_epoch = leader_epoch;
            shard.groups.set_leader_epoch(id, leader_epoch);
            shard.transactions.set_leader_epoch(id, leader_epoch);
            continue;
        }
        if is_first && shard.logs().may_be_in_a_missing_dir(&topic.name, id.partition) {
            let partition = format_args!("{}-{}", topic.name, id.partition);
            tracing::error!(%partition, "a partition stays offline: it may be in a log directory that is");
            shard.led.borrow_mut().insert(id, Led { log: None, leader_epoch });
            continue;
        }
        opening.push(Opening { id, topic: Arc::clone(topic), config: Rc::clone(&log_config) });
    }
    opening
}

async fn open_all(shard: &Rc<Shard>, openings: Vec<Opening>) {
    let places = Semaphore::new(OPENS_AT_ONCE);
    let mut opened = Vec::with_capacity(openings.len());
    for opening in openings {
        let place = places.acquire(1).await;
        let (sender, receiver) = oneshot();
        let shard = Rc::clone(shard);
        spawn(Queue::Foreground, async move {
            let Opening { id, topic, config } = opening;
            let log = shard.logs().open_partition(id.topic_id, &topic.name, id.partition, config).await;
            if log.as_ref().is_err_and(OpenError::is_lack_of_space) {
                spawn(Queue::Background, open_later(Rc::clone(&shard), id, Arc::clone(&topic)));
            }
            note_opened(&shard, id, &topic, log);
            drop(place);
            sender.send(());
        });
        opened.push(receiver);
    }
    for receiver in opened {
        receiver.await.expect("opening a partition is never abandoned");
    }
}

/// Tries again until there is space, or the topic is gone.
async fn open_later(shard: Rc<Shard>, id: TopicPartitionId, topic: Arc<TopicImage>) {
    loop {
        sleep(limits::OPEN_RETRY_INTERVAL).await;
        let Some(config) = shard.topic_config(topic.id).filter(|_| !shard.stopping.get()) else { return };
        let log = shard.logs().open_partition(id.topic_id, &topic.name, id.partition, Rc::new(log_config(&config))).await;
        if log.as_ref().is_err_and(OpenError::is_lack_of_space) {
            continue;
        }
        // It may have been deleted meanwhile.
        if shard.led.borrow().get(&id).is_some_and(|led| led.log.is_none()) {
            note_opened(&shard, id, &topic, log);
            failures::tell(&shard);
        }
        return;
    }
}

fn note_opened(shard: &Rc<Shard>, id: TopicPartitionId, topic: &TopicImage, log: Result<Rc<PartitionLog>, OpenError>) {
    let leader_epoch = topic.partition(id.partition).expect("an id of this topic").leader_epoch;
    let log = match log {
        Ok(log) => {
            shard.begin_coordinating(&topic.name, &log, leader_epoch);
            Some(log)
        }
        Err(error) => {
            tracing::error!(partition = %format_args!("{}-{}", topic.name, id.partition), %error, "a partition stays offline");
            None
        }
    };
    shard.led.borrow_mut().insert(id, Led { log, leader_epoch });
}

async fn delete_topic(shard: &Rc<Shard>, topic: &TopicImage) {
    shard.topic_configs.borrow_mut().remove(&topic.id);
    shard.metrics.borrow_mut().forget_topic(&topic.name);
    for id in topic.partition_ids() {
        shard.give_up_coordinating(id);
        let led = shard.led.borrow_mut().remove(&id);
        if led.is_none() {
            continue;
        }
        if let Err(error) = shard.logs().delete_partition(id.topic_id, &topic.name, id.partition).await {
            tracing::error!(partition = %format_args!("{}-{}", topic.name, id.partition), %error, "a deleted partition's files stay");
        }
    }
}

/// A topic's own config changed, or a broker-wide one that all topics may inherit.
fn reconfigure(shard: &Shard, image: &MetadataImage, resource: &ConfigResource) {
    let topics: Vec<Arc<TopicImage>> = match resource.resource_type {
        ResourceType::Topic => image.topic_by_name(&resource.name).cloned().into_iter().collect(),
        ResourceType::Broker => image.topics().cloned().collect(),
        ResourceType::Group => Vec::new(),
    };
    let mut resolved = Resolved::default();
    for topic in topics {
        let (config, log_config) = resolved.of(shard, image, &topic.name);
        shard.topic_configs.borrow_mut().insert(topic.id, config);
        for id in topic.partition_ids() {
            if let Some(Led { log: Some(log), .. }) = shard.led.borrow().get(&id) {
                log.set_config(Rc::clone(&log_config));
            }
        }
    }
}

/// `log.cleaner.*`, as far as it can change at run time.
fn reconfigure_cleaner(shard: &Shard, image: &MetadataImage) {
    let own = image.configs(&ConfigResource::broker(shard.node_id()));
    let config = shard.config.with_dynamic(own, image.configs(&ConfigResource::cluster_default()));
    shard.logs().reconfigure_cleaner(CleanerConfig::share_of(&config.log_cleaner, shard.shard_count));
}

pub(super) fn log_config(config: &TopicConfig) -> TopicLogConfig {
    TopicLogConfig {
        segment_bytes: config.segment_bytes as u64,
        segment_ms: config.segment_ms,
        segment_jitter_ms: config.segment_jitter_ms,
        segment_index_bytes: config.segment_index_bytes as u64,
        index_interval_bytes: config.index_interval_bytes as u64,
        flush_messages: config.flush_messages as u64,
        flush_ms: config.flush_ms,
        max_message_bytes: config.max_message_bytes as u64,
        message_timestamp_type: match config.message_timestamp_type {
            crate::config::TimestampType::CreateTime => TimestampType::CreateTime,
            crate::config::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
        },
        cleanup_delete: config.cleanup_delete,
        cleanup_compact: config.cleanup_compact,
        retention_bytes: config.retention_bytes,
        retention_ms: config.retention_ms,
        file_delete_delay_ms: config.file_delete_delay_ms,
        delete_retention_ms: config.delete_retention_ms,
        min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: config.min_compaction_lag_ms,
        max_compaction_lag_ms: config.max_compaction_lag_ms,
    }
}

/// Which core works on a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The asking shard itself.
    Here,
    Shard(ShardId),
    /// No shard of this node.
    Nobody,
}
