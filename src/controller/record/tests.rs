use super::*;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = Arc<str>> {
    "[a-zé._-]{0,12}".prop_map(|s| s.as_str().into())
}

fn nodes() -> impl Strategy<Value = Vec<NodeId>> {
    prop::collection::vec(any::<i32>().prop_map(NodeId), 0..5)
}

fn partition() -> impl Strategy<Value = Record> {
    (any::<[u8; 16]>(), any::<i32>(), nodes(), nodes(), prop::collection::vec(any::<[u8; 16]>(), 0..4), any::<(i32, i32, i32)>()).prop_map(
        |(id, partition, replicas, isr, directories, (leader, leader_epoch, partition_epoch))| {
            Record::Partition(PartitionRecord {
                topic_id: TopicId(id),
                partition: PartitionIndex(partition),
                replicas,
                isr,
                directories,
                leader: NodeId(leader),
                leader_epoch: LeaderEpoch(leader_epoch),
                partition_epoch,
            })
        },
    )
}

fn broker() -> impl Strategy<Value = Record> {
    let endpoint = (text(), text(), any::<u16>()).prop_map(|(listener, host, port)| BrokerEndpoint { listener, host, port });
    (any::<(i32, i64, [u8; 16], bool)>(), prop::collection::vec(endpoint, 0..3), prop::option::of(text())).prop_map(
        |((id, broker_epoch, incarnation_id, fenced), endpoints, rack)| {
            Record::RegisterBroker(RegisterBrokerRecord { broker_id: NodeId(id), broker_epoch, incarnation_id, endpoints, rack, fenced })
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let resource = (any::<bool>(), text())
        .prop_map(|(topic, name)| ConfigResource { resource_type: if topic { ResourceType::Topic } else { ResourceType::Broker }, name });
    prop_oneof![
        text().prop_map(|cluster_id| Record::Cluster(ClusterRecord { cluster_id })),
        (text(), any::<i16>()).prop_map(|(name, level)| Record::FeatureLevel(FeatureLevelRecord { name, level })),
        broker(),
        (text(), any::<[u8; 16]>()).prop_map(|(name, id)| Record::Topic(TopicRecord { name, topic_id: TopicId(id) })),
        partition(),
        any::<[u8; 16]>().prop_map(|id| Record::RemoveTopic(RemoveTopicRecord { topic_id: TopicId(id) })),
        (resource, text(), prop::option::of(text())).prop_map(|(resource, name, value)| Record::Config(ConfigRecord {
            resource,
            name,
            value
        })),
        any::<(i32, i64, i64)>().prop_map(|(id, broker_epoch, next_producer_id)| Record::ProducerIds(ProducerIdsRecord {
            broker_id: NodeId(id),
            broker_epoch,
            next_producer_id
        })),
    ]
}

proptest! {
    #[test]
    fn batches_round_trip(records in prop::collection::vec(record(), 0..8)) {
        prop_assert_eq!(decode_batch(&encode_batch(&records)), Ok(records));
    }

    #[test]
    fn a_cut_record_is_an_error(record in record(), cut in any::<prop::sample::Index>()) {
        let bytes = encode_batch([&record]);
        // Cut after the format byte only, the batch is a valid empty one.
        let len = 2 + cut.index(bytes.len() - 2);
        prop_assert!(decode_batch(&bytes[..len]).is_err());
    }

    #[test]
    fn any_bytes_are_records_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..200), record in record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let _ = decode_batch(&bytes);
        bytes = encode_batch([&record]);
        let position = at.index(bytes.len());
        bytes[position] = byte;
        let _ = decode_batch(&bytes);
    }
}

#[test]
fn an_absurd_count_is_refused_before_anything_is_allocated() {
    let mut e = Encoder::default();
    e.u8(5);
    e.u8(0);
    e.uuid(&[1; 16]);
    e.i32(0);
    e.u32(u32::MAX);
    assert_eq!(Record::decode(&e.bytes), Err(CodecError::BadLength(u32::MAX)));
}

#[test]
fn a_record_of_a_newer_version_is_named() {
    assert_eq!(Record::decode(&[4, 9, 0]), Err(CodecError::UnknownRecord { record_type: 4, version: 9 }));
    assert_eq!(Record::decode(&[99, 0]), Err(CodecError::UnknownRecord { record_type: 99, version: 0 }));
}
