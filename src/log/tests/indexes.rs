//! Whatever becomes of the files beside a log, the answers stay the same.

use super::*;
use crate::log::format::AbortedTransaction;
use crate::log::producer::ProducerStates;
use crate::log::{EpochEnd, OpenError, TimestampOffset};
use crate::rt::fs;
use crate::types::{ProducerEpoch, ProducerId};
use crate::wire::records::{TransactionMarker, end_transaction_marker};
use std::path::{Path, PathBuf};

const DIR: &str = "/data/orders-0";
const BATCHES: i64 = 260;

/// Several segments and three leader epochs; two records a batch, ten of every 100 batches with a time that comes before its neighbours'.
async fn fill(broker: &Broker) {
    let log = broker.log(0).await;
    for n in 0..BATCHES {
        broker.store.room(2000).await;
        let time = if n % 100 < 10 { 10 * n } else { 1000 * n };
        log.append(&batch(time, 2, 400, n as u8), LeaderEpoch(3 + n as i32 / 100), Timestamp(1)).expect("an append");
    }
    log.wait_durable(Offset(2 * BATCHES)).await.unwrap();
}

/// What the outside can ask.
#[derive(PartialEq, Debug)]
struct Answers {
    batches: Vec<(Offset, usize)>,
    by_offset: Vec<Offset>,
    by_time: Vec<Option<TimestampOffset>>,
    max: Option<TimestampOffset>,
    epochs: Vec<Option<EpochEnd>>,
}

async fn ask(log: &PartitionLog) -> Answers {
    let mut answers = Answers { batches: Vec::new(), by_offset: Vec::new(), by_time: Vec::new(), max: None, epochs: Vec::new() };
    // Look-ups first: they must not profit from what reading everything has repaired.
    for n in [299_001, 0, 77_000, 101, 190_000, 259_001, 130_000] {
        answers.by_time.push(log.offset_for_timestamp(Timestamp(n)).await.expect("a look-up"));
    }
    answers.max = log.max_timestamp_offset().await.expect("a look-up");
    for offset in [517, 3, 250, 90, 401] {
        let fetched = log.read(Offset(offset), 1, true, log.high_watermark()).await.expect("a read");
        let [Slice::File { file, offset, len }] = &fetched.parts[..] else { panic!("from a file") };
        let bytes = file.read_at(*offset, *len as usize).await.unwrap();
        answers.by_offset.push(RecordBatch::split_from(&mut bytes.clone()).expect("a batch").base_offset);
    }
    log.check_epochs().await;
    answers.epochs = (2..7).map(|epoch| log.end_offset_for_epoch(LeaderEpoch(epoch))).collect();
    answers.batches = read_all(log, Offset(0), 3000).await.iter().map(|batch| (batch.base_offset, batch.size())).collect();
    answers
}

type Change = fn(&[u8]) -> Option<Vec<u8>>;

const CHANGES: [(&str, Change); 8] = [
    ("missing", |_| None),
    ("empty", |_| Some(Vec::new())),
    ("short by half an entry", |bytes| Some(bytes[..bytes.len().saturating_sub(5)].to_vec())),
    ("its first entry only", |bytes| Some(bytes[..bytes.len().min(12)].to_vec())),
    ("garbage", |bytes| Some((0..bytes.len().max(48)).map(|n| (n * 151) as u8).collect())),
    ("zeros", |bytes| Some(vec![0; bytes.len().max(24)])),
    ("every entry shifted", |bytes| Some(bytes.iter().enumerate().map(|(n, byte)| if n % 4 == 3 { byte ^ 1 } else { *byte }).collect())),
    ("twice as long", |bytes| Some([bytes, bytes].concat())),
];

async fn files(endings: &[&str]) -> Vec<PathBuf> {
    let listing = fs::list_dir(Path::new(DIR)).await.unwrap();
    let kept = listing.iter().filter(|entry| endings.iter().any(|ending| entry.name.ends_with(ending)));
    kept.map(|entry| Path::new(DIR).join(&entry.name)).collect()
}

async fn change_all(endings: &[&str], change: Change) {
    for path in files(endings).await {
        let bytes = fs::read_file(&path, 1 << 30).await.unwrap();
        match change(&bytes) {
            Some(changed) => fs::write_file(&path, &changed).await.unwrap(),
            None => fs::remove_file(&path).await.unwrap(),
        }
    }
}

fn the_answers_stay(seed: u64, endings: &'static [&'static str]) {
    let (world, machine) = world(seed);
    world.block_on(machine, async move {
        let broker = start(small_config()).await;
        fill(&broker).await;
        broker.stop().await;
        let broker = start(small_config()).await;
        let expected = ask(&*broker.log(0).await).await;
        assert_eq!(expected.batches.len() as i64, BATCHES);
        broker.stop().await;
        for (name, change) in CHANGES {
            change_all(endings, change).await;
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            assert_eq!(ask(&log).await, expected, "{name}");
            // And the active segment goes on from there.
            assert_eq!(log.log_end(), Offset(2 * BATCHES), "{name}");
            broker.stop().await;
            let broker = start(small_config()).await;
            assert_eq!(ask(&*broker.log(0).await).await, expected, "{name}, after the next start");
            broker.stop().await;
        }
    });
}

#[test]
fn offset_indexes_are_made_anew() {
    the_answers_stay(60, &[".index"]);
}

#[test]
fn time_indexes_are_made_anew() {
    the_answers_stay(61, &[".timeindex"]);
}

#[test]
fn both_indexes_and_the_epochs_and_snapshots_are_made_anew() {
    the_answers_stay(62, &["index", "leader-epoch-checkpoint", ".snapshot"]);
}

#[test]
fn leader_epochs_of_a_wrong_checkpoint_are_found_in_the_batches() {
    for contents in ["0\n0\n", "0\n1\n3 0\n", "0\n3\n3 0\n4 202\n5 400\n", "0\n2\n4 0\n5 400\n", "0\n4\n3 0\n4 200\n5 400\n9 500\n", "x"] {
        let (world, machine) = world(63);
        world.block_on(machine, async move {
            let broker = start(small_config()).await;
            fill(&broker).await;
            broker.stop().await;
            fs::write_file(&Path::new(DIR).join("leader-epoch-checkpoint"), contents.as_bytes()).await.unwrap();
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            log.check_epochs().await;
            let ends: Vec<i64> =
                (3..6).filter_map(|epoch| log.end_offset_for_epoch(LeaderEpoch(epoch))).map(|end| end.end_offset.0).collect();
            assert_eq!((ends, log.latest_leader_epoch()), (vec![200, 400, 2 * BATCHES], LeaderEpoch(5)), "{contents:?}");
            broker.stop().await;
            let written = fs::read_file(&Path::new(DIR).join("leader-epoch-checkpoint"), 1000).await.unwrap();
            assert_eq!(&written[..], b"0\n3\n3 0\n4 200\n5 400\n");
        });
    }
}

async fn last_log() -> PathBuf {
    files(&[".log"]).await.pop().expect("a segment")
}

#[test]
fn a_last_batch_cut_at_any_byte_is_damage_after_a_clean_stop() {
    let (world, machine) = world(64);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        fill(&broker).await;
        broker.log(0).await.append(&batch(900_000, 1, 10, b'l'), LeaderEpoch(9), Timestamp(1)).unwrap();
        broker.stop().await;
        let path = last_log().await;
        let whole = fs::read_file(&path, 1 << 30).await.unwrap();
        let last = batch(900_000, 1, 10, b'l').len();
        for cut in 1..=last {
            fs::write_file(&path, &whole[..whole.len() - cut]).await.unwrap();
            let broker = start(small_config()).await;
            let opened = broker.store.open_partition(topic_id(), TOPIC, PartitionIndex(0), small_topic()).await;
            let Err(OpenError::Damaged(_, why)) = opened else { panic!("{cut} bytes less are not seen") };
            assert!(why.contains(&format!("{} at position", path.display())), "{why}");
            assert!(why.contains(&format!("offsets up to {} had been acknowledged", 2 * BATCHES + 1)), "{why}");
            broker.stop().await;
        }
        // All of them, and more than that.
        fs::write_file(&path, &[]).await.unwrap();
        let broker = start(small_config()).await;
        let opened = broker.store.open_partition(topic_id(), TOPIC, PartitionIndex(0), small_topic()).await;
        assert!(matches!(opened, Err(OpenError::Damaged(..))), "an empty file");
        broker.stop().await;
        fs::write_file(&path, &whole).await.unwrap();
        let broker = start(small_config()).await;
        assert_eq!(read_all(&*broker.log(0).await, Offset(0), 3000).await.len() as i64, BATCHES + 1, "nothing was cut meanwhile");
        broker.stop().await;
    });
}

#[test]
fn damage_in_a_sealed_segment_fails_the_reads_that_meet_it_and_no_others() {
    let (world, machine) = world(65);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        fill(&broker).await;
        broker.stop().await;
        let path = files(&[".log"]).await.remove(0);
        let whole = fs::read_file(&path, 1 << 30).await.unwrap();
        let positions: Vec<usize> = crate::wire::records::batches(whole.clone())
            .map(|batch| batch.unwrap().bytes().as_ptr() as usize - whole.as_ptr() as usize)
            .collect();
        // The tenth batch: its length, its magic, its base offset (which the next one's lies below then), its epoch.
        for (byte, bit) in [(8, 6), (11, 5), (16, 0), (16, 7), (3, 1), (7, 3), (12, 7), (14, 2)] {
            let mut bytes = whole.to_vec();
            bytes[positions[10] + byte] ^= 1 << bit;
            fs::write_file(&path, &bytes).await.unwrap();
            // It is not made anew while the log is damaged.
            let _ = fs::remove_file(&path.with_extension("index")).await;
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            let read = async |offset| log.read(Offset(offset), 1, true, log.high_watermark()).await;
            assert!(read(2).await.is_ok(), "in front of it, byte {byte}");
            assert!(read(22).await.is_err(), "behind it, byte {byte} bit {bit}");
            assert!(read(2 * BATCHES - 1).await.is_ok(), "in another segment");
            assert!(!log.is_offline());
            log.append(&batch(1, 1, 1, b'm'), LeaderEpoch(9), Timestamp(1)).unwrap();
            broker.stop().await;
            fs::write_file(&path, &whole).await.unwrap();
        }
    });
}

#[test]
fn an_index_of_aborted_transactions_that_is_missing_or_garbage_is_made_anew() {
    let (world, machine) = world(67);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let (mut states, mut expected) = (ProducerStates::default(), Vec::new());
        let mut sequences = [0; 3];
        for n in 0..240 {
            broker.store.room(2000).await;
            let (id, at) = (n % 3, log.log_end());
            // Every producer ends its transaction after some batches, the third one only in a later segment.
            let made = if n % (17 + 30 * id) == 16 {
                let marker = if n % 2 == 0 { TransactionMarker::Abort } else { TransactionMarker::Commit };
                end_transaction_marker(marker, ProducerId(id), ProducerEpoch(0), 1, Timestamp(n))
            } else {
                let sequence = sequences[id as usize];
                sequences[id as usize] += 1;
                let mut builder = BatchBuilder::default().producer(ProducerId(id), ProducerEpoch(0), sequence).transactional();
                builder.push(Timestamp(n), None, Some(&[7; 900]), &[]);
                builder.finish()
            };
            let made = made.stamped(at, LeaderEpoch(1));
            expected.extend(states.record(&made).and_then(|completed| completed.aborted_transaction()));
            log.append_replayed(made.header(), made.bytes().clone(), Timestamp(1));
        }
        log.wait_durable(Offset(240)).await.unwrap();
        assert_eq!(log.aborted_transactions(Offset(0), Offset(240)).await.unwrap(), expected, "while it is written");
        broker.stop().await;
        assert!(expected.len() > 3, "{expected:?}");
        let logs = files(&[".log"]).await;
        assert!(logs.len() > 3);
        let written = files(&[".txnindex"]).await;
        assert!(written.len() > 3, "each segment's was written with it");
        for path in &written {
            fs::remove_file(path).await.unwrap();
        }
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        for (from, upto) in [(0, 240), (100, 240), (0, 20), (100, 101), (239, 240)] {
            let asked = |entry: &&AbortedTransaction| entry.first_offset.0 < upto && entry.last_offset.0 >= from;
            let answer = log.aborted_transactions(Offset(from), Offset(upto)).await.unwrap();
            assert_eq!(answer, expected.iter().filter(asked).copied().collect::<Vec<_>>(), "from {from} to {upto}");
        }
        assert!(!files(&[".txnindex"]).await.is_empty(), "they were made anew");
        broker.stop().await;
        for path in &logs {
            fs::write_file(&path.with_extension("txnindex"), &[0x11; 50]).await.unwrap();
        }
        let broker = start(small_config()).await;
        assert_eq!(broker.log(0).await.aborted_transactions(Offset(0), Offset(240)).await.unwrap(), expected);
        broker.stop().await;
    });
}

#[test]
fn foreign_files_are_left_alone() {
    let (world, machine) = world(66);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        fill(&broker).await;
        broker.stop().await;
        let foreign = ["/data/notes.txt", "/data/orders-0/notes.txt", "/data/orders-0/00000000000000000000.log.bak", "/data/backup/x"];
        fs::create_dir_all(Path::new("/data/backup")).await.unwrap();
        for path in foreign {
            fs::write_file(Path::new(path), b"somebody's").await.unwrap();
        }
        let broker = start(small_config()).await;
        assert_eq!(broker.log(0).await.log_end(), Offset(2 * BATCHES));
        broker.stop().await;
        for path in foreign {
            assert_eq!(&fs::read_file(Path::new(path), 100).await.unwrap()[..], b"somebody's");
        }
    });
}
