//! The driver with a machine of a few lines: counts by name, each change a record.

use super::*;
use crate::coordinator::machine::{Effects, Position, Token, Turn};
use crate::log::tests::{Broker, append, batch, read_all, small_config, start, topic_id, world};
use crate::rt::sim::{Control, DiskFaults, Machine, for_each_seed};
use crate::rt::{now, random_u64, sleep};
use crate::types::{Offset, PartitionIndex, ProducerId, Timestamp};
use crate::wire::EncodeError;
use crate::wire::coordinator::{KeyAndValue, RecordError};
use crate::wire::records::{BatchBuilder, Codec};
use bytes::Bytes;
use std::time::Duration;

/// A key that its machine cannot read.
const DAMAGED: u8 = 255;

/// The machine: what was counted, and what its timers did.
#[derive(Default)]
struct Counts {
    by_name: BTreeMap<u8, u64>,
    /// When it counts one of name 0 by itself.
    alarm: Option<u64>,
    /// As peers sent it.
    kept: u64,
    budget_seen: u64,
}

enum Ask {
    /// One more of a name: the count, when it is durable.
    Add(u8),
    /// The count, when what it tells of is durable; and as it is now.
    Read(u8),
    Peek(u8),
    /// A record of so many bytes.
    Huge(usize),
    /// Counts one of name 0 in so many ms.
    Alarm(u64),
    /// Keeps so many bytes if there is room for them.
    Keep(u64),
}

#[derive(Clone)]
struct Count {
    name: u8,
    count: u64,
    padding: usize,
}

impl StateMachine for Counts {
    type Config = ();
    type Request = Ask;
    type Response = u64;
    type Record = Count;
    type Purpose = Option<(Token, u8)>;

    fn new((): ()) -> Counts {
        Counts::default()
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Count>, RecordError> {
        let count = value.and_then(|value| value.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        match key.first() {
            Some(&DAMAGED) => Err(RecordError::UnknownVersion { key_type: 0, version: 0 }),
            name => Ok(name.map(|name| Count { name: *name, count, padding: 0 })),
        }
    }

    fn encode(record: &Count) -> Result<KeyAndValue, EncodeError> {
        let mut value = record.count.to_be_bytes().to_vec();
        value.resize(8 + record.padding, 0);
        Ok((Bytes::copy_from_slice(&[record.name]), Some(value.into())))
    }

    fn replay(&mut self, _: Position, record: Count) {
        self.by_name.insert(record.name, record.count);
    }

    fn end_transaction(&mut self, _: ProducerId, _: bool) {}

    fn loaded(&mut self, _: &mut Turn, _: &mut Effects<Counts>) {}

    fn handle(&mut self, turn: &mut Turn, token: Token, ask: Ask, effects: &mut Effects<Counts>) {
        let count = |name: u8| self.by_name.get(&name).copied().unwrap_or(0);
        match ask {
            Ask::Add(name) => effects.write(vec![Count { name, count: count(name) + 1, padding: 0 }], Some((token, name))),
            Ask::Huge(padding) => effects.write(vec![Count { name: 9, count: 1, padding }], Some((token, 9))),
            Ask::Read(name) => effects.reply_durable(token, Ok(count(name))),
            Ask::Peek(name) => effects.reply(token, Ok(count(name))),
            Ask::Alarm(ms) => {
                self.alarm = Some(turn.now + ms);
                effects.reply(token, Ok(0));
            }
            Ask::Keep(bytes) => {
                self.budget_seen = turn.bytes_free;
                let fits = turn.bytes_free >= bytes;
                self.kept += if fits { bytes } else { 0 };
                effects.reply(token, if fits { Ok(self.kept) } else { Err(ErrorCode::CoordinatorNotAvailable) });
            }
        }
    }

    fn written(&mut self, _: &mut Turn, purpose: Option<(Token, u8)>, effects: &mut Effects<Counts>) {
        if let Some((token, name)) = purpose {
            effects.reply_durable(token, Ok(self.by_name[&name]));
        }
    }

    fn refused(&mut self, _: &mut Turn, purpose: Option<(Token, u8)>, error: ErrorCode, effects: &mut Effects<Counts>) {
        if let Some((token, _)) = purpose {
            effects.reply(token, Err(error));
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        self.alarm
    }

    fn fire(&mut self, turn: &mut Turn, effects: &mut Effects<Counts>) {
        if self.alarm.take_if(|at| *at <= turn.now).is_some() {
            effects.write(vec![Count { name: 0, count: self.by_name.get(&0).copied().unwrap_or(0) + 1, padding: 0 }], None);
        }
    }

    fn bytes(&self) -> u64 {
        self.kept
    }
}

/// A host with the machine of one partition, taken and not yet loaded.
struct Stage {
    broker: Broker,
    host: Rc<Host<Counts>>,
    log: Rc<PartitionLog>,
}

fn id(partition: i32) -> TopicPartitionId {
    TopicPartitionId { topic_id: topic_id(), partition: PartitionIndex(partition) }
}

async fn stage() -> Stage {
    let broker = start(small_config()).await;
    let settings = HostSettings { load_bytes: 1000, compression: Compression::of(Codec::None), bytes_max: 1000 };
    let host = Host::new((), settings);
    host.use_store(&broker.store);
    let log = broker.log(0).await;
    host.take(&log, LeaderEpoch(3));
    Stage { broker, host, log }
}

impl Stage {
    async fn ask(&self, ask: Ask) -> Answer<Counts> {
        self.host.ask(id(0), ask).await
    }

    /// Asks in a task of its own; what was answered, once it is.
    fn ask_beside(&self, ask: Ask) -> Rc<Cell<Option<Answer<Counts>>>> {
        let (host, answered) = (Rc::clone(&self.host), Rc::new(Cell::new(None)));
        let to = Rc::clone(&answered);
        spawn(Queue::Foreground, async move { to.set(Some(host.ask(id(0), ask).await)) });
        answered
    }

    async fn live(self) -> Stage {
        while self.ask(Ask::Peek(0)).await == Err(ErrorCode::CoordinatorLoadInProgress) {
            sleep(Duration::from_micros(50)).await;
        }
        self
    }

    fn load_again(&self) {
        self.host.give_up(id(0));
        self.host.take(&self.log, LeaderEpoch(3));
    }
}

fn on_stage<F: Future<Output = ()> + 'static>(seed: u64, story: impl FnOnce(Stage, Control, Machine) -> F + 'static) {
    let (world, machine) = world(seed);
    let control = world.control();
    world.block_on(machine, async move { story(stage().await, control, machine).await });
}

#[test]
fn memory_changes_at_once_and_only_what_is_durable_is_told() {
    on_stage(1, |stage, _, _| async move {
        let stage = stage.live().await;
        let (added, read, peeked) = (stage.ask_beside(Ask::Add(7)), stage.ask_beside(Ask::Read(7)), stage.ask_beside(Ask::Peek(7)));
        while stage.log.log_end() == Offset(0) {
            crate::rt::yield_now().await;
        }
        // The batch is in the log, and nothing of it on the disk.
        let mut seen = None;
        stage.host.visit(|machine| seen = machine.by_name.get(&7).copied());
        assert_eq!((seen, added.take(), peeked.take()), (Some(1), None, Some(Ok(1))));
        assert_eq!(stage.log.high_watermark(), Offset(0));
        while stage.log.high_watermark() == Offset(0) {
            assert_eq!(read.take(), None, "it tells of what a crash could take back");
            crate::rt::yield_now().await;
        }
        sleep(Duration::from_millis(1)).await;
        assert_eq!((added.take(), read.take()), (Some(Ok(1)), Some(Ok(1))));
    });
}

#[test]
fn what_comes_in_one_moment_is_one_batch_and_one_write() {
    on_stage(2, |stage, _, _| async move {
        let stage = stage.live().await;
        let writes_before = stage.broker.store.stats().journal_frames;
        let answers: Vec<_> = (0..500).map(|n| stage.ask_beside(Ask::Add(n as u8 % 50))).collect();
        sleep(Duration::from_millis(50)).await;
        assert!(answers.iter().all(|answer| answer.take().is_some_and(|answer| answer.is_ok())));
        let batches = read_all(&stage.log, Offset(0), 1 << 20).await;
        assert_eq!(batches.iter().map(|batch| batch.count).sum::<i32>(), 500);
        // Tasks start in any order within two rounds.
        assert!(batches.len() <= 3, "{} batches", batches.len());
        let writes = stage.broker.store.stats().journal_frames - writes_before;
        assert!(writes <= 6, "{writes} writes for 500 requests");
    });
}

#[test]
fn who_asks_while_it_loads_is_told_so_and_finds_everything_later() {
    on_stage(3, |stage, _, _| async move {
        let stage = stage.live().await;
        for n in 0..200 {
            assert_eq!(stage.ask(Ask::Add(n as u8 % 4)).await, Ok(n / 4 + 1));
        }
        stage.load_again();
        assert_eq!(stage.ask(Ask::Read(0)).await, Err(ErrorCode::CoordinatorLoadInProgress));
        assert_eq!(stage.host.readings(), HostReadings { partitions: 1, partitions_loading: 1, bytes: 0 });
        // A load that is given up, as when the partition moves on at once, leaves the next one alone.
        stage.load_again();
        let stage = stage.live().await;
        assert_eq!(stage.host.readings().partitions_loading, 0);
        for name in 0..4 {
            assert_eq!(stage.ask(Ask::Read(name)).await, Ok(50));
        }
        stage.host.stop();
        assert_eq!(stage.ask(Ask::Read(0)).await, Err(ErrorCode::NotCoordinator));
    });
}

#[test]
fn what_is_no_record_of_its_own_is_passed_over_and_what_is_damaged_ends_it() {
    on_stage(4, |stage, _, _| async move {
        let stage = stage.live().await;
        assert_eq!(stage.ask(Ask::Add(1)).await, Ok(1));
        // A record without a key is no machine's: it is passed over.
        let end = append(&stage.log, &batch(1000, 1, 10, b'x'));
        stage.log.wait_durable(end).await.expect("durable");
        stage.load_again();
        let stage = stage.live().await;
        assert_eq!(stage.ask(Ask::Read(1)).await, Ok(1));
        let mut damaged = BatchBuilder::default();
        damaged.push(Timestamp(1000), Some(&[DAMAGED]), None, &[]);
        let end = append(&stage.log, &damaged.finish().into_bytes());
        stage.log.wait_durable(end).await.expect("durable");
        stage.load_again();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.ask(Ask::Read(1)).await, Err(ErrorCode::NotCoordinator));
        assert_eq!(stage.host.readings().partitions_loading, 0, "it is not tried again and again");
    });
}

#[test]
fn a_refused_write_changes_nothing() {
    on_stage(5, |stage, _, _| async move {
        let stage = stage.live().await;
        assert_eq!(stage.ask(Ask::Add(9)).await, Ok(1));
        assert_eq!(stage.ask(Ask::Huge(crate::config::limits::COORDINATOR_WRITE_BYTES_MAX)).await, Err(ErrorCode::UnknownServerError));
        assert_eq!((stage.log.log_end(), stage.ask(Ask::Read(9)).await), (Offset(1), Ok(1)));
        assert_eq!(stage.ask(Ask::Add(9)).await, Ok(2));
    });
}

#[test]
fn who_waits_when_the_partition_leaves_is_told_and_what_was_told_before_stays() {
    let _ = for_each_seed(20, |seed| {
        on_stage(seed, |stage, _, _| async move {
            let stage = stage.live().await;
            let mut told = 0;
            for _ in 0..10 {
                let answers: Vec<_> = (0..20).map(|_| stage.ask_beside(Ask::Add(1))).collect();
                sleep(Duration::from_micros(random_u64() % 1000)).await;
                stage.host.give_up(id(0));
                sleep(Duration::from_millis(20)).await;
                for answer in answers {
                    match answer.take().expect("everybody is answered") {
                        Ok(count) => told = told.max(count),
                        Err(error) => assert_eq!(error, ErrorCode::NotCoordinator),
                    }
                }
                stage.host.take(&stage.log, LeaderEpoch(3));
                while stage.ask(Ask::Peek(1)).await == Err(ErrorCode::CoordinatorLoadInProgress) {
                    sleep(Duration::from_micros(50)).await;
                }
                let found = stage.ask(Ask::Read(1)).await.expect("a count");
                assert!(found >= told, "{found} of {told} are there");
                assert_eq!(found, stage.log.log_end().0 as u64, "as many as there are records");
                told = found;
            }
        });
    });
}

#[test]
fn durable_replies_go_in_the_order_of_their_requests() {
    let _ = for_each_seed(20, |seed| {
        on_stage(seed, |stage, _, _| async move {
            let stage = stage.live().await;
            let order: Rc<RefCell<Vec<u64>>> = Rc::default();
            for _ in 0..300 {
                let (host, order) = (Rc::clone(&stage.host), Rc::clone(&order));
                spawn(Queue::Foreground, async move {
                    let count = host.ask(id(0), Ask::Add(1)).await.expect("a count");
                    order.borrow_mut().push(count);
                });
                if random_u64().is_multiple_of(4) {
                    sleep(Duration::from_micros(random_u64() % 300)).await;
                }
            }
            sleep(Duration::from_millis(100)).await;
            // Tasks that are woken in one moment run in any order, those of different flushes do not.
            let order = order.borrow();
            let late = order.windows(2).filter(|pair| pair[1] + 100 < pair[0]).count();
            assert_eq!((order.len(), late), (300, 0), "{order:?}");
        });
    });
}

#[test]
fn after_a_failed_write_it_begins_anew_or_is_gone_with_its_directory() {
    on_stage(6, |stage, world, machine| async move {
        let stage = stage.live().await;
        assert_eq!(stage.ask(Ask::Add(1)).await, Ok(1));
        world.set_disk_faults(machine, DiskFaults { write_error_one_in: 1, ..DiskFaults::default() });
        let added = stage.ask(Ask::Add(1)).await;
        assert!(matches!(added, Err(ErrorCode::NotCoordinator)), "{added:?}");
        assert!(stage.log.is_offline());
        assert_eq!(stage.ask(Ask::Read(1)).await, Err(ErrorCode::NotCoordinator), "memory was ahead of the log: it is dropped");
    });
}

#[test]
fn its_time_comes_also_when_it_is_sooner_than_what_it_slept_for() {
    on_stage(7, |stage, _, _| async move {
        let stage = stage.live().await;
        stage.ask(Ask::Alarm(60_000)).await.expect("set");
        sleep(Duration::from_secs(1)).await;
        let began = now();
        stage.ask(Ask::Alarm(500)).await.expect("set");
        while stage.ask(Ask::Read(0)).await == Ok(0) {
            sleep(Duration::from_millis(5)).await;
        }
        let took = (now().0 - began.0) / 1_000_000;
        assert!((499..600).contains(&took), "{took} ms of virtual time");
        sleep(Duration::from_secs(100)).await;
        assert_eq!(stage.ask(Ask::Read(0)).await, Ok(1), "it was set anew, not twice");
    });
}

#[test]
fn all_machines_of_a_host_share_one_budget() {
    on_stage(8, |stage, _, _| async move {
        let stage = stage.live().await;
        let other = stage.broker.log(1).await;
        stage.host.take(&other, LeaderEpoch(3));
        while stage.host.ask(id(1), Ask::Peek(0)).await.is_err() {
            sleep(Duration::from_micros(50)).await;
        }
        assert_eq!(stage.ask(Ask::Keep(600)).await, Ok(600));
        assert_eq!(stage.host.ask(id(1), Ask::Keep(500)).await, Err(ErrorCode::CoordinatorNotAvailable));
        assert_eq!(stage.host.ask(id(1), Ask::Keep(400)).await, Ok(400));
        assert_eq!((stage.ask(Ask::Keep(1)).await, stage.host.readings().bytes), (Err(ErrorCode::CoordinatorNotAvailable), 1000));
        // What leaves takes nothing with it.
        stage.host.give_up(id(1));
        assert_eq!((stage.ask(Ask::Keep(400)).await, stage.host.readings().bytes), (Ok(1000), 1000));
        let mut seen = 0;
        stage.host.visit(|machine| seen = machine.budget_seen);
        assert_eq!(seen, 400);
    });
}
