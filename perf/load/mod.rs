//! The load engine: any number of producers and consumers over the raw protocol, open or closed loop, and what the broker did meanwhile.
//!
//! A few threads serve all connections by epoll, and requests are made before the clock starts, since the load shares the machine with the
//! broker: what it took itself is in its results, too. The main thread only watches. Start reading at [`run`], then `driver.rs`.

pub mod arguments;
pub mod batches;
mod chill;
mod connection;
mod consumer;
mod driver;
mod producer;
mod schedule;
pub mod tally;
mod topic;
mod watch;

pub use schedule::Phase;
pub use topic::prepare;
pub use watch::Watched;

#[cfg(test)]
mod tests;

use crate::Result;
use crate::client::Client;
use crate::results::outcome::{Outcome, Seen};
use arguments::{From, Load};
use batches::{Identity, Pool, Template};
use connection::Connection;
use consumer::{AtEnd, Consumer, FetchSize, Position, Reading};
use driver::{Driver, Role, Shared};
use producer::Producer;
use ringmill::types::{ErrorCode, Offset};
use ringmill::wire::api::init_producer_id::InitProducerIdRequest;
use schedule::{Pace, Schedule};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};
use tally::Tally;
use topic::Leader;

/// Between the threads' making and the first request.
const HEAD_START: Duration = Duration::from_millis(50);
const INIT_PRODUCER_ID_VERSION: i16 = 4;
/// A broker that has just been started has its coordinators by then.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Connections of one kind before they have a schedule.
type Unscheduled<'a> = Vec<Box<dyn FnOnce(Schedule) -> Role<'a> + 'a>>;
type Running<'scope> = ScopedJoinHandle<'scope, Result<Tally>>;

/// Loads the broker as asked and tells what was seen.
pub fn run(load: &Load) -> Result<Outcome> {
    load.check()?;
    let shared = Shared::default();
    let rewound = || load.data.as_deref().map_or(Ok(()), |data| chill::chill(data, topic::COLD));
    let leaders = topic::prepare(load)?;
    let producers = producers(load, &leaders)?;
    let consumers = consumers(load, &leaders, &shared)?;
    let readers = if load.catch_up > 0 { readers(load, &shared, &rewound)? } else { Vec::new() };
    if load.catch_up > 0 {
        rewound()?;
    }
    let schedule = Schedule::new(load, Instant::now() + HEAD_START);
    thread::scope(|scope| {
        let producing = spawn(scope, producers, load.threads, schedule, &shared)?;
        let consuming = spawn(scope, consumers, load.threads, schedule, &shared)?;
        let reading = spawn(scope, readers, 1, schedule, &shared)?;
        let through = || load.once && consuming.iter().all(ScopedJoinHandle::is_finished);
        let watched = watch::watch(load, &schedule, &shared, through);
        let produced = joined(producing, schedule);
        shared.produced.store(true, Relaxed);
        let (consumed, read) = (joined(consuming, schedule), joined(reading, schedule));
        let unreceived = shared.stamped.load(Relaxed).saturating_sub(shared.seen.load(Relaxed));
        let seen = Seen { produced: produced?, consumed: consumed?, read: read?, unreceived, watched: watched? };
        Outcome::of(load, seen)
    })
}

/// Starts threads, each with its share of the connections.
fn spawn<'scope, 'env: 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    connections: Unscheduled<'env>,
    threads: usize,
    schedule: Schedule,
    shared: &'env Shared,
) -> Result<Vec<Running<'scope>>> {
    let mut shares: Vec<Vec<Role<'env>>> = (0..threads.min(connections.len())).map(|_| Vec::new()).collect();
    let count = shares.len();
    for (index, connection) in connections.into_iter().enumerate() {
        shares[index % count].push(connection(schedule));
    }
    let start = |roles| {
        let driver = Driver::new(roles, schedule, shared)?;
        Ok(scope.spawn(move || driver.run()))
    };
    shares.into_iter().map(start).collect()
}

fn joined(threads: Vec<Running<'_>>, schedule: Schedule) -> Result<Tally> {
    let mut all = Tally::new(schedule);
    for thread in threads {
        all.merge(thread.join().expect("a thread of the load")?)?;
    }
    Ok(all)
}

/// The index of each connection within its leader's, and their number: connections are dealt to leaders in turn, at least one to each.
fn dealt(count: usize, leaders: &[Leader]) -> impl Iterator<Item = (usize, &Leader, usize, usize)> {
    let (count, of) = (if count == 0 { 0 } else { count.max(leaders.len()) }, leaders.len());
    (0..count).map(move |index| {
        let leader = index % of;
        (index, &leaders[leader], index / of, (count - leader).div_ceil(of))
    })
}

fn producers<'a>(load: &'a Load, leaders: &[Leader]) -> Result<Unscheduled<'a>> {
    let pool = Pool::new(load)?;
    let count = dealt(load.producers, leaders).count();
    dealt(load.producers, leaders)
        .map(|(index, leader, within, of)| {
            let share = |from: usize, step: usize| leader.partitions.iter().copied().skip(from).step_by(step).collect::<Vec<_>>();
            let mut partitions = if load.shared { share(within % leader.partitions.len(), of) } else { share(0, 1) };
            let from = if load.shared { 0 } else { within * partitions.len() / of };
            partitions.rotate_left(from);
            let templates = Template::all(load, &pool, &partitions, index)?;
            let identity = if load.idempotent { Some(identity(&leader.address, partitions.len())?) } else { None };
            let connection = Connection::open(&leader.address)?;
            let make = move |schedule: Schedule| {
                let mut producer = Producer::new(connection, templates, Pace::of(load, &schedule, index, count), schedule);
                (producer.acks, producer.stamped, producer.identity) = (load.acks, load.is_stamped(), identity);
                Role::Producer(producer)
            };
            Ok(Box::new(make) as Box<dyn FnOnce(Schedule) -> Role<'a> + 'a>)
        })
        .collect()
}

fn identity(address: &str, partitions: usize) -> Result<Identity> {
    let mut client = Client::connect(address)?;
    let until = Instant::now() + STARTED_WITHIN;
    loop {
        let response = client.ask(&InitProducerIdRequest::default(), INIT_PRODUCER_ID_VERSION)?;
        match response.error_code {
            ErrorCode::None => {
                return Ok(Identity { id: response.producer_id, epoch: response.producer_epoch, sequences: vec![0; partitions] });
            }
            // Kafka says so while it is young.
            ErrorCode::CoordinatorLoadInProgress if Instant::now() < until => thread::sleep(Duration::from_millis(100)),
            error => return Err(format!("no producer id: {error:?}").into()),
        }
    }
}

fn consumers<'a>(load: &'a Load, leaders: &[Leader], shared: &'a Shared) -> Result<Unscheduled<'a>> {
    let at_end = match load.from {
        From::End => AtEnd::Follow,
        From::Start if load.once => AtEnd::Stop,
        From::Start => AtEnd::Rewind,
    };
    let size = FetchSize { partition: load.partition_bytes, all: load.fetch_bytes };
    let mut all: Unscheduled<'a> = Vec::new();
    for (_, leader, within, of) in dealt(load.consumers.min(load.partitions), leaders) {
        let starts = match load.from {
            From::Start => leader.partitions.iter().map(|index| (*index, Offset(0))).collect(),
            From::End => topic::ends(load, leader)?,
        };
        let positions: Vec<Position> = starts.into_iter().skip(within).step_by(of).map(|(index, next)| Position::at(index, next)).collect();
        let connection = Connection::open(&leader.address)?;
        let reading = Reading { topic: &load.topic, size, at_end, catches_up: false, seen: &shared.seen };
        if !positions.is_empty() {
            all.push(Box::new(move |schedule| Role::Consumer(Consumer::new(connection, &reading, positions, schedule))));
        }
    }
    Ok(all)
}

/// The readers that catch up beside the load.
fn readers<'a>(load: &'a Load, shared: &'a Shared, rewound: &'a (dyn Fn() -> Result<()> + Sync)) -> Result<Unscheduled<'a>> {
    let leaders = topic::prepare_cold(load)?;
    let size = FetchSize { partition: load.partition_bytes, all: load.fetch_bytes };
    let mut all: Unscheduled<'a> = Vec::new();
    for (_, leader, within, of) in dealt(load.catch_up.min(topic::COLD_PARTITIONS), &leaders) {
        let positions: Vec<Position> =
            leader.partitions.iter().skip(within).step_by(of).map(|index| Position::at(*index, Offset(0))).collect();
        let connection = Connection::open(&leader.address)?;
        let reading = Reading { topic: topic::COLD, size, at_end: AtEnd::Rewind, catches_up: true, seen: &shared.seen };
        if !positions.is_empty() {
            all.push(Box::new(move |schedule| {
                let mut consumer = Consumer::new(connection, &reading, positions, schedule);
                consumer.rewound = Some(rewound);
                Role::Consumer(consumer)
            }));
        }
    }
    Ok(all)
}
