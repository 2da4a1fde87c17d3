//! Bytes that no honest client sends: each is an error, soon, and takes little memory.

use super::{Check, Entropy, Sample, Subject, check_all, encode};
use crate::wire::primitives::Field;
use crate::wire::*;
use bytes::Bytes;
use proptest::prelude::*;

/// Every truncation of every message is an error, also where the message is the same up to there.
struct Truncate(Vec<u8>);

impl Check for Truncate {
    fn check<M: Field + Sample + Default + Clone + PartialEq + std::fmt::Debug>(&mut self, subject: &Subject) {
        let value = M::sample(&mut Entropy::new(self.0.clone()), subject.codec);
        let bytes = encode(&value, subject.codec).unwrap();
        for length in 0..bytes.len() {
            let read = M::read(&mut Reader::new(bytes.slice(..length)), subject.codec);
            assert!(read.is_err(), "{subject}: {length} of {} bytes are taken for a message: {value:?}", bytes.len());
        }
    }
}

/// Any bytes, for any message: an answer, and what was read encodes again.
struct Noise(Vec<u8>);

impl Check for Noise {
    fn check<M: Field + Sample + Default + Clone + PartialEq + std::fmt::Debug>(&mut self, subject: &Subject) {
        if let Ok(value) = M::read(&mut Reader::new(self.0.clone().into()), subject.codec) {
            encode(&value, subject.codec).unwrap_or_else(|e| panic!("{subject}: {e}: {value:?}"));
        }
    }
}

/// One byte of an honest message changed.
struct Flip(Vec<u8>, prop::sample::Index, u8);

impl Check for Flip {
    fn check<M: Field + Sample + Default + Clone + PartialEq + std::fmt::Debug>(&mut self, subject: &Subject) {
        let value = M::sample(&mut Entropy::new(self.0.clone()), subject.codec);
        let mut bytes = encode(&value, subject.codec).unwrap().to_vec();
        if !bytes.is_empty() {
            let place = self.1.index(bytes.len());
            bytes[place] = self.2;
            Noise(bytes).check::<M>(subject);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_truncation_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_all(&mut Truncate(bytes));
    }

    #[test]
    fn noise_gets_an_answer(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xff), any::<u8>()], 0..200)) {
        check_all(&mut Noise(bytes));
    }

    #[test]
    fn a_changed_byte_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400), place: prop::sample::Index, byte: u8) {
        check_all(&mut Flip(bytes, place, byte));
    }

    #[test]
    fn headers_of_noise_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = RequestHeader::decode(&mut Reader::new(bytes.into()));
    }
}

/// Given a few bytes that claim 2^31-1 or 2^32-2 elements, decoding fails at the count.
#[test]
fn a_count_beyond_the_bytes_is_an_error() {
    let fixed = decode_request::<api::metadata::MetadataRequest>(&mut Reader::new(Bytes::from_static(b"\x7f\xff\xff\xff\0\0")), 1);
    assert_eq!(fixed.unwrap_err().problem, DecodeProblem::Count);
    let compact = b"\xff\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let flexible = decode_request::<api::metadata::MetadataRequest>(&mut Reader::new(Bytes::from_static(compact)), 12);
    assert_eq!(flexible.unwrap_err().problem, DecodeProblem::Count);
    // The same inside of a tagged field: no more than the field's own bytes count.
    let tags = b"\0\0\x01\0\0\0\0\x01\0\x05\xff\xff\xff\xff\x07";
    let inner = decode_response::<api::api_versions::ApiVersionsResponse>(tags, 3);
    assert_eq!(inner.unwrap_err().problem, DecodeProblem::Count);

    fn decode_response<P: Response>(bytes: &'static [u8], version: i16) -> Result<P, DecodeError> {
        crate::wire::header::decode_response(&mut Reader::new(Bytes::from_static(bytes)), version)
    }
}

/// Given 24 MiB of the smallest topics there are, each many times larger in memory than on the wire, decoding stops at
/// the budget before it allocates for them.
#[test]
fn many_tiny_elements_meet_the_memory_budget() {
    const COUNT: usize = 12 << 20;
    let mut writer = Writer::with_capacity(2 * COUNT + 16);
    writer.uvarint(COUNT as u32 + 1);
    writer.slice(&[1; 2 * COUNT]);
    let read = decode_request::<api::describe_topic_partitions::DescribeTopicPartitionsRequest>(&mut Reader::new(writer.into_bytes()), 0);
    assert_eq!(read.unwrap_err(), DecodeError { problem: DecodeProblem::Memory, field: "topics" });
}

#[test]
fn varints_that_do_not_end_are_errors() {
    let read = |bytes: &'static [u8]| Reader::new(Bytes::from_static(bytes));
    let problem = |error: DecodeError| error.problem;
    assert_eq!(read(b"\xff\xff\xff\xff\xff\x01").uvarint().map_err(problem), Err(DecodeProblem::Varint));
    assert_eq!(read(b"\xff\xff\xff\xff\x1f").uvarint().map_err(problem), Err(DecodeProblem::Varint), "33 bits");
    assert_eq!(read(b"\xff\xff\xff\xff\x0f").uvarint(), Ok(u32::MAX));
    assert_eq!(read(b"\xff\xff").uvarint().map_err(problem), Err(DecodeProblem::Truncated));
    assert_eq!(read(b"").uvarint().map_err(problem), Err(DecodeProblem::Truncated));
    let ten = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(read(ten).varlong(), Ok(i64::MIN));
    assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02").varlong().map_err(problem), Err(DecodeProblem::Varint), "65 bits");
    assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").varlong().map_err(problem), Err(DecodeProblem::Varint));
}

/// Kafka takes such a request and shows U+FFFD instead; so do we, for a string must be UTF-8 wherever it goes.
#[test]
fn strings_that_are_not_utf8_are_mended() {
    let mut reader = Reader::new(Bytes::from_static(b"\0\x12\0\0\0\0\0\x01\0\x02\xc3\x28"));
    assert_eq!(RequestHeader::decode(&mut reader).unwrap().client_id, Some("\u{fffd}(".into()));
}

#[test]
fn a_string_beyond_kafkas_longest_is_an_error() {
    let mut writer = Writer::new();
    writer.uvarint(32_768 + 1);
    writer.slice(&[b'x'; 32_768]);
    writer.slice(b"\x01\0");
    let read = decode_request::<api::api_versions::ApiVersionsRequest>(&mut Reader::new(writer.into_bytes()), 3);
    assert_eq!(read.unwrap_err(), DecodeError { problem: DecodeProblem::TooLong, field: "client_software_name" });
}

/// Given a large message whose first count is as high as its bytes allow, the vector starts no larger than the message.
#[test]
fn a_vector_starts_no_larger_than_what_remains() {
    let mut reader = Reader::new(vec![1; 1 << 20].into());
    let strings: Vec<Str> = reader.vector(1 << 19, 2).unwrap();
    assert!(strings.capacity() * size_of::<Str>() <= 1 << 20, "{} strings", strings.capacity());
    assert!(reader.vector::<Str>(1 << 19, 2).is_err(), "two such arrays exceed the budget");
}

#[test]
fn a_header_of_an_unknown_api_is_an_error_and_of_an_unknown_version_is_not() {
    let header = |key: i16, version: i16| {
        let mut writer = Writer::new();
        writer.i16(key);
        writer.i16(version);
        writer.i32(5);
        writer.slice(b"\0\x01x\0");
        RequestHeader::decode(&mut Reader::new(writer.into_bytes()))
    };
    assert_eq!(header(4, 0).unwrap_err().problem, DecodeProblem::UnknownApi(4));
    assert_eq!(header(-1, 0).unwrap_err().problem, DecodeProblem::UnknownApi(-1));
    assert_eq!(header(32_000, 0).unwrap_err().problem, DecodeProblem::UnknownApi(32_000));
    for (key, version) in [(18, 5), (18, i16::MAX), (0, 2), (0, 14), (3, -1)] {
        let header = header(key, version).unwrap();
        assert!(!header.is_supported(), "{header:?}");
        assert_eq!((header.api_version, header.correlation_id), (version, 5));
    }
}
