//! Every record round trips, no truncation passes, no bytes make it panic or take memory it has not been given.

use super::*;
use crate::types::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use crate::wire::Str;
use proptest::prelude::*;

fn partition() -> PartitionRecord {
    PartitionRecord {
        partition_id: PartitionIndex(3),
        topic_id: TopicId([7; 16]),
        replicas: vec![NodeId(1)],
        isr: vec![NodeId(1)],
        leader: NodeId(1),
        leader_epoch: LeaderEpoch(5),
        partition_epoch: 9,
        directories: vec![[8; 16]],
        ..PartitionRecord::default()
    }
}

/// One of each record that is understood, with its key and version.
fn all() -> Vec<(Bytes, MetadataRecord)> {
    let topic = TopicRecord { name: Str::from_static("orders"), topic_id: TopicId([7; 16]) };
    let config = ConfigRecord {
        resource_type: 2,
        resource_name: Str::from_static("orders"),
        name: Str::from_static("cleanup.policy"),
        value: Some(Str::from_static("compact")),
    };
    let removed = ConfigRecord { value: None, ..config.clone() };
    let change = PartitionChangeRecord {
        partition_id: PartitionIndex(3),
        topic_id: TopicId([7; 16]),
        leader: NodeId(-1),
        directories: Some(vec![[1; 16]]),
        ..PartitionChangeRecord::default()
    };
    let feature = FeatureLevelRecord { name: Str::from_static("metadata.version"), feature_level: 30 };
    let ids = ProducerIdsRecord { broker_id: NodeId(1), broker_epoch: 7, next_producer_id: 3000 };
    let user = Some(Str::from_static("u"));
    let quota = ClientQuotaRecord {
        entity: vec![QuotaEntity { entity_type: Str::from_static("user"), entity_name: user }],
        key: Str::from_static("producer_byte_rate"),
        value: 1024f64.to_bits() as i64,
        remove: false,
    };
    vec![
        (encode(2, 0, &topic).unwrap(), MetadataRecord::Topic(topic)),
        (encode(3, 1, &partition()).unwrap(), MetadataRecord::Partition(partition())),
        (encode(4, 0, &config).unwrap(), MetadataRecord::Config(config)),
        (encode(4, 0, &removed).unwrap(), MetadataRecord::Config(removed)),
        (encode(5, 1, &change).unwrap(), MetadataRecord::PartitionChange(change)),
        (encode(12, 0, &feature).unwrap(), MetadataRecord::FeatureLevel(feature)),
        (encode(14, 0, &quota).unwrap(), MetadataRecord::ClientQuota(quota)),
        (encode(15, 0, &ids).unwrap(), MetadataRecord::ProducerIds(ids)),
    ]
}

#[test]
fn records_round_trip_and_no_truncation_passes() {
    for (bytes, record) in all() {
        assert_eq!(MetadataRecord::decode(&bytes), Ok(record.clone()));
        for cut in 0..bytes.len() {
            assert!(MetadataRecord::decode(&bytes.slice(..cut)).is_err(), "{record:?} cut at {cut}");
        }
    }
}

#[test]
fn the_bytes_are_kafkas() {
    // Written by Apache Kafka 4.3.1 to its metadata log: metadata.version is finalized at 30.
    let kafkas = b"\x01\x0c\x00\x11metadata.version\x00\x1e\x00";
    let feature = FeatureLevelRecord { name: Str::from_static("metadata.version"), feature_level: 30 };
    assert_eq!(encode(12, 0, &feature).unwrap(), kafkas[..]);
}

#[test]
fn newer_versions_of_what_is_needed_are_named_and_unknown_records_are_kept_apart() {
    let newer = encode(3, 2, &partition()).unwrap();
    assert!(MetadataRecord::decode(&newer).is_ok());
    let mut newer = newer.to_vec();
    newer[2] = 3;
    assert_eq!(MetadataRecord::decode(&newer.into()), Err(RecordError::UnknownVersion { key: 3, version: 3 }));
    assert_eq!(MetadataRecord::decode(&Bytes::from_static(b"\x01\x63\x09anything")), Ok(MetadataRecord::Other { key: 99 }));
    assert_eq!(MetadataRecord::decode(&Bytes::from_static(b"\x02\x02\x00")), Err(RecordError::FrameVersion(2)));
}

#[test]
fn control_keys_round_trip() {
    assert_eq!(control_type(&control_key(control::VOTERS)), Some(6));
    assert_eq!([control_type(&[0, 0, 0]), control_type(&[0, 1, 0, 3])], [None, None]);
}

#[test]
fn voters_are_read_from_kafkas_control_records() {
    // Both written by Apache Kafka 4.3.1.
    let elected = Bytes::from_static(b"\x00\x00\x00\x00\x0b\xb8\x02\x00\x00\x0b\xb8\x00\x02\x00\x00\x0b\xb8\x00\x00");
    assert_eq!(voters(control::LEADER_CHANGE, &elected), Some(vec![NodeId(3000)]));
    let named = Bytes::from_static(
        b"\x00\x00\x02\x00\x00\x0b\xb8\"\xde`\xc7,VK\x04\x98\xa6Y\xce\x1c\xbb\xe82\x02\x0bCONTROLLER\n127.0.0.1q\xa5\x00\x00\x00\x00\x01\x00\x00\x00",
    );
    assert_eq!(voters(control::VOTERS, &named), Some(vec![NodeId(3000)]));
    for cut in 0..named.len() {
        assert_eq!(voters(control::VOTERS, &named.slice(..cut)), None, "cut at {cut}");
    }
    assert_eq!(voters(control::KRAFT_VERSION, &named), None);
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..120), key in 0u8..30, version in 0u8..4) {
        let mut framed = vec![1, key, version];
        framed.extend(&bytes);
        let _ = (MetadataRecord::decode(&framed.into()), MetadataRecord::decode(&bytes.into()));
    }

    #[test]
    fn any_flipped_byte_is_safe(place: prop::sample::Index, record: prop::sample::Index, byte: u8) {
        let records = all();
        let mut bytes = record.get(&records).0.to_vec();
        *place.get_mut(&mut bytes) = byte;
        let _ = MetadataRecord::decode(&bytes.into());
    }
}
