//! Deleting records on the core that owns the partitions.

use super::Shard;
use crate::types::{ErrorCode, Offset, TopicPartitionId};

/// Stands for the high watermark in a request.
const HIGH_WATERMARK: Offset = Offset(-1);

/// One partition of a DeleteRecords request: everything below `offset` shall go.
#[derive(Clone, Copy, Debug)]
pub struct RecordsDeletion {
    pub id: TopicPartitionId,
    pub offset: Offset,
}

/// Where the log starts now; -1 on an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeletionAnswer {
    pub error: ErrorCode,
    pub low_watermark: Offset,
}

impl DeletionAnswer {
    pub fn failed(error: ErrorCode) -> DeletionAnswer {
        DeletionAnswer { error, low_watermark: Offset::NONE }
    }
}

/// Works on every deletion, in order; each is durable when it is answered.
pub async fn delete_all(shard: &Shard, deletions: Vec<RecordsDeletion>) -> Vec<DeletionAnswer> {
    let mut answers = Vec::with_capacity(deletions.len());
    for deletion in &deletions {
        answers.push(delete(shard, deletion).await.unwrap_or_else(DeletionAnswer::failed));
    }
    answers
}

async fn delete(shard: &Shard, deletion: &RecordsDeletion) -> Result<DeletionAnswer, ErrorCode> {
    let (log, _) = shard.led_partition(deletion.id)?;
    let config = log.config();
    if config.cleanup_compact && !config.cleanup_delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let offset = if deletion.offset == HIGH_WATERMARK { log.high_watermark() } else { deletion.offset };
    if offset < Offset(0) {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    log.set_log_start(offset).await?;
    Ok(DeletionAnswer { error: ErrorCode::None, low_watermark: log.log_start() })
}
