//! All members of all groups, served by one thread: whoever has an answer, then whoever's heartbeat is due.

use super::Arguments;
use super::member::{Awaited, Member, Next};
use crate::Result;
use hdrhistogram::Histogram;
use ringmill::types::ErrorCode;
use ringmill::wire::Str;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// Looks at the clock at least this often.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// Between a member's heartbeats while its group is to rebalance: the answer that tells of it comes soon.
const HASTE: Duration = Duration::from_millis(20);
const RETRY_AFTER: Duration = Duration::from_millis(50);
const EVENTS: usize = 256;
/// All members are not looked at more often.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// A phase that takes longer than this will not end.
const PHASE_TIME_MAX: Duration = Duration::from_secs(300);

pub struct Crowd<'a> {
    arguments: &'a Arguments,
    epoll: OwnedFd,
    pub members: Vec<Member>,
    /// When each member has something to do; those that wait for an answer then are passed over.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    buffer: Vec<u8>,
    /// Those below commit again as soon as they are answered.
    pub committers: usize,
    /// The group whose members beat at once.
    pub hasty: Option<Str>,
    /// Times to answers, in us.
    pub heartbeats: Histogram<u64>,
    pub commits: Histogram<u64>,
    /// How often each error was told.
    pub errors: BTreeMap<ErrorCode, u64>,
}

impl<'a> Crowd<'a> {
    pub fn new(arguments: &'a Arguments) -> Result<Crowd<'a>> {
        Ok(Crowd {
            arguments,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            members: Vec::new(),
            due: BinaryHeap::new(),
            buffer: vec![0; 256 << 10],
            committers: 0,
            hasty: None,
            heartbeats: Histogram::new(3)?,
            commits: Histogram::new(3)?,
            errors: BTreeMap::new(),
        })
    }

    /// A member more, that has asked for its coordinator.
    pub fn add(&mut self, mut member: Member) -> Result<usize> {
        let index = self.members.len();
        epoll::add(&self.epoll, &member.stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        member.find_coordinator()?;
        self.members.push(member);
        Ok(index)
    }

    pub fn join(&mut self, index: usize) -> Result<()> {
        self.members[index].join(self.arguments)
    }

    /// Every resting member of the group has its next heartbeat now.
    pub fn hurry(&mut self, group: &Str) {
        self.hasty = Some(group.clone());
        let now = Instant::now();
        let of_group: Vec<usize> = (0..self.members.len()).filter(|index| self.members[*index].group == *group).collect();
        of_group.into_iter().for_each(|index| self.wake_at(index, now));
    }

    fn wake_at(&mut self, index: usize, at: Instant) {
        self.members[index].due_at = at;
        self.due.push(Reverse((at, index)));
    }

    /// Serves all until `done` says so or the time is over; whether it was done.
    pub fn serve(&mut self, until: Instant, mut done: impl FnMut(&[Member]) -> bool) -> Result<bool> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut looked: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if looked.is_none_or(|at| now - at >= LOOK_EVERY) {
                if done(&self.members) {
                    return Ok(true);
                }
                looked = Some(now);
            }
            if now >= until {
                return Ok(false);
            }
            let next = self.due.peek().map_or(until, |Reverse((at, _))| (*at).min(until));
            let wait = next.saturating_duration_since(now).min(WAIT_MAX);
            events.clear();
            let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.receive(event.data.u64() as usize)?;
            }
            self.beat()?;
        }
    }

    /// Serves all until it is done.
    pub fn serve_until(&mut self, what: &str, done: impl FnMut(&[Member]) -> bool) -> Result<()> {
        match self.serve(Instant::now() + PHASE_TIME_MAX, done)? {
            true => Ok(()),
            false => Err(format!("{what} takes longer than {PHASE_TIME_MAX:?}; errors so far: {:?}", self.errors).into()),
        }
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        let member = &mut self.members[index];
        let Some(frame) = member.receive(&mut self.buffer)? else { return Ok(()) };
        let (awaited, sent_at) = (member.awaited, member.sent_at);
        let (next, error) = member.answered(frame, self.arguments)?;
        let now = Instant::now();
        let us = (now - sent_at).as_micros() as u64;
        match awaited {
            Awaited::Heartbeat => self.heartbeats.record(us)?,
            Awaited::Commit => self.commits.record(us)?,
            _ => {}
        }
        if let Some(error) = error {
            *self.errors.entry(error).or_default() += 1;
        }
        match next {
            Next::Sent => Ok(()),
            Next::Join => self.join(index),
            Next::Later => {
                self.wake_at(index, now + RETRY_AFTER);
                Ok(())
            }
            Next::Rest if awaited == Awaited::Commit || awaited == Awaited::Leave => self.go_on(index),
            Next::Rest => {
                self.rest(index, awaited, now);
                self.go_on(index)
            }
        }
    }

    /// When its next heartbeat is due: soon if its group is to rebalance, else spread over the interval after the assignment.
    fn rest(&mut self, index: usize, awaited: Awaited, now: Instant) {
        let interval = Duration::from_millis(self.arguments.heartbeat_ms);
        let wait = match awaited {
            _ if self.hasty.as_ref() == Some(&self.members[index].group) => HASTE,
            Awaited::Join | Awaited::Sync => interval.mul_f64((index % 1000) as f64 / 1000.0),
            _ => interval,
        };
        self.wake_at(index, now + wait);
    }

    fn go_on(&mut self, index: usize) -> Result<()> {
        let member = &mut self.members[index];
        if index < self.committers && member.is_stable { member.commit(self.arguments) } else { Ok(()) }
    }

    /// Whose time has come.
    fn beat(&mut self) -> Result<()> {
        let now = Instant::now();
        while self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((at, index))) = self.due.pop() else { return Ok(()) };
            let member = &mut self.members[index];
            if member.due_at != at {
                continue;
            }
            match (member.awaited, member.is_stable) {
                (Awaited::Nothing, true) => member.heartbeat(self.arguments.protocol)?,
                (Awaited::Nothing, false) if !member.id.is_empty() => self.join(index)?,
                // Committers are heard of by their commits.
                (Awaited::Commit, _) => self.wake_at(index, now + Duration::from_millis(self.arguments.heartbeat_ms)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Those that rest begin to commit.
    pub fn begin_commits(&mut self, committers: usize) -> Result<()> {
        self.committers = committers.min(self.members.len());
        for index in 0..self.committers {
            if self.members[index].awaited == Awaited::Nothing {
                self.go_on(index)?;
            }
        }
        Ok(())
    }
}
