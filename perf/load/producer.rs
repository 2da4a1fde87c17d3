//! One connection that produces, by its pace.

use super::batches::{Changes, Identity, Template};
use super::connection::Connection;
use super::schedule::{Pace, Schedule};
use super::tally::{Tally, Volume};
use crate::Result;
use std::collections::VecDeque;
use std::time::Instant;

/// Requests made before their predecessors are written, at most; those due wait as numbers.
const AHEAD: usize = 64;

pub struct Producer {
    pub connection: Connection,
    pub templates: Vec<Template>,
    pub identity: Option<Identity>,
    pub pace: Pace,
    pub acks: i16,
    pub stamped: bool,
    schedule: Schedule,
    /// Requests so far.
    next: u64,
    /// When those were due that are not answered.
    under_way: VecDeque<Instant>,
}

impl Producer {
    pub fn new(connection: Connection, templates: Vec<Template>, pace: Pace, schedule: Schedule) -> Producer {
        let under_way = VecDeque::new();
        Producer { connection, templates, identity: None, pace, acks: -1, stamped: false, schedule, next: 0, under_way }
    }

    /// Sends what is due.
    pub fn pump(&mut self, now: Instant, tally: &mut Tally) -> Result<()> {
        let mut made = 0;
        while made < AHEAD
            && !self.connection.is_blocked()
            && let Some(due) = self.due(now)
        {
            self.enqueue(due);
            made += 1;
            // Large requests are written one by one, small ones together.
            if self.templates[0].is_large() {
                self.connection.flush()?;
            }
        }
        self.connection.flush()?;
        if self.acks == 0 && !self.connection.is_blocked() {
            self.count_unacknowledged(tally);
        }
        Ok(())
    }

    /// When the next request is due, if it is.
    fn due(&self, now: Instant) -> Option<Instant> {
        let due = match self.pace {
            Pace::Closed(in_flight) => (self.under_way.len() < in_flight || self.acks == 0).then_some(now),
            Pace::Open { .. } => self.pace.due(self.next).filter(|due| *due <= now),
        };
        due.filter(|due| *due < self.schedule.end())
    }

    fn enqueue(&mut self, due: Instant) {
        let at = (self.next % self.templates.len() as u64) as usize;
        let (open, close) = self.connection.open_part();
        let changes = Changes {
            correlation_id: self.next as i32,
            stamp: self.stamped.then(|| self.schedule.stamp(due)),
            identity: self.identity.as_mut(),
        };
        self.templates[at].write(changes, open, close);
        self.under_way.push_back(due);
        self.next += 1;
    }

    fn count_unacknowledged(&mut self, tally: &mut Tally) {
        let now = Instant::now();
        while self.under_way.pop_front().is_some() {
            let request = self.next - 1 - self.under_way.len() as u64;
            let template = &self.templates[(request % self.templates.len() as u64) as usize];
            tally.volume(now, Volume { bytes: template.bytes, records: template.records, requests: 1 });
        }
    }

    /// Takes the answers that are there.
    pub fn receive(&mut self, tally: &mut Tally) -> Result<()> {
        let Producer { connection, templates, under_way, next, stamped, schedule, .. } = self;
        let now = Instant::now();
        connection.receive(|frame| {
            let request = *next - under_way.len() as u64;
            let due = under_way.pop_front().ok_or("an answer to nothing")?;
            let (id, failed) = outcome(frame)?;
            if id != request as i32 {
                return Err(format!("answer {id} where {request} was due").into());
            }
            let template = &templates[(request % templates.len() as u64) as usize];
            tally.latency(due, now);
            if failed > 0 {
                tally.errors += failed;
            } else {
                tally.volume(now, Volume { bytes: template.bytes, records: template.records, requests: 1 });
                if *stamped && schedule.phase(due).is_some() {
                    tally.stamped += template.batches();
                }
            }
            Ok(())
        })
    }

    /// When the next request is due, whether or not it is yet.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.pace.due(self.next).filter(|due| *due < self.schedule.end() && !self.connection.is_blocked())
    }

    /// Whether it wants to write when it can.
    pub fn wants_to_write(&self, now: Instant) -> bool {
        self.connection.is_blocked() || (self.acks == 0 && matches!(self.pace, Pace::Closed(_)) && now < self.schedule.end())
    }

    pub fn is_done(&self, now: Instant) -> bool {
        let end = self.schedule.end();
        let idle = self.under_way.is_empty() && !self.connection.is_blocked();
        let all_sent = self.pace.due(self.next).is_none_or(|due| due >= end);
        now >= self.schedule.gives_up() || (now >= end && idle && all_sent)
    }

    /// Counts what was never answered, and what was due and never sent, as taking until now.
    pub fn give_up(mut self, now: Instant, tally: &mut Tally) {
        let end = self.schedule.end();
        while let Some(due) = self.pace.due(self.next).filter(|due| *due < end) {
            self.under_way.push_back(due);
            self.next += 1;
        }
        if self.acks != 0 {
            tally.unanswered += self.under_way.len() as u64;
            self.under_way.iter().for_each(|due| tally.latency(*due, now));
        }
    }
}

/// The correlation id of a produce response (version 12), and in how many partitions it failed. Read in place: this runs for every request.
pub fn outcome(frame: &[u8]) -> Result<(i32, u64)> {
    let mut cursor = Cursor { bytes: frame, at: 0 };
    let id = i32::from_be_bytes(cursor.array()?);
    cursor.tags()?;
    let mut failed = 0;
    for _ in 1..cursor.uvarint()? {
        let name = cursor.uvarint()?;
        cursor.skip(name.saturating_sub(1))?;
        for _ in 1..cursor.uvarint()? {
            cursor.skip(4)?;
            failed += u64::from(i16::from_be_bytes(cursor.array()?) != 0);
            // Base offset, append time, log start offset.
            cursor.skip(24)?;
            for _ in 1..cursor.uvarint()? {
                cursor.skip(4)?;
                cursor.text()?;
                cursor.tags()?;
            }
            cursor.text()?;
            cursor.tags()?;
        }
        cursor.tags()?;
    }
    Ok((id, failed))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let array = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or("a produce response ends early")?;
        self.at += N;
        Ok(*array)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.at = self.at.checked_add(count).filter(|at| *at <= self.bytes.len()).ok_or("a produce response ends early")?;
        Ok(())
    }

    fn uvarint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a length of more than five bytes".into())
    }

    fn text(&mut self) -> Result<()> {
        let length = self.uvarint()?;
        self.skip(length.saturating_sub(1))
    }

    fn tags(&mut self) -> Result<()> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let size = self.uvarint()?;
            self.skip(size)?;
        }
        Ok(())
    }
}
