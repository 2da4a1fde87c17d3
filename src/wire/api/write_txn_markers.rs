//! WriteTxnMarkers: key 27, versions 1-2. The transaction's version (KIP-1228) in 2.

use crate::types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Writes what was decided into the partitions of transactions.
    pub struct WriteTxnMarkersRequest {
        pub markers: Vec<WritableTxnMarker> [0+],
    }

    /// One transaction and what was decided.
    pub struct WritableTxnMarker {
        pub producer_id: ProducerId [0+],
        pub producer_epoch: ProducerEpoch [0+],
        /// True: committed.
        pub transaction_result: bool [0+],
        pub topics: Vec<WritableTxnMarkerTopic> [0+],
        pub coordinator_epoch: i32 [0+],
        pub transaction_version: i8 [2+, ignorable],
    }

    /// One topic's partitions.
    pub struct WritableTxnMarkerTopic {
        pub name: Str [0+],
        pub partition_indexes: Vec<PartitionIndex> [0+],
    }

    /// What became of each.
    pub struct WriteTxnMarkersResponse {
        pub markers: Vec<WritableTxnMarkerResult> [0+],
    }

    /// One transaction's partitions.
    pub struct WritableTxnMarkerResult {
        pub producer_id: ProducerId [0+],
        pub topics: Vec<WritableTxnMarkerTopicResult> [0+],
    }

    /// One topic's partitions.
    pub struct WritableTxnMarkerTopicResult {
        pub name: Str [0+],
        pub partitions: Vec<WritableTxnMarkerPartitionResult> [0+],
    }

    /// What became of one partition.
    pub struct WritableTxnMarkerPartitionResult {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
    }
}
