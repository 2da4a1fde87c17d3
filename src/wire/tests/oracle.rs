//! The `kafka-protocol` crate as an oracle: it reads what we write as the same fields, and writes the same bytes again.
//!
//! Its structs hold their fields in the schema's order, as ours do. So equal names in order and equal bytes mean equal values.

use super::{Check, Entropy, Sample, Subject, check_all, encode};
use crate::wire::Reader;
use crate::wire::primitives::Field;
use crate::wire::versions::ApiKey;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestKind, ResponseKind};
use kafka_protocol::protocol::VersionRange;
use proptest::prelude::*;
use std::fmt::Debug;

/// Versions that we speak and the crate does not know. `golden.rs` has bytes of Apache Kafka's own for them.
const UNKNOWN_TO_ORACLE: &[&str] = &[
    "ListOffsetsRequest v11",
    "ListOffsetsResponse v11",
    "OffsetCommitRequest v10",
    "OffsetCommitResponse v10",
    "OffsetFetchRequest v10",
    "OffsetFetchResponse v10",
    "WriteTxnMarkersRequest v2",
    "WriteTxnMarkersResponse v2",
    "DescribeLogDirsRequest v5",
    "DescribeLogDirsResponse v5",
];

/// Names that only one of us has: how the oracle keeps unknown tags and we keep records, and fields of versions that only one knows.
const NAMES_OF_ONE: &[&str] = &[
    "unknown_tagged_fields",
    "runs",
    "size",
    "enable_2_pc",
    "keep_prepared_txn",
    "ongoing_txn_producer_id",
    "ongoing_txn_producer_epoch",
    "is_cordoned",
    "transaction_version",
];

/// Whether only one of us has the field.
fn is_of_one(key: ApiKey, name: &str) -> bool {
    NAMES_OF_ONE.contains(&name) || (matches!(key, ApiKey::OffsetCommit | ApiKey::OffsetFetch) && name == "topic_id")
}

struct Oracle {
    entropy: Vec<u8>,
    skipped: Vec<String>,
}

impl Check for Oracle {
    fn check<M: Field + Sample + Default + Clone + PartialEq + Debug>(&mut self, subject: &Subject) {
        let key = kafka_protocol::messages::ApiKey::try_from(subject.key.code()).expect("the crate knows the API");
        let VersionRange { min, max } = key.valid_versions();
        // The range is the API's; of some it knows only the request or only the response up to there.
        let name = subject.to_string();
        if !(min..=max).contains(&subject.codec.version) || UNKNOWN_TO_ORACLE.contains(&&*name) {
            return self.skipped.push(name);
        }
        let ours = M::sample(&mut Entropy::new(self.entropy.clone()), subject.codec);
        let bytes = encode(&ours, subject.codec).unwrap();
        let (names, again) = through_oracle(subject, key, bytes.clone());
        assert_eq!(again, bytes, "{subject}: the oracle writes {ours:?} in other bytes");
        assert_eq!(field_names(subject.key, &format!("{ours:?}")), names, "{subject}: the oracle has other fields");
        assert_eq!(M::read(&mut Reader::new(again), subject.codec).as_ref(), Ok(&ours), "{subject}");
    }
}

/// The fields that the oracle finds in the bytes, and the bytes that it writes for what it found.
fn through_oracle(subject: &Subject, key: kafka_protocol::messages::ApiKey, bytes: Bytes) -> (Vec<String>, Bytes) {
    let (mut rest, mut again, version) = (bytes.clone(), BytesMut::new(), subject.codec.version);
    let debug = if subject.is_request {
        let theirs = RequestKind::decode(key, &mut rest, version).unwrap_or_else(|e| panic!("{subject}: {e}: {bytes:?}"));
        theirs.encode(&mut again, version).unwrap_or_else(|e| panic!("{subject}: {e}"));
        format!("{theirs:?}")
    } else {
        let theirs = ResponseKind::decode(key, &mut rest, version).unwrap_or_else(|e| panic!("{subject}: {e}: {bytes:?}"));
        theirs.encode(&mut again, version).unwrap_or_else(|e| panic!("{subject}: {e}"));
        format!("{theirs:?}")
    };
    assert!(rest.is_empty(), "{subject}: the oracle leaves bytes over");
    (field_names(subject.key, &debug), again.freeze())
}

/// The names in front of a colon in a debug text, in order.
fn field_names(key: ApiKey, debug: &str) -> Vec<String> {
    let words = debug.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter_map(|word| word.strip_suffix(':')).filter(|name| !is_of_one(key, name)).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_oracle_agrees_on_every_message_in_every_version(entropy in prop::collection::vec(any::<u8>(), 0..1200)) {
        let mut oracle = Oracle { entropy, skipped: Vec::new() };
        check_all(&mut oracle);
        prop_assert_eq!(oracle.skipped, UNKNOWN_TO_ORACLE);
    }
}
