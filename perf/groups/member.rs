//! One member of a group on a connection of its own: joins, takes or makes the assignment, keeps in touch, commits, joins again when it is told to.
//!
//! One request at a time. What it sends next follows from the answer; when a heartbeat is due, the crowd knows.

use super::requests::{self, COMMIT, CONSUMER_HEARTBEAT, FIND, HEARTBEAT, JOIN, LEAVE, SYNC};
use super::{Arguments, Protocol};
use crate::Result;
use crate::client::shown;
use bytes::Bytes;
use ringmill::types::{ErrorCode, PartitionIndex, TopicId};
use ringmill::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ringmill::wire::api::find_coordinator::FindCoordinatorRequest;
use ringmill::wire::api::heartbeat::HeartbeatRequest;
use ringmill::wire::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use ringmill::wire::api::leave_group::LeaveGroupRequest;
use ringmill::wire::api::offset_commit::OffsetCommitRequest;
use ringmill::wire::api::sync_group::SyncGroupRequest;
use ringmill::wire::{Request, Str, decode_response_frame};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// The answer that a member waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    Nothing,
    Coordinator,
    Join,
    Sync,
    Heartbeat,
    Commit,
    Leave,
}

/// What an answer, or its absence, says to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It rests until its next heartbeat is due.
    Rest,
    Join,
    /// The same soon, since the coordinator cannot now.
    Later,
    Sent,
}

pub struct Member {
    pub stream: TcpStream,
    pub group: Str,
    pub id: Str,
    /// The member epoch in the consumer protocol.
    pub generation: i32,
    /// In the consumer protocol.
    pub owned: Vec<(TopicId, PartitionIndex)>,
    /// Ids that it has had in the consumer protocol.
    lives: u32,
    pub awaited: Awaited,
    /// It knows its assignment of `generation`.
    pub is_stable: bool,
    /// When it sent its last JoinGroup, and when it got its assignment.
    pub joined_at: Instant,
    pub stable_at: Instant,
    pub sent_at: Instant,
    /// When it has something to do by itself; earlier entries of the crowd's list are void.
    pub due_at: Instant,
    /// Of the partitions that it commits.
    pub first_partition: usize,
    pub committed: i64,
    incoming: Vec<u8>,
}

impl Member {
    pub fn connect(address: &str, group: Str, first_partition: usize) -> Result<Member> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true)?;
        let now = Instant::now();
        Ok(Member {
            stream,
            group,
            id: Str::new(),
            generation: -1,
            owned: Vec::new(),
            lives: 0,
            awaited: Awaited::Nothing,
            is_stable: false,
            joined_at: now,
            stable_at: now,
            sent_at: now,
            due_at: now,
            first_partition,
            committed: 0,
            incoming: Vec::new(),
        })
    }

    fn send(&mut self, frame: &[u8], awaited: Awaited) -> Result<()> {
        assert_eq!(self.awaited, Awaited::Nothing, "one request at a time");
        // Requests are small, and the broker reads: it takes them at once.
        self.stream.write_all(frame)?;
        (self.awaited, self.sent_at) = (awaited, Instant::now());
        Ok(())
    }

    pub fn find_coordinator(&mut self) -> Result<()> {
        self.send(&requests::find(&self.group)?, Awaited::Coordinator)
    }

    pub fn join(&mut self, arguments: &Arguments) -> Result<()> {
        self.is_stable = false;
        let frame = match arguments.protocol {
            Protocol::Classic => requests::join(arguments, &self.group, &self.id)?,
            Protocol::Consumer => {
                self.owned.clear();
                if self.id.is_empty() {
                    self.lives += 1;
                    self.id = format!("{}-{}", self.stream.local_addr()?, self.lives).as_str().into();
                }
                requests::consumer_join(arguments, &self.group, &self.id)?
            }
        };
        self.send(&frame, Awaited::Join)?;
        self.joined_at = self.sent_at;
        Ok(())
    }

    pub fn heartbeat(&mut self, protocol: Protocol) -> Result<()> {
        let frame = match protocol {
            Protocol::Classic => requests::heartbeat(&self.group, &self.id, self.generation)?,
            Protocol::Consumer => requests::consumer_heartbeat(&self.group, &self.id, self.generation, None)?,
        };
        self.send(&frame, Awaited::Heartbeat)
    }

    pub fn leave(&mut self, protocol: Protocol) -> Result<()> {
        self.send(&requests::leave(protocol, &self.group, &self.id)?, Awaited::Leave)?;
        (self.is_stable, self.id) = (false, Str::new());
        self.owned.clear();
        Ok(())
    }

    pub fn commit(&mut self, arguments: &Arguments) -> Result<()> {
        self.committed += 1;
        let frame = requests::commit(arguments, &self.group, &self.id, self.generation, self.first_partition, self.committed)?;
        self.send(&frame, Awaited::Commit)
    }

    /// Reads once, what the kernel has; a whole answer's body if there is one.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Bytes>> {
        match self.stream.read(buffer)? {
            0 => return Err(format!("the broker closed a connection that waited for {:?}", self.awaited).into()),
            count => self.incoming.extend_from_slice(&buffer[..count]),
        }
        let Some(prefix) = self.incoming.first_chunk::<4>() else { return Ok(None) };
        let size = usize::try_from(i32::from_be_bytes(*prefix))?;
        if self.incoming.len() < 4 + size {
            return Ok(None);
        }
        if self.incoming.len() > 4 + size {
            return Err("more than the answer".into());
        }
        Ok(Some(Bytes::from(std::mem::take(&mut self.incoming)).slice(4..)))
    }

    /// Goes on by what an answer says; also the error that it told, if it is none of a group's life.
    pub fn answered(&mut self, frame: Bytes, arguments: &Arguments) -> Result<(Next, Option<ErrorCode>)> {
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Nothing);
        let is_reconciling = matches!(awaited, Awaited::Join | Awaited::Sync | Awaited::Heartbeat);
        if arguments.protocol == Protocol::Consumer && is_reconciling {
            return self.reconciled(decoded::<ConsumerGroupHeartbeatRequest>(frame, CONSUMER_HEARTBEAT)?);
        }
        let error = match awaited {
            Awaited::Nothing => return Err("an answer that nobody waited for".into()),
            Awaited::Coordinator => decoded::<FindCoordinatorRequest>(frame, FIND)?.coordinators[0].error_code,
            Awaited::Join => return self.joined(decoded::<JoinGroupRequest>(frame, JOIN)?, arguments),
            Awaited::Sync => {
                let error = decoded::<SyncGroupRequest>(frame, SYNC)?.error_code;
                (self.is_stable, self.stable_at) = (error.is_none(), Instant::now());
                error
            }
            Awaited::Heartbeat => decoded::<HeartbeatRequest>(frame, HEARTBEAT)?.error_code,
            Awaited::Commit => decoded::<OffsetCommitRequest>(frame, COMMIT)?.topics[0].partitions[0].error_code,
            Awaited::Leave if arguments.protocol == Protocol::Consumer => {
                decoded::<ConsumerGroupHeartbeatRequest>(frame, CONSUMER_HEARTBEAT)?.error_code
            }
            Awaited::Leave => decoded::<LeaveGroupRequest>(frame, LEAVE)?.error_code,
        };
        Ok(self.after(error))
    }

    /// An answer in the consumer protocol: what it is to own it owns at once, and says so.
    fn reconciled(&mut self, response: ConsumerGroupHeartbeatResponse) -> Result<(Next, Option<ErrorCode>)> {
        if !response.error_code.is_none() {
            return Ok(self.after(response.error_code));
        }
        if self.generation != response.member_epoch {
            (self.generation, self.stable_at) = (response.member_epoch, Instant::now());
        }
        self.is_stable = true;
        let Some(assignment) = response.assignment else { return Ok((Next::Rest, None)) };
        let of_topic = |topic: &ringmill::wire::api::consumer_group_heartbeat::TopicPartitions| {
            let id = topic.topic_id;
            topic.partitions.iter().map(move |partition| (id, *partition)).collect::<Vec<_>>()
        };
        self.owned = assignment.topic_partitions.iter().flat_map(of_topic).collect();
        self.stable_at = Instant::now();
        self.send(&requests::consumer_heartbeat(&self.group, &self.id, self.generation, Some(&self.owned))?, Awaited::Sync)?;
        Ok((Next::Sent, None))
    }

    fn joined(&mut self, response: JoinGroupResponse, arguments: &Arguments) -> Result<(Next, Option<ErrorCode>)> {
        match response.error_code {
            ErrorCode::None => {
                self.generation = response.generation_id;
                self.send(&requests::sync(arguments, &self.group, &self.id, &response)?, Awaited::Sync)?;
                Ok((Next::Sent, None))
            }
            ErrorCode::MemberIdRequired => {
                self.id = response.member_id;
                Ok((Next::Join, None))
            }
            error => Ok(self.after(error)),
        }
    }

    fn after(&mut self, error: ErrorCode) -> (Next, Option<ErrorCode>) {
        match error {
            ErrorCode::None => (Next::Rest, None),
            ErrorCode::RebalanceInProgress => (Next::Join, None),
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::FencedMemberEpoch => {
                self.id = Str::new();
                (Next::Join, Some(error))
            }
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                (Next::Later, Some(error))
            }
            other => (Next::Rest, Some(other)),
        }
    }
}

fn decoded<Q: Request>(frame: Bytes, version: i16) -> Result<Q::Response> {
    Ok(decode_response_frame::<Q>(frame, version).map_err(shown)?.1)
}
