//! A thread of the load: serves its connections whenever the kernel says that they are ready or one's next request is due.

use super::connection::Connection;
use super::consumer::Consumer;
use super::producer::Producer;
use super::schedule::Schedule;
use super::tally::Tally;
use crate::Result;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Looks at the clock at least this often.
const WAIT_MAX: Duration = Duration::from_millis(20);
const EVENTS: usize = 256;

pub enum Role<'a> {
    Producer(Producer),
    Consumer(Consumer<'a>),
}

impl Role<'_> {
    fn connection(&self) -> &Connection {
        match self {
            Role::Producer(producer) => &producer.connection,
            Role::Consumer(consumer) => &consumer.connection,
        }
    }

    fn pump(&mut self, now: Instant, tally: &mut Tally) -> Result<()> {
        match self {
            Role::Producer(producer) => producer.pump(now, tally),
            Role::Consumer(consumer) => consumer.pump(now),
        }
    }

    fn receive(&mut self, tally: &mut Tally) -> Result<()> {
        match self {
            Role::Producer(producer) => producer.receive(tally),
            Role::Consumer(consumer) => consumer.receive(tally),
        }
    }

    fn wants_to_write(&self, now: Instant) -> bool {
        match self {
            Role::Producer(producer) => producer.wants_to_write(now),
            Role::Consumer(consumer) => consumer.wants_to_write(),
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        match self {
            Role::Producer(producer) => producer.wakes_at(),
            Role::Consumer(_) => None,
        }
    }
}

/// What the threads of a run tell each other.
#[derive(Default)]
pub struct Shared {
    /// Volume so far, for the progress line.
    pub bytes: AtomicU64,
    pub requests: AtomicU64,
    /// Batches acknowledged that carry a time which counts, and those of them received.
    pub stamped: AtomicU64,
    pub seen: AtomicU64,
    /// The producers are through.
    pub produced: AtomicBool,
    /// A thread failed: there is nothing to wait for.
    pub failed: AtomicBool,
}

pub struct Driver<'a> {
    epoll: OwnedFd,
    roles: Vec<Role<'a>>,
    /// What each is registered for beside reading.
    writing: Vec<bool>,
    schedule: Schedule,
    shared: &'a Shared,
    tally: Tally,
    /// Of `tally.stamped`.
    told: u64,
}

impl<'a> Driver<'a> {
    pub fn new(roles: Vec<Role<'a>>, schedule: Schedule, shared: &'a Shared) -> Result<Driver<'a>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, role) in roles.iter().enumerate() {
            epoll::add(&epoll, &role.connection().stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        }
        Ok(Driver { epoll, writing: vec![false; roles.len()], roles, schedule, shared, tally: Tally::new(schedule), told: 0 })
    }

    /// Drives the connections to the end of the schedule and tells what it saw.
    pub fn run(mut self) -> Result<Tally> {
        // Wakes a sleeping thread when it is due, not up to 50 us later.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        std::thread::sleep(self.schedule.start.saturating_duration_since(Instant::now()));
        let done = self.drive();
        self.shared.failed.fetch_or(done.is_err(), Relaxed);
        done?;
        let now = Instant::now();
        for role in self.roles.drain(..) {
            if let Role::Producer(producer) = role {
                producer.give_up(now, &mut self.tally);
            }
        }
        Ok(self.tally)
    }

    fn drive(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        for index in 0..self.roles.len() {
            self.pump(index)?;
        }
        loop {
            let now = Instant::now();
            if self.is_done(now) || self.shared.failed.load(Relaxed) {
                return Ok(());
            }
            let wake = self.roles.iter().filter_map(Role::wakes_at).min();
            let wait = wake.map_or(WAIT_MAX, |wake| wake.saturating_duration_since(now).min(WAIT_MAX));
            events.clear();
            let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (index, flags) = (event.data.u64() as usize, event.flags);
                if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::ERR | epoll::EventFlags::HUP) {
                    self.roles[index].receive(&mut self.tally)?;
                }
                self.pump(index)?;
            }
            self.wake()?;
            self.publish();
        }
    }

    /// Serves those whose time has come though nothing came for them.
    fn wake(&mut self) -> Result<()> {
        let now = Instant::now();
        for index in 0..self.roles.len() {
            let due = match &self.roles[index] {
                Role::Producer(producer) => producer.wakes_at().is_some_and(|at| at <= now),
                Role::Consumer(consumer) => consumer.rests(),
            };
            if due {
                self.pump(index)?;
            }
        }
        Ok(())
    }

    fn pump(&mut self, index: usize) -> Result<()> {
        let role = &mut self.roles[index];
        let now = Instant::now();
        role.pump(now, &mut self.tally)?;
        let writes = role.wants_to_write(now);
        if writes != self.writing[index] {
            let flags = if writes { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            epoll::modify(&self.epoll, &role.connection().stream, epoll::EventData::new_u64(index as u64), flags)?;
            self.writing[index] = writes;
        }
        Ok(())
    }

    fn is_done(&self, now: Instant) -> bool {
        self.roles.iter().all(|role| match role {
            Role::Producer(producer) => producer.is_done(now),
            Role::Consumer(consumer) => {
                let all_seen = self.shared.seen.load(Relaxed) >= self.shared.stamped.load(Relaxed);
                let through = now >= self.schedule.end() && self.shared.produced.load(Relaxed);
                (through && all_seen) || now >= self.schedule.gives_up() || consumer.is_stopped()
            }
        })
    }

    fn publish(&mut self) {
        let fresh = std::mem::take(&mut self.tally.fresh);
        self.shared.bytes.fetch_add(fresh.bytes, Relaxed);
        self.shared.requests.fetch_add(fresh.requests, Relaxed);
        if self.tally.stamped > self.told {
            self.shared.stamped.fetch_add(self.tally.stamped - self.told, Relaxed);
            self.told = self.tally.stamped;
        }
    }
}
