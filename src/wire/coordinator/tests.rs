//! Bytes that Apache Kafka 4.3.1 wrote decode, and encode to the same bytes; no truncation passes; anything else round trips.

use super::*;
use crate::types::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::tests::{Entropy, Sample};
use proptest::prelude::*;

/// Keys and values out of the segments of its `__consumer_offsets`: of a classic group with a static member that came and went, of
/// consumer groups by name and by regular expression, and of a commit within a transaction.
const GROUP_RECORDS: &[(&str, &str)] = &[
    ("00020007636c6173736963", "0003000000000000ffffffff000001a2056d309500000000"),
    (
        "00020007636c6173736963",
        "00030008636f6e73756d657200000001000572616e6765002b696e73742d312d37636634633230362d663438632d343165372d383539662d6633313966\
         62623937646665000001a2056d314800000001002b696e73742d312d37636634633230362d663438632d343165372d383539662d663331396662623937\
         6466650006696e73742d3100026331000a2f3132372e302e302e31000493e00000afc80000001c00030000000100066f7264657273ffffffff00000000\
         ffffffffffff0000001e00030000000100066f7264657273000000020000000000000001ffffffff",
    ),
    (
        "00010007636c617373696300066f726465727300000000",
        "000400000000000000060000000001000001a2056d36370100104927a7a4645c484bacdeb6b8afc22182",
    ),
    ("00020007636c6173736963", "00030008636f6e73756d657200000002ffffffff000001a2056de60600000000"),
    (
        "000500066d6f6465726e00165964657869744667536d36634a6b5a4a4c6e7a304441",
        "00000003723112636f6e73756d65722d6d6f6465726e2d310b2f3132372e302e302e3102076f726465727301000493e00001000100",
    ),
    ("000300066d6f6465726e", "000000000002010008c5517565d2eab75b"),
    (
        "000700066d6f6465726e00165964657869744667536d36634a6b5a4a4c6e7a304441",
        "0000024927a7a4645c484bacdeb6b8afc221820300000000000000010000",
    ),
    ("000600066d6f6465726e", "000000000002010008000001a2056d3fb1"),
    (
        "000800066d6f6465726e00165964657869744667536d36634a6b5a4a4c6e7a304441",
        "0000000000020000000000024927a7a4645c484bacdeb6b8afc221820300000000000000010100090300000002000000020100",
    ),
    ("000300066d6f6465726e", "00000000000300"),
    ("00010007747867726f757000066f726465727300000000", "0004000000000000000300000000056d657461000001a2056d5f4200"),
    (
        "00050005726567657800164f4445425177574d5334327445594e63753561727251",
        "0000000011636f6e73756d65722d72656765782d320b2f3132372e302e302e3101066f72642e2a000493e00672616e676501000100",
    ),
    ("00100005726567657800056f72642e2a", "000002076f72646572730000000000000585000001a2056d47bb00"),
];

/// Values that its classes wrote of what stood in no segment: a classic member of a consumer group, no assignment epochs, racks.
const GROUP_VALUES: &[(&str, &str)] = &[
    ("000500016700016d", "00000101010102027401ffffffff010100110100000007020672616e67650301020000"),
    ("000500016700016d", "0000010101010101ffffffff0100"),
    ("000800016700016d", "000000000000000000000002010101010101010101010101010101010200000001010001000100"),
    ("000800016700016d", "000000000000000000000002010101010101010101010101010101010200000001000100"),
    ("0004000167", "000002010101010101010101010101010101010274000000010200000000020272000000"),
    ("000100016700017400000000", "0001000000000000000500016d0000000000000009000000000000000b"),
];

/// A transactional id's life in `__transaction_state`: initialized, partitions added, committed, aborted.
const TRANSACTION_VALUES: &[&str] = &[
    "0001000000000000000100000000ea600000000001a2056d5b41ffffffffffffffff0100080000000000000001",
    "0001000000000000000100000000ea6001020573756d73020000000000000001a2056d5ded000001a2056d5ded020008000000000000000102020002",
    "0001000000000000000100010000ea600204076f72646572730200000000000573756d73020000000000135f5f636f6e73756d65725f6f66667365747302\
     0000002500000001a2056d601f000001a2056d5ded020008000000000000000102020002",
    "0001000000000000000100010000ea600401000001a2056d607a000001a2056d5ded020008000000000000000102020002",
    "0001000000000000000100020000ea600501000001a2056d623d000001a2056d61dd020008000000000000000102020002",
    // Its classes' own: the next producer id and epoch are set while the old one's epoch is used up.
    "00010000000000000001000200000003020100000000000000040000000000000005040008000000000000000601080000000000000007020200020302\
     0000",
];

/// Values of versions that Kafka 4.3 reads and does not write: version, value.
const OLDER_VALUES: &[(&str, &str)] = &[
    ("000000016700017400000000", "0000000000000000000500016d0000000000000009"),
    ("000100016700017400000000", "0002000000000000000500016d0000000000000009"),
    ("000100016700017400000000", "000300000000000000050000000200016d0000000000000009"),
];

fn bytes(hex: &str) -> Bytes {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn what_kafka_wrote_of_groups_is_written_again_in_the_same_bytes() {
    for (key, value) in GROUP_RECORDS.iter().chain(GROUP_VALUES) {
        let (key, value) = (bytes(key), bytes(value));
        let record = GroupRecord::decode(&key, Some(&value)).unwrap_or_else(|e| panic!("{e}: {value:?}"));
        assert_eq!(record.encode(), Ok((key.clone(), Some(value.clone()))), "{record:?}");
        assert_eq!(GroupRecord::decode(&key, None).unwrap().encode(), Ok((key.clone(), None)));
        for cut in 0..value.len() {
            assert!(GroupRecord::decode(&key, Some(&value.slice(..cut))).is_err(), "{record:?} cut at {cut}");
        }
        for cut in 0..key.len() {
            assert!(GroupRecord::decode(&key.slice(..cut), Some(&value)).is_err(), "{record:?}: key cut at {cut}");
        }
    }
}

#[test]
fn what_kafka_wrote_of_transactions_is_written_again_in_the_same_bytes() {
    let key = bytes("0000000474782d31");
    for value in TRANSACTION_VALUES {
        let value = bytes(value);
        let record = TransactionRecord::decode(&key, Some(&value)).unwrap_or_else(|e| panic!("{e}: {value:?}"));
        assert_eq!(record.encode(), Ok((key.clone(), Some(value.clone()))), "{record:?}");
        for cut in 0..value.len() {
            assert!(TransactionRecord::decode(&key, Some(&value.slice(..cut))).is_err(), "{record:?} cut at {cut}");
        }
    }
}

#[test]
fn what_kafka_wrote_means_what_it_should() {
    let [_, classic, offset, ..] = GROUP_RECORDS else { unreachable!() };
    let GroupRecord::GroupMetadata(key, Some(group)) = GroupRecord::decode(&bytes(classic.0), Some(&bytes(classic.1))).unwrap() else {
        panic!("another type")
    };
    assert_eq!(
        (&*key.group, &*group.protocol_type, group.generation, group.protocol.as_deref()),
        ("classic", "consumer", 1, Some("range"))
    );
    let member = &group.members[0];
    assert_eq!((member.group_instance_id.as_deref(), member.rebalance_timeout, member.session_timeout), (Some("inst-1"), 300_000, 45_000));
    let subscription = ConsumerProtocolSubscription::from_bytes(&member.subscription).unwrap();
    assert_eq!((&*subscription.topics[0], subscription.generation_id), ("orders", -1));
    assert_eq!(subscription.to_bytes(3), Ok(member.subscription.clone()));
    let assignment = ConsumerProtocolAssignment::from_bytes(&member.assignment).unwrap();
    assert_eq!(assignment.assigned_partitions[0].partitions, [PartitionIndex(0), PartitionIndex(1)]);
    assert_eq!(assignment.to_bytes(3), Ok(member.assignment.clone()));

    let GroupRecord::OffsetCommit(key, Some(offset)) = GroupRecord::decode(&bytes(offset.0), Some(&bytes(offset.1))).unwrap() else {
        panic!("another type")
    };
    assert_eq!((&*key.topic, key.partition, offset.offset, offset.leader_epoch), ("orders", PartitionIndex(0), Offset(6), LeaderEpoch(0)));

    let key = bytes("0000000474782d31");
    let ongoing = TransactionRecord::decode(&key, Some(&bytes(TRANSACTION_VALUES[1]))).unwrap();
    let TransactionRecord::TransactionLog(key, Some(ongoing)) = ongoing else { panic!("another type") };
    assert_eq!((&*key.transactional_id, ongoing.producer_id, ongoing.producer_epoch), ("tx-1", ProducerId(1), ProducerEpoch(0)));
    assert_eq!((ongoing.transaction_status, ongoing.transaction_timeout_ms, ongoing.client_transaction_version), (1, 60_000, 2));
    let partitions = vec![PartitionsSchema { topic: "sums".into(), partition_ids: vec![PartitionIndex(0)] }];
    assert_eq!(ongoing.transaction_partitions, Some(partitions));
}

#[test]
fn older_versions_are_read_newer_ones_and_unknown_types_are_not_guessed() {
    for (key, value) in OLDER_VALUES {
        let record = GroupRecord::decode(&bytes(key), Some(&bytes(value))).unwrap();
        assert!(matches!(record, GroupRecord::OffsetCommit(_, Some(value)) if value.offset == Offset(5) && &*value.metadata == "m"));
    }
    let group = bytes("0008636f6e73756d657200000002000572616e676500016d0000000100016d00016300022f68000000030000000400000001010000000102");
    let older = [&[0, 1][..], &group].concat().into();
    let GroupRecord::GroupMetadata(_, Some(group)) = GroupRecord::decode(&bytes("0002000167"), Some(&older)).unwrap() else {
        panic!("another type")
    };
    assert_eq!((group.members[0].rebalance_timeout, group.current_state_timestamp), (3, Timestamp::NONE));
    let fixed = bytes("00000000000000000001000200000003010000000100017400000002000000000000000100000000000000040000000000000005");
    assert!(TransactionRecord::decode(&bytes("0000000474782d31"), Some(&fixed)).is_ok());

    let newer = GroupRecord::decode(&bytes("0002000167"), Some(&bytes("000500")));
    assert_eq!(newer, Err(RecordError::UnknownVersion { key_type: 2, version: 5 }));
    assert_eq!(GroupRecord::decode(&bytes("000b000167"), None), Ok(GroupRecord::Other { key_type: 11 }));
    assert_eq!(TransactionRecord::decode(&bytes("0001000167"), None), Ok(TransactionRecord::Other { key_type: 1 }));
    assert!(ConsumerProtocolSubscription::from_bytes(&bytes("ffff00000000ffffffff")).is_err());
    assert!(ConsumerProtocolAssignment::from_bytes(&bytes("000900000000ffffffff")).is_ok());
}

fn sample<T: Sample>(entropy: &[u8], version: i16, flexible: bool) -> T {
    T::sample(&mut Entropy::new(entropy.to_vec()), Codec::new(version, flexible))
}

proptest! {
    #[test]
    fn any_record_comes_back(entropy in prop::collection::vec(any::<u8>(), 0..300)) {
        let group: Str = sample(&entropy, 0, false);
        let offset_key = OffsetCommitKey { group: group.clone(), topic: group.clone(), partition: PartitionIndex(0) };
        let member = || ConsumerGroupMemberMetadataKey { group_id: group.clone(), member_id: group.clone() };
        let records = [
            GroupRecord::OffsetCommit(offset_key, Some(sample(&entropy, 4, true))),
            GroupRecord::GroupMetadata(GroupMetadataKey { group: group.clone() }, Some(sample(&entropy, 3, false))),
            GroupRecord::ConsumerGroupMemberMetadata(member(), Some(sample(&entropy, 0, true))),
            GroupRecord::ConsumerGroupCurrentMemberAssignment(sample(&entropy, 0, false), Some(sample(&entropy, 0, true))),
            GroupRecord::ConsumerGroupTargetAssignmentMember(sample(&entropy, 0, false), Some(sample(&entropy, 0, true))),
            GroupRecord::ConsumerGroupPartitionMetadata(sample(&entropy, 0, false), Some(sample(&entropy, 0, true))),
        ];
        for record in records {
            let (key, value) = record.encode().unwrap();
            prop_assert_eq!(GroupRecord::decode(&key, value.as_ref()), Ok(record));
        }
        let record = TransactionRecord::TransactionLog(TransactionLogKey { transactional_id: group }, Some(sample(&entropy, 1, true)));
        let (key, value) = record.encode().unwrap();
        prop_assert_eq!(TransactionRecord::decode(&key, value.as_ref()), Ok(record));
    }

    #[test]
    fn any_bytes_are_safe(key_type in 0u8..20, version in 0u8..6, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let with = |head: u8| Bytes::from([&[0, head], &bytes[..]].concat());
        for key in [with(key_type), self::bytes("000100016700017400000000"), self::bytes("000500016700016d")] {
            let _ = (GroupRecord::decode(&key, Some(&with(version))), TransactionRecord::decode(&key, Some(&with(version))));
        }
        let _ = (ConsumerProtocolSubscription::from_bytes(&with(version)), ConsumerProtocolAssignment::from_bytes(&with(version)));
    }
}
