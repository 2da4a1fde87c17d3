//! Frames and chains: what verifies, what does not, and what a recycled file's old contents can do.

use super::chain::{chain, scan_file};
use super::frame::{FRAME_ALIGNMENT, Frame, FrameBuilder, FrameHeader, salvage};
use super::ring::{Place, Ring};
use super::{Change, Entry};
use crate::rt::AlignedBuffer;
use crate::types::{Offset, PartitionIndex, TopicId, TopicPartitionId};
use bytes::Bytes;
use proptest::prelude::*;

fn any_change() -> impl Strategy<Value = Change> {
    let offset = || any::<i64>().prop_map(Offset);
    let records = prop::collection::vec(any::<u8>(), 0..6000).prop_map(Bytes::from);
    prop_oneof![
        (offset(), offset(), offset(), records).prop_map(|(base, end, acknowledged, records)| Change::Data {
            base,
            end,
            acknowledged,
            records
        }),
        offset().prop_map(|end| Change::Truncate { end }),
        offset().prop_map(|offset| Change::LogStart { offset }),
        Just(Change::Delete),
        offset().prop_map(|end| Change::Release { end }),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    (any::<[u8; 16]>(), any::<i32>(), "[a-z._-]{1,249}", any_change()).prop_map(|(topic_id, partition, topic, change)| Entry {
        id: TopicPartitionId { topic_id: TopicId(topic_id), partition: PartitionIndex(partition) },
        topic: topic.into(),
        change,
    })
}

fn build(header: FrameHeader, entries: &[Entry]) -> Bytes {
    let mut frame = FrameBuilder::new(AlignedBuffer::with_capacity(0));
    entries.iter().for_each(|entry| frame.push(entry));
    Bytes::copy_from_slice(frame.finish(header).as_slice())
}

fn header(sequence: u64) -> FrameHeader {
    FrameHeader { epoch: 7, sequence, low: 0, durable: sequence.saturating_sub(2) }
}

fn delete(partition: i32) -> Entry {
    let id = TopicPartitionId { topic_id: TopicId([1; 16]), partition: PartitionIndex(partition) };
    Entry { id, topic: "orders".into(), change: Change::Delete }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_round_trip_and_no_truncation_or_flipped_byte_verifies(
        entries in prop::collection::vec(any_entry(), 0..6),
        numbers in any::<[u64; 4]>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let header = FrameHeader { epoch: numbers[0], sequence: numbers[1], low: numbers[2], durable: numbers[3] };
        let bytes = build(header, &entries);
        let frame = Frame::read(&bytes, header.epoch).expect("a frame just built verifies");
        prop_assert_eq!(frame.header, header);
        prop_assert_eq!(frame.padded_len, bytes.len());
        prop_assert_eq!(&frame.entries, &entries);
        let len = super::frame::verify(&bytes, header.epoch).unwrap().1;
        for cut in (0..len).step_by(1 + len / 97) {
            prop_assert_eq!(Frame::read(&bytes.slice(..cut), header.epoch), None);
        }
        let mut flipped = bytes.to_vec();
        flipped[flip.index(len)] ^= 0x10;
        prop_assert_eq!(Frame::read(&flipped.into(), header.epoch), None);
        prop_assert_eq!(Frame::read(&bytes, header.epoch.wrapping_add(1)), None);
    }

    #[test]
    fn every_truncation_of_an_entry_is_no_entry(entry in any_entry()) {
        let mut bytes = Vec::new();
        entry.put(|part| bytes.extend_from_slice(part));
        prop_assert_eq!(bytes.len(), entry.encoded_len());
        let bytes = Bytes::from(bytes);
        let mut rest = bytes.clone();
        prop_assert_eq!(Entry::take(&mut rest), Some(entry));
        prop_assert!(rest.is_empty());
        for len in 0..bytes.len() {
            prop_assert_eq!(Entry::take(&mut bytes.slice(..len)), None);
        }
    }

    /// The ring is written over and over; at any moment exactly the frames from the lowest needed one on are found.
    #[test]
    fn old_frames_in_recycled_space_never_count(sizes in prop::collection::vec(1usize..5, 1..120), torn in any::<bool>()) {
        const FILE: usize = 16 * FRAME_ALIGNMENT;
        let mut images = vec![vec![0u8; FILE]; 4];
        let mut ring = Ring::new(4, FILE as u64);
        let mut low = 0;
        let mut last_place = Place { file: 0, offset: 0 };
        for (sequence, &size) in sizes.iter().enumerate() {
            let sequence = sequence as u64;
            let id = TopicPartitionId { topic_id: TopicId([1; 16]), partition: PartitionIndex(sequence as i32) };
            let records = Bytes::from(vec![sequence as u8; size * FRAME_ALIGNMENT - 200]);
            let change = Change::Data { base: Offset(0), end: Offset(1), acknowledged: Offset(0), records };
            // Everything older than ten frames is in segments.
            low = sequence.saturating_sub(10);
            let frame = build(FrameHeader { epoch: 9, sequence, low, durable: sequence }, &[Entry { id, topic: "t".into(), change }]);
            ring.free_below(low);
            let place = ring.reserve(frame.len() as u64, sequence).expect("ten frames of four blocks leave a file free");
            images[place.file][place.offset as usize..place.offset as usize + frame.len()].copy_from_slice(&frame);
            last_place = place;
        }
        let mut last = sizes.len() as u64;
        if torn {
            images[last_place.file][last_place.offset as usize + 100] ^= 1;
            last -= 1;
            low = last.saturating_sub(11).min(low);
        }
        let found = chain(images.iter().enumerate().flat_map(|(file, image)| scan_file(file, image, 9)));
        prop_assert!(found.damage.is_none());
        let sequences: Vec<u64> = found.frames.iter().map(|place| place.header.sequence).collect();
        if last > 0 {
            let first = if torn { last.saturating_sub(1).saturating_sub(10) } else { low };
            prop_assert_eq!(sequences, (first..last).collect::<Vec<_>>());
        }
    }
}

#[test]
fn frames_behind_a_torn_one_were_not_acknowledged_and_do_not_count() {
    let mut image: Vec<u8> = (0..6).flat_map(|sequence| build(header(sequence), &[delete(1)])).collect();
    // Frame 4 is torn; frame 5 says that all below 3 was durable.
    image[4 * FRAME_ALIGNMENT + 60] ^= 1;
    let found = chain(scan_file(0, &image, 7));
    assert_eq!(found.damage, None);
    assert_eq!(found.frames.iter().map(|place| place.header.sequence).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_frame_that_a_later_one_knew_as_durable_is_damage_when_it_is_gone() {
    let mut image: Vec<u8> = (0..6).flat_map(|sequence| build(header(sequence), &[delete(sequence as i32)])).collect();
    image[2 * FRAME_ALIGNMENT + 60] ^= 1;
    let found = chain(scan_file(0, &image, 7));
    let hole = found.damage.expect("frame 2 was durable for frame 5");
    assert_eq!((hole.sequence, hole.place), (2, Some((0, 2 * FRAME_ALIGNMENT as u64))));
    assert_eq!(found.frames.iter().map(|place| place.header.sequence).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    let lost = salvage(&Bytes::from(image).slice(2 * FRAME_ALIGNMENT..));
    assert!(lost.iter().all(|entry| entry.topic.len() == 6), "what can be read names the partition");
}

#[test]
fn a_file_is_reused_only_when_all_its_frames_are_below_the_lowest_needed() {
    let mut ring = Ring::new(2, 8192);
    assert_eq!(ring.reserve(8192, 0), Some(Place { file: 0, offset: 0 }));
    assert_eq!(ring.reserve(4096, 1), Some(Place { file: 1, offset: 0 }));
    assert_eq!(ring.reserve(4096, 2), Some(Place { file: 1, offset: 4096 }));
    assert_eq!(ring.reserve(4096, 3), None);
    assert!(!ring.free_below(0));
    assert!(ring.free_below(1));
    assert_eq!(ring.reserve(4096, 3), Some(Place { file: 0, offset: 0 }));
    assert_eq!(ring.add_file(), 2);
    assert_eq!(ring.reserve(8192, 4), Some(Place { file: 2, offset: 0 }));
}
