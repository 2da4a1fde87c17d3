//! Stories of transactional ids, told as transcripts. After each step a coordinator that loads the log knows the same as the one that wrote it.
//!
//! Apache Kafka 4.3.1 was asked the same, request by request, over its wire, for both versions, for producers that say who they are and for those
//! that take over: it gave these answers. Not asked there: time-outs, epochs that are used up, what markers are owed.

use super::metadata::{EPOCH_EXHAUSTED, NO_EPOCH};
use super::*;
use crate::types::{PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::coordinator::TransactionRecord;
use bytes::Bytes;
use std::fmt::Write as _;

const CONFIG: TransactionConfig =
    TransactionConfig { timeout_max_ms: 900_000, expiration_ms: 604_800_000, abort_interval_ms: 10_000, expiry_interval_ms: 3_600_000 };

/// A coordinator, its log, and what was said so far. All requests are of one transactional id.
struct Story {
    id: Str,
    coordinator: Transactions,
    log: Vec<(Bytes, Option<Bytes>)>,
    now: Timestamp,
    next_producer_id: i64,
    transcript: String,
}

impl Story {
    fn new() -> Story {
        Story {
            id: "tx".into(),
            coordinator: Transactions::new(CONFIG),
            log: Vec::new(),
            now: Timestamp(1_000),
            next_producer_id: 7,
            transcript: String::new(),
        }
    }

    /// A change goes to the log, then counts.
    fn accept(&mut self, change: Change) {
        self.log.push(change.to_record().encode().unwrap());
        self.coordinator.replay(change);
        let (mut loaded, mut ours) = (self.load().ids, self.coordinator.ids.clone());
        loaded.values_mut().chain(ours.values_mut()).for_each(|known| known.last_epoch = NO_EPOCH);
        assert_eq!(loaded, ours);
    }

    fn load(&self) -> Transactions {
        let mut loaded = Transactions::new(CONFIG);
        for (key, value) in &self.log {
            let record = TransactionRecord::decode(key, value.as_ref()).unwrap();
            loaded.replay(Change::of_record(record).unwrap());
        }
        loaded
    }

    fn note<R: std::fmt::Debug>(&mut self, what: &str, outcome: Outcome<R>) {
        let reply = match &outcome.reply {
            Ok(reply) => format!("{reply:?}"),
            Err(error) => format!("{error:?}"),
        };
        outcome.change.into_iter().for_each(|change| self.accept(change));
        let reply =
            reply.replace("Producer { producer_id: ProducerId(", "producer ").replace("Decided { producer_id: ProducerId(", "producer ");
        let reply = reply.replace("), epoch: ProducerEpoch(", " epoch ").replace(") }", "");
        let state =
            self.coordinator.get(&self.id).map_or("unknown".into(), |known| format!("{} epoch {}", known.state.name(), known.epoch.0));
        writeln!(self.transcript, "{what}: {reply} [{state}]").unwrap();
    }

    fn init(&mut self, expected: Option<(i64, i16)>) {
        let expected = expected.map(|(id, epoch)| (ProducerId(id), ProducerEpoch(epoch)));
        let mut ask = InitAsk { transactional_id: self.id.clone(), timeout_ms: 60_000, expected, fresh: None };
        let mut outcome = self.coordinator.init(self.now, &ask);
        if outcome.reply == Ok(InitAnswer::NeedsProducerId) {
            ask.fresh = Some(ProducerId(self.next_producer_id));
            self.next_producer_id += 1;
            outcome = self.coordinator.init(self.now, &ask);
        }
        let who = ask.expected.map_or("init".into(), |(id, epoch)| format!("init as {} {}", id.0, epoch.0));
        self.note(&who, outcome);
    }

    fn add_ask(&self, id: i64, epoch: i16, partition: i32, client_version: i16) -> AddAsk {
        AddAsk {
            transactional_id: self.id.clone(),
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            partitions: TopicPartitions::from([("sums".into(), [PartitionIndex(partition)].into())]),
            client_version,
        }
    }

    fn add(&mut self, id: i64, epoch: i16, partition: i32, client_version: i16) {
        let outcome = self.coordinator.add_partitions(self.now, &self.add_ask(id, epoch, partition, client_version));
        self.note(&format!("add sums-{partition} as {id} {epoch}"), outcome);
    }

    fn end(&mut self, id: i64, epoch: i16, committed: bool, client_version: i16) {
        let (producer_id, producer_epoch) = (ProducerId(id), ProducerEpoch(epoch));
        let transactional_id = self.id.clone();
        let mut ask = EndAsk { transactional_id, producer_id, producer_epoch, committed, client_version, fresh: None };
        let mut outcome = self.coordinator.end(self.now, &ask);
        if outcome.reply == Ok(EndAnswer::NeedsProducerId) {
            ask.fresh = Some(ProducerId(self.next_producer_id));
            self.next_producer_id += 1;
            outcome = self.coordinator.end(self.now, &ask);
        }
        self.note(&format!("{} as {id} {epoch}", if committed { "commit" } else { "abort" }), outcome);
    }

    /// Writes what is owed, as who owes it after a crash would.
    fn write_markers(&mut self) {
        assert_eq!(self.load().owed().collect::<Vec<_>>(), self.coordinator.owed().collect::<Vec<_>>());
        for markers in self.coordinator.owed().collect::<Vec<_>>() {
            let what = if markers.committed { "COMMIT" } else { "ABORT" };
            let mut places = Vec::new();
            for (topic, partitions) in &markers.partitions {
                assert_eq!(self.coordinator.marked(&self.id, self.now), None, "a marker is owed still");
                for partition in partitions {
                    self.coordinator.note_marker(&markers, topic, *partition);
                    places.push(format!("{topic}-{}", partition.0));
                }
            }
            let change = self.coordinator.marked(&self.id, self.now).expect("all are written");
            let reply = Ok(places);
            let who = format!("markers {what} of {} {}", markers.producer_id.0, markers.epoch.0);
            self.note(&who, Outcome { change: Some(change), reply });
        }
        assert_eq!(self.coordinator.owed().count(), 0);
    }

    fn let_time_out(&mut self) {
        for change in self.coordinator.timed_out(self.now) {
            self.note("timed out", Outcome { change: Some(change), reply: Ok(()) });
        }
    }

    fn is(&self, transcript: &str) {
        let lines = |text: &str| text.trim().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(lines(&self.transcript), lines(transcript), "{}", self.transcript);
    }
}

#[test]
fn version_1_commits_and_aborts_with_one_epoch() {
    let mut story = Story::new();
    story.init(None);
    story.end(7, 0, true, 0);
    story.add(7, 0, 0, 0);
    story.add(7, 0, 0, 0);
    story.add(7, 0, 1, 0);
    story.end(7, 0, true, 0);
    story.add(7, 0, 2, 0);
    story.end(7, 0, true, 0);
    story.end(7, 0, false, 0);
    story.write_markers();
    story.end(7, 0, true, 0);
    story.end(7, 0, false, 0);
    story.add(7, 0, 2, 0);
    story.end(7, 0, false, 0);
    story.write_markers();
    story.end(7, 0, false, 0);
    story.init(None);
    story.is("
        init: producer 7 epoch 0 [Empty epoch 0]
        commit as 7 0: InvalidTxnState [Empty epoch 0]
        add sums-0 as 7 0: () [Ongoing epoch 0]
        add sums-0 as 7 0: () [Ongoing epoch 0]
        add sums-1 as 7 0: () [Ongoing epoch 0]
        commit as 7 0: producer 7 epoch 0 [PrepareCommit epoch 0]
        add sums-2 as 7 0: ConcurrentTransactions [PrepareCommit epoch 0]
        commit as 7 0: ConcurrentTransactions [PrepareCommit epoch 0]
        abort as 7 0: InvalidTxnState [PrepareCommit epoch 0]
        markers COMMIT of 7 0: [\"sums-0\", \"sums-1\"] [CompleteCommit epoch 0]
        commit as 7 0: producer 7 epoch 0 [CompleteCommit epoch 0]
        abort as 7 0: InvalidTxnState [CompleteCommit epoch 0]
        add sums-2 as 7 0: () [Ongoing epoch 0]
        abort as 7 0: producer 7 epoch 0 [PrepareAbort epoch 0]
        markers ABORT of 7 0: [\"sums-2\"] [CompleteAbort epoch 0]
        abort as 7 0: producer 7 epoch 0 [CompleteAbort epoch 0]
        init: producer 7 epoch 1 [Empty epoch 1]
    ");
}

#[test]
fn version_2_has_an_epoch_for_each_transaction() {
    let mut story = Story::new();
    story.init(None);
    story.end(7, 0, true, 2);
    story.end(7, 0, false, 2);
    story.write_markers();
    story.end(7, 0, false, 2);
    story.end(7, 1, false, 2);
    story.write_markers();
    story.end(7, 2, true, 2);
    story.add(7, 2, 0, 2);
    story.end(7, 1, false, 2);
    story.end(7, 2, true, 2);
    story.end(7, 2, true, 2);
    story.end(7, 2, false, 2);
    story.end(7, 3, true, 2);
    story.write_markers();
    story.end(7, 2, true, 2);
    story.end(7, 2, false, 2);
    story.end(7, 3, true, 2);
    story.add(7, 2, 0, 2);
    story.add(7, 3, 0, 2);
    story.is("
        init: producer 7 epoch 0 [Empty epoch 0]
        commit as 7 0: InvalidTxnState [Empty epoch 0]
        abort as 7 0: producer 7 epoch 1 [PrepareAbort epoch 1]
        markers ABORT of 7 1: [] [CompleteAbort epoch 1]
        abort as 7 0: producer 7 epoch 1 [CompleteAbort epoch 1]
        abort as 7 1: producer 7 epoch 2 [PrepareAbort epoch 2]
        markers ABORT of 7 2: [] [CompleteAbort epoch 2]
        commit as 7 2: InvalidTxnState [CompleteAbort epoch 2]
        add sums-0 as 7 2: () [Ongoing epoch 2]
        abort as 7 1: ProducerFenced [Ongoing epoch 2]
        commit as 7 2: producer 7 epoch 3 [PrepareCommit epoch 3]
        commit as 7 2: ConcurrentTransactions [PrepareCommit epoch 3]
        abort as 7 2: InvalidTxnState [PrepareCommit epoch 3]
        commit as 7 3: ProducerFenced [PrepareCommit epoch 3]
        markers COMMIT of 7 3: [\"sums-0\"] [CompleteCommit epoch 3]
        commit as 7 2: producer 7 epoch 3 [CompleteCommit epoch 3]
        abort as 7 2: InvalidTxnState [CompleteCommit epoch 3]
        commit as 7 3: InvalidTxnState [CompleteCommit epoch 3]
        add sums-0 as 7 2: ProducerFenced [CompleteCommit epoch 3]
        add sums-0 as 7 3: () [Ongoing epoch 3]
    ");
}

#[test]
fn a_new_instance_aborts_what_the_old_one_left_open_and_fences_it() {
    for client_version in [0, 2] {
        let mut story = Story::new();
        story.init(None);
        story.add(7, 0, 0, client_version);
        story.init(None);
        story.init(None);
        story.write_markers();
        story.init(None);
        story.add(7, 0, 0, client_version);
        story.end(7, 0, true, client_version);
        story.add(8, 2, 0, client_version);
        story.end(8, 2, true, client_version);
        story.is("
            init: producer 7 epoch 0 [Empty epoch 0]
            add sums-0 as 7 0: () [Ongoing epoch 0]
            init: ConcurrentTransactions [PrepareAbort epoch 1]
            init: ConcurrentTransactions [PrepareAbort epoch 1]
            markers ABORT of 7 1: [\"sums-0\"] [CompleteAbort epoch 1]
            init: producer 7 epoch 2 [Empty epoch 2]
            add sums-0 as 7 0: ProducerFenced [Empty epoch 2]
            commit as 7 0: ProducerFenced [Empty epoch 2]
            add sums-0 as 8 2: InvalidProducerIdMapping [Empty epoch 2]
            commit as 8 2: InvalidProducerIdMapping [Empty epoch 2]
        ");
    }
}

#[test]
fn a_producer_that_says_who_it_is_gets_the_next_epoch_once() {
    let mut story = Story::new();
    story.init(None);
    story.init(Some((7, 0)));
    story.init(Some((7, 0)));
    story.init(Some((7, 1)));
    story.init(Some((7, 0)));
    story.init(Some((8, 2)));
    // Another instance takes over: the one before is no retry of it.
    story.init(None);
    story.init(Some((7, 2)));
    story.is("
        init: producer 7 epoch 0 [Empty epoch 0]
        init as 7 0: producer 7 epoch 1 [Empty epoch 1]
        init as 7 0: producer 7 epoch 1 [Empty epoch 1]
        init as 7 1: producer 7 epoch 2 [Empty epoch 2]
        init as 7 0: ProducerFenced [Empty epoch 2]
        init as 8 2: ProducerFenced [Empty epoch 2]
        init: producer 7 epoch 3 [Empty epoch 3]
        init as 7 2: ProducerFenced [Empty epoch 3]
    ");
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let mut story = Story::new();
    story.init(None);
    story.add(7, 0, 0, 2);
    assert_eq!(story.coordinator.next_deadline(), Some(Timestamp(61_001)));
    story.now = Timestamp(61_000);
    story.let_time_out();
    story.add(7, 0, 1, 2);
    story.now = Timestamp(61_001);
    story.let_time_out();
    assert_eq!(story.coordinator.next_deadline(), None);
    story.end(7, 0, true, 2);
    story.write_markers();
    story.let_time_out();
    story.end(7, 0, true, 2);
    story.end(7, 0, false, 2);
    story.init(Some((7, 1)));
    story.is("
        init: producer 7 epoch 0 [Empty epoch 0]
        add sums-0 as 7 0: () [Ongoing epoch 0]
        add sums-1 as 7 0: () [Ongoing epoch 0]
        timed out: () [PrepareAbort epoch 1]
        commit as 7 0: InvalidTxnState [PrepareAbort epoch 1]
        markers ABORT of 7 1: [\"sums-0\", \"sums-1\"] [CompleteAbort epoch 1]
        commit as 7 0: InvalidTxnState [CompleteAbort epoch 1]
        abort as 7 0: producer 7 epoch 1 [CompleteAbort epoch 1]
        init as 7 1: producer 7 epoch 2 [Empty epoch 2]
    ");
}

impl Story {
    /// As if all epochs but these were used.
    fn skip_to(&mut self, epoch: i16) {
        let mut metadata = self.coordinator.get(&self.id).unwrap().clone();
        metadata.epoch = ProducerEpoch(epoch);
        self.accept(Change { transactional_id: self.id.clone(), metadata: Some(metadata) });
    }
}

#[test]
fn when_epochs_are_used_up_a_new_producer_id_follows() {
    let last = EPOCH_EXHAUSTED.0;
    let mut story = Story::new();
    story.init(None);
    story.skip_to(last - 1);
    story.init(Some((7, last - 1)));
    story.init(Some((7, last)));
    story.init(Some((7, last)));
    story.skip_to(last);
    story.add(8, last, 0, 2);
    story.end(8, last, true, 2);
    story.end(8, last, true, 2);
    story.write_markers();
    story.end(8, last, true, 2);
    story.end(8, last, false, 2);
    story.add(9, 0, 0, 2);
    story.end(8, last, true, 2);
    // What is left open with the last epoch is fenced with the largest, and the next is another producer id's.
    story.skip_to(last);
    story.init(None);
    story.write_markers();
    story.init(None);
    story.is("
        init: producer 7 epoch 0 [Empty epoch 0]
        init as 7 32765: producer 7 epoch 32766 [Empty epoch 32766]
        init as 7 32766: producer 8 epoch 0 [Empty epoch 0]
        init as 7 32766: producer 8 epoch 0 [Empty epoch 0]
        add sums-0 as 8 32766: () [Ongoing epoch 32766]
        commit as 8 32766: producer 9 epoch 0 [PrepareCommit epoch 32767]
        commit as 8 32766: ConcurrentTransactions [PrepareCommit epoch 32767]
        markers COMMIT of 8 32767: [\"sums-0\"] [CompleteCommit epoch 0]
        commit as 8 32766: producer 9 epoch 0 [CompleteCommit epoch 0]
        abort as 8 32766: InvalidTxnState [CompleteCommit epoch 0]
        add sums-0 as 9 0: () [Ongoing epoch 0]
        commit as 8 32766: InvalidProducerIdMapping [Ongoing epoch 0]
        init: ConcurrentTransactions [PrepareAbort epoch 32767]
        markers ABORT of 9 32767: [\"sums-0\"] [CompleteAbort epoch 32767]
        init: producer 10 epoch 0 [Empty epoch 0]
    ");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut story = Story::new();
    let ask = |id: &str, timeout_ms| InitAsk { transactional_id: id.into(), timeout_ms, expected: None, fresh: Some(ProducerId(1)) };
    let refused = |story: &Story, ask| story.coordinator.init(story.now, &ask).reply.unwrap_err();
    assert_eq!(refused(&story, ask("", 1)), ErrorCode::InvalidRequest);
    for timeout_ms in [0, -1, 900_001, i32::MAX] {
        assert_eq!(refused(&story, ask("tx", timeout_ms)), ErrorCode::InvalidTransactionTimeout, "{timeout_ms}");
    }
    story.add(7, 0, 0, 0);
    story.end(7, 0, true, 0);
    story.id = "".into();
    story.add(7, 0, 0, 0);
    story.end(7, 0, true, 2);
    story.is("
        add sums-0 as 7 0: InvalidProducerIdMapping [unknown]
        commit as 7 0: InvalidProducerIdMapping [unknown]
        add sums-0 as 7 0: InvalidRequest [unknown]
        commit as 7 0: InvalidRequest [unknown]
    ");
    assert!(story.log.is_empty() && story.coordinator.is_empty());
}

#[test]
fn a_partitions_leader_is_told_what_is_in_the_open_transaction() {
    let mut story = Story::new();
    story.init(None);
    let verdict = |story: &Story, partition| match story.coordinator.verify_partitions(&story.add_ask(7, 0, partition, 0)) {
        Ok(verdicts) => verdicts[0].2,
        Err(error) => error,
    };
    assert_eq!(verdict(&story, 0), ErrorCode::TransactionAbortable);
    story.add(7, 0, 0, 0);
    assert_eq!((verdict(&story, 0), verdict(&story, 1)), (ErrorCode::None, ErrorCode::TransactionAbortable));
    story.end(7, 0, true, 0);
    assert_eq!(verdict(&story, 0), ErrorCode::ConcurrentTransactions);
    story.write_markers();
    assert_eq!(verdict(&story, 0), ErrorCode::TransactionAbortable);
    story.init(None);
    assert_eq!(verdict(&story, 0), ErrorCode::ProducerFenced);
}

#[test]
fn markers_of_an_end_before_complete_nothing() {
    let mut story = Story::new();
    story.init(None);
    story.add(7, 0, 0, 0);
    story.end(7, 0, true, 0);
    let before = story.coordinator.owed_of("tx").unwrap();
    story.write_markers();
    story.init(None);
    story.add(7, 1, 0, 0);
    story.coordinator.note_marker(&before, "sums", PartitionIndex(0));
    story.end(7, 1, false, 0);
    story.coordinator.note_marker(&before, "sums", PartitionIndex(0));
    assert_eq!(story.coordinator.marked("tx", story.now), None);
    story.write_markers();
    assert_eq!(story.coordinator.get("tx").unwrap().state, TransactionState::CompleteAbort);
}

#[test]
fn ids_that_nobody_uses_are_forgotten_but_never_an_open_transaction() {
    let mut story = Story::new();
    story.init(None);
    story.now = Timestamp(1_000 + CONFIG.expiration_ms - 1);
    assert_eq!(story.coordinator.expired(story.now), []);
    story.now = Timestamp(1_000 + CONFIG.expiration_ms);
    let expired = story.coordinator.expired(story.now);
    assert_eq!(expired, [Change { transactional_id: "tx".into(), metadata: None }]);
    story.add(7, 0, 0, 0);
    story.now = Timestamp(i64::MAX);
    assert_eq!(story.coordinator.expired(story.now), []);
    story.accept(expired[0].clone());
    assert!(story.coordinator.is_empty() && story.load().is_empty());
    assert_eq!(story.coordinator.next_deadline(), None);
}

#[test]
fn admins_see_states_ages_and_partitions() {
    let mut story = Story::new();
    story.init(None);
    story.now = Timestamp(2_000);
    story.add(7, 0, 3, 0);
    let described = story.coordinator.describe(&"tx".into());
    assert_eq!(
        (&*described.transaction_state, described.transaction_start_time_ms, described.transaction_timeout_ms),
        ("Ongoing", 2_000, 60_000)
    );
    assert_eq!((&*described.topics[0].topic, &described.topics[0].partitions[..]), ("sums", &[PartitionIndex(3)][..]));
    assert_eq!(story.coordinator.describe(&"other".into()).error_code, ErrorCode::TransactionalIdNotFound);
    assert_eq!(story.coordinator.describe(&"".into()).error_code, ErrorCode::InvalidRequest);

    let list = |states: &[&'static str], producers: &[i64], duration_ms| {
        let states: Vec<Str> = states.iter().map(|name| Str::from_static(name)).collect();
        let producers: Vec<ProducerId> = producers.iter().map(|id| ProducerId(*id)).collect();
        story.coordinator.list(Timestamp(2_500), &states, &producers, duration_ms).len()
    };
    assert_eq!([list(&[], &[], -1), list(&["Ongoing"], &[7], 499), list(&["Empty", "Ongoing"], &[1, 7], 0)], [1, 1, 1]);
    assert_eq!([list(&["Empty"], &[], -1), list(&["NoState"], &[], -1), list(&[], &[8], -1), list(&[], &[], 500)], [0, 0, 0, 0]);
}

/// What Apache Kafka 4.3.1 wrote to `__transaction_state` while a producer left a transaction open, another took over with a new epoch and
/// committed: when, and the value. All by version 2.
const KAFKAS: &[(i64, &str)] = &[
    (0x1a205943be4, "0001000000000000000200000000ea600000000001a205943be4ffffffffffffffff0100080000000000000002"),
    (
        0x1a205943d03,
        "0001000000000000000200000000ea6001020573756d73020000000000000001a205943d03000001a205943d03020008000000000000000202020002",
    ),
    (
        0x1a205943e95,
        "0001000000000000000200010000ea6003020573756d73020000000000000001a205943e95000001a205943d03020008000000000000000202020002",
    ),
    (0x1a205943e97, "0001000000000000000200010000ea600501000001a205943e97000001a205943d03020008000000000000000202020002"),
    (0x1a205944007, "0001000000000000000200020000ea600000000001a205944007ffffffffffffffff020008000000000000000202020002"),
    (
        0x1a205944153,
        "0001000000000000000200020000ea6001020573756d73020000000000000001a205944153000001a205944153020008000000000000000202020002",
    ),
    (
        0x1a205944183,
        "0001000000000000000200030000ea6002020573756d73020000000000000001a205944183000001a205944153020008000000000000000202020002",
    ),
    (0x1a205944184, "0001000000000000000200030000ea600401000001a205944184000001a205944153020008000000000000000202020002"),
];

#[test]
fn the_log_is_what_kafka_writes() {
    let mut story = Story::new();
    story.id = "tx-2".into();
    story.next_producer_id = 2;
    let steps: [&dyn Fn(&mut Story); 8] = [
        &|story| story.init(None),
        &|story| story.add(2, 0, 0, 2),
        &|story| story.init(None),
        &|story| story.write_markers(),
        &|story| story.init(None),
        &|story| story.add(2, 2, 0, 2),
        &|story| story.end(2, 2, true, 2),
        &|story| story.write_markers(),
    ];
    for (step, (at, _)) in steps.iter().zip(KAFKAS) {
        story.now = Timestamp(*at);
        step(&mut story);
    }
    let hex = |bytes: &Bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written: Vec<String> = story.log.iter().map(|(_, value)| hex(value.as_ref().unwrap())).collect();
    let kafkas: Vec<&str> = KAFKAS.iter().map(|(_, value)| *value).collect();
    assert_eq!(written, kafkas);
}
