//! WriteTxnMarkers (27), versions 1-2: ends transactions in partitions, durably. Coordinators elsewhere send it, and `kafka-transactions abort`.

use super::RequestContext;
use crate::coordinator::machine::Ending;
use crate::shard::markers::MarkerWrite;
use crate::types::{ErrorCode, TopicPartitionId};
use crate::wire::api::write_txn_markers::*;

pub async fn handle(context: &RequestContext, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut markers = Vec::with_capacity(request.markers.len());
    for marker in request.markers {
        markers.push(WritableTxnMarkerResult { producer_id: marker.producer_id, topics: write(context, marker).await });
    }
    WriteTxnMarkersResponse { markers }
}

async fn write(context: &RequestContext, marker: WritableTxnMarker) -> Vec<WritableTxnMarkerTopicResult> {
    let image = context.shard.image();
    let ending = Ending {
        producer_id: marker.producer_id,
        producer_epoch: marker.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        committed: marker.transaction_result,
    };
    let mut errors = Vec::new();
    let (mut places, mut writes) = (Vec::new(), Vec::new());
    for topic in &marker.topics {
        let known = image.topic_by_name(&topic.name);
        for partition in &topic.partition_indexes {
            if let Some(known) = known.filter(|known| known.partition(*partition).is_some()) {
                places.push(errors.len());
                writes.push(MarkerWrite {
                    id: TopicPartitionId { topic_id: known.id, partition: *partition },
                    ending,
                    client_version: marker.transaction_version.into(),
                });
            }
            errors.push(ErrorCode::UnknownTopicOrPartition);
        }
    }
    for (place, error) in places.into_iter().zip(context.shard.write_markers(writes).await) {
        errors[place] = error;
    }
    errors.iter().for_each(|error| context.note_error(*error));
    let mut errors = errors.into_iter();
    let topic = |topic: WritableTxnMarkerTopic| WritableTxnMarkerTopicResult {
        partitions: topic
            .partition_indexes
            .iter()
            .zip(&mut errors)
            .map(|(index, error_code)| WritableTxnMarkerPartitionResult { partition_index: *index, error_code })
            .collect(),
        name: topic.name,
    };
    marker.topics.into_iter().map(topic).collect()
}
