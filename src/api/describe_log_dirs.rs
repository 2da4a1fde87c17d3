//! DescribeLogDirs (35), versions 1-5: log directories, their partitions' sizes in bytes, and space on their volumes.
//!
//! No topics (null): all. Asks every shard, since each knows its own partitions; but who asks a core that clients see as a broker is told of
//! that core's, so that tools which add up all brokers count each partition once.

use super::RequestContext;
use super::cluster::name_of;
use crate::controller::MetadataImage;
use crate::log::DirStatus;
use crate::rt::host::volume_space;
use crate::shard::Shard;
use crate::shard::message::{Reply, Request};
use crate::types::{ErrorCode, HashSet, TopicPartitionId};
use crate::wire::api::describe_log_dirs::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// Moves of partitions that an answer is begun anew for.
const MOVES_AWAITED_MAX: usize = 10;

pub async fn handle(context: &RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let image = context.shard.image();
    let wanted = request.topics.map(|topics| wanted_ids(&image, &topics));
    let mut results = Vec::new();
    for (path, (error, partitions)) in whole(context).await {
        context.note_error(error);
        let space = volume_space(&path).await.ok();
        let kept = partitions.into_iter().filter(|(id, _)| wanted.as_ref().is_none_or(|w| w.contains(id)));
        results.push(DescribeLogDirsResult {
            error_code: error,
            log_dir: path.to_string_lossy().into_owned().into(),
            topics: if error.is_none() { group(&image, kept) } else { Vec::new() },
            total_bytes: space.map_or(-1, |s| s.total_bytes as i64),
            usable_bytes: space.map_or(-1, |s| s.free_bytes as i64),
            is_cordoned: false,
        });
    }
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn wanted_ids(image: &MetadataImage, topics: &[DescribableLogDirTopic]) -> HashSet<TopicPartitionId> {
    let mut wanted = HashSet::default();
    for asked in topics {
        let Some(topic) = image.topic_by_name(&asked.topic) else { continue };
        wanted.extend(asked.partitions.iter().map(|&partition| TopicPartitionId { topic_id: topic.id, partition }));
    }
    wanted
}

type Directories = BTreeMap<PathBuf, (ErrorCode, Vec<(TopicPartitionId, u64)>)>;

/// As [`by_directory`], at a time when no partition is between two shards.
async fn whole(context: &RequestContext) -> Directories {
    let shard = &context.shard;
    let others = context.session.peer.entrance.core.is_none();
    for _ in 0..MOVES_AWAITED_MAX {
        shard.moving.quiet().await;
        let moves = shard.moving.count();
        let directories = by_directory(shard, others).await;
        if shard.moving.count() == moves && !shard.moving.is_under_way() {
            return directories;
        }
    }
    by_directory(shard, others).await
}

/// What this shard has, and all `others`.
async fn by_directory(shard: &Rc<Shard>, others: bool) -> Directories {
    let mut directories = Directories::new();
    let mut add = |statuses: Vec<DirStatus>| {
        for status in statuses {
            let entry = directories.entry(status.path).or_insert((ErrorCode::None, Vec::new()));
            if !status.error.is_none() {
                entry.0 = status.error;
            }
            entry.1.extend(status.partitions);
        }
    };
    add(shard.logs().dirs());
    for core in (0..shard.shard_count).filter(|&core| others && core != shard.id.0 as usize) {
        match shard.calls.call(core, Request::LogDirs).await {
            Reply::LogDirs(statuses) => add(statuses),
            _ => unreachable!("LogDirs is answered with log directories"),
        }
    }
    directories
}

fn group(image: &MetadataImage, partitions: impl Iterator<Item = (TopicPartitionId, u64)>) -> Vec<DescribeLogDirsTopic> {
    let mut topics: BTreeMap<_, DescribeLogDirsTopic> = BTreeMap::new();
    for (id, size) in partitions {
        let Some(topic) = image.topic(id.topic_id) else { continue };
        let entry = topics
            .entry(std::sync::Arc::clone(&topic.name))
            .or_insert_with(|| DescribeLogDirsTopic { name: name_of(topic), partitions: Vec::new() });
        entry.partitions.push(DescribeLogDirsPartition {
            partition_index: id.partition,
            partition_size: size as i64,
            ..Default::default()
        });
    }
    topics.into_values().collect()
}
