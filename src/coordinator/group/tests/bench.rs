//! A coordinator on a bench: members by name, a clock that moves when told to, a log that takes everything or refuses it.

use super::super::consumer::{ConsumerAsk, Topics};
use super::super::request::{GroupAnswer, GroupRequest, GroupResponse, JoinAsk};
use super::super::{GroupConfig, GroupRecord, Groups};
use super::consumers::Cluster;
use crate::coordinator::machine::{Effects, Position, StateMachine, Token, Transaction, Turn};
use crate::types::{ErrorCode, Offset, PartitionIndex, ProducerId, Timestamp};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::wire::api::heartbeat::HeartbeatRequest;
use crate::wire::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use crate::wire::api::leave_group::MemberIdentity;
use crate::wire::api::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::api::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::wire::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use bytes::Bytes;
use std::collections::BTreeMap;

pub const GROUP: &str = "g";
pub const SESSION_MS: u64 = 10_000;
pub const REBALANCE_MS: u64 = 60_000;

/// See the module.
pub struct Bench {
    pub groups: Groups,
    pub now: u64,
    pub log: Vec<GroupRecord>,
    pub log_refuses: Option<ErrorCode>,
    pub bytes_free: u64,
    answers: BTreeMap<Token, (GroupAnswer, bool)>,
    next_token: u64,
    random: u64,
}

/// JoinGroup's parameters that stories change.
#[derive(Clone)]
pub struct Joining {
    pub member: Str,
    pub instance: Option<Str>,
    pub protocols: Vec<(&'static str, &'static str)>,
    pub kind: &'static str,
    pub version: i16,
}

/// Of a member that joins with one protocol, `range`.
pub fn joining(member: &str) -> Joining {
    Joining { member: member.into(), instance: None, protocols: vec![("range", "topics")], kind: "consumer", version: 9 }
}

impl Joining {
    pub fn with_instance(self, instance: &str) -> Joining {
        Joining { instance: Some(instance.into()), ..self }
    }
}

pub fn config() -> GroupConfig {
    GroupConfig {
        initial_rebalance_delay_ms: 3_000,
        max_size: 100,
        consumer_max_size: 100,
        consumer_session_ms: 45_000,
        consumer_heartbeat_ms: 5_000,
        consumer_assignor: super::super::consumer::Assignor::Uniform,
        can_upgrade: true,
        can_downgrade: true,
        offset_metadata_max: 10,
        offsets_retention_ms: 100_000,
        retention_check_ms: 10_000,
    }
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(config())
    }

    pub fn with(config: GroupConfig) -> Bench {
        let mut bench = Bench {
            groups: Groups::new(config),
            now: 1_000_000,
            log: Vec::new(),
            log_refuses: None,
            bytes_free: 1 << 30,
            answers: BTreeMap::new(),
            next_token: 0,
            random: 0,
        };
        bench.call(|groups, turn, effects| groups.loaded(turn, effects));
        bench
    }

    /// The coordinator dies; what is left is the log, through its bytes.
    pub fn crash(&mut self, config: GroupConfig) {
        self.groups = Groups::new(config);
        for (offset, record) in self.log.iter().enumerate() {
            let (key, value) = record.encode().unwrap();
            let decoded = Groups::decode(&key, value.as_ref()).unwrap().expect("a record of ours");
            self.groups.replay(Position { offset: Offset(offset as i64), producer_id: ProducerId::NONE }, decoded);
        }
        self.answers.clear();
        self.call(|groups, turn, effects| groups.loaded(turn, effects));
    }

    /// A heartbeat to [`GROUP`] as a consumer group, and its answer.
    pub fn consumer_heartbeat(&mut self, request: ConsumerGroupHeartbeatRequest, topics: Topics) -> ConsumerGroupHeartbeatResponse {
        let request = ConsumerGroupHeartbeatRequest { group_id: GROUP.into(), ..request };
        let ask = ConsumerAsk { request, client_id: "c".into(), client_host: "/h".into(), topics };
        let token = self.ask(GroupRequest::ConsumerHeartbeat(Box::new(ask)));
        match self.answer(token).unwrap() {
            Ok(GroupResponse::ConsumerHeartbeat(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    pub fn call(&mut self, call: impl FnOnce(&mut Groups, &mut Turn, &mut Effects<Groups>)) {
        let random = &mut self.random;
        let mut next = || {
            *random += 1;
            *random
        };
        let wall = Timestamp(self.now as i64);
        let mut turn = Turn { now: self.now, wall, bytes_free: self.bytes_free, random: &mut next };
        let mut effects = Effects::default();
        call(&mut self.groups, &mut turn, &mut effects);
        while !effects.writes.is_empty() {
            let write = effects.writes.remove(0);
            if let Some(error) = self.log_refuses.filter(|_| !write.records.is_empty()) {
                self.groups.refused(&mut turn, write.purpose, error, &mut effects);
                continue;
            }
            let producer_id = write.transaction.map_or(ProducerId::NONE, |of: Transaction| of.producer_id);
            for record in write.records {
                let position = Position { offset: Offset(self.log.len() as i64), producer_id };
                self.log.push(record.clone());
                self.groups.replay(position, record);
            }
            self.groups.written(&mut turn, write.purpose, &mut effects);
        }
        for reply in effects.replies {
            let before = self.answers.insert(reply.token, (reply.answer, reply.after_durable));
            assert!(before.is_none(), "a request is answered once");
        }
    }

    pub fn ask(&mut self, request: GroupRequest) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.call(|groups, turn, effects| groups.handle(turn, token, request, effects));
        token
    }

    /// Time passes, and what is due happens when it is.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) = self.groups.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.call(|groups, turn, effects| groups.fire(turn, effects));
        }
        self.now = end;
    }

    /// The answer to a request, if there is one by now; taken.
    pub fn answer(&mut self, token: Token) -> Option<GroupAnswer> {
        self.answers.remove(&token).map(|(answer, _)| answer)
    }

    pub fn is_waiting(&self, token: Token) -> bool {
        !self.answers.contains_key(&token)
    }

    /// Whether an answer had to wait for the disk.
    pub fn waited_for_the_disk(&self, token: Token) -> bool {
        self.answers.get(&token).expect("answered").1
    }

    pub fn join(&mut self, joining: &Joining) -> Token {
        let protocols = joining.protocols.iter();
        let request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            member_id: joining.member.clone(),
            group_instance_id: joining.instance.clone(),
            protocol_type: joining.kind.into(),
            protocols: protocols
                .map(|(name, said)| JoinGroupRequestProtocol { name: (*name).into(), metadata: Bytes::from(*said) })
                .collect(),
            reason: None,
        };
        self.join_as(request, joining.version, 0)
    }

    /// JoinGroup as it is, in a cluster whose topic `t` has so many partitions.
    pub fn join_as(&mut self, request: JoinGroupRequest, version: i16, partitions: i32) -> Token {
        let topics = Topics(std::sync::Arc::new(Cluster(partitions)));
        let (client_id, client_host) = ("c".into(), "/127.0.0.1".into());
        self.ask(GroupRequest::Join(Box::new(JoinAsk { token: Token(0), request, version, client_id, client_host, topics })))
    }

    pub fn joined(&mut self, token: Token) -> JoinGroupResponse {
        match self.answer(token) {
            Some(Ok(GroupResponse::Join(response))) => response,
            other => panic!("no answer to JoinGroup: {other:?}"),
        }
    }

    /// A new member's first step: its id.
    pub fn new_id(&mut self) -> Str {
        let token = self.join(&joining(""));
        let response = self.joined(token);
        assert_eq!(response.error_code, ErrorCode::MemberIdRequired);
        response.member_id
    }

    pub fn sync(&mut self, member: &str, generation: i32, assignments: &[(&str, &str)]) -> Token {
        let assignments = assignments.iter().map(|(member, given)| SyncGroupRequestAssignment {
            member_id: (*member).into(),
            assignment: Bytes::copy_from_slice(given.as_bytes()),
        });
        self.ask(GroupRequest::Sync(SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: generation,
            member_id: member.into(),
            assignments: assignments.collect(),
            ..Default::default()
        }))
    }

    pub fn synced(&mut self, token: Token) -> SyncGroupResponse {
        match self.answer(token) {
            Some(Ok(GroupResponse::Sync(response))) => response,
            Some(Err(error_code)) => SyncGroupResponse { error_code, ..Default::default() },
            other => panic!("no answer to SyncGroup: {other:?}"),
        }
    }

    pub fn heartbeat(&mut self, member: &str, generation: i32) -> ErrorCode {
        let request =
            HeartbeatRequest { group_id: GROUP.into(), generation_id: generation, member_id: member.into(), group_instance_id: None };
        let token = self.ask(GroupRequest::Heartbeat(request));
        match self.answer(token) {
            Some(Ok(GroupResponse::Heartbeat(error))) => error,
            other => panic!("no answer to Heartbeat: {other:?}"),
        }
    }

    pub fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Result<Vec<ErrorCode>, ErrorCode> {
        let members = members.iter().map(|(member, instance)| MemberIdentity {
            member_id: (*member).into(),
            group_instance_id: instance.map(Str::from),
            reason: None,
        });
        let token = self.ask(GroupRequest::Leave { group: GROUP.into(), members: members.collect() });
        match self.answer(token) {
            Some(Ok(GroupResponse::Leave(response))) => Ok(response.members.iter().map(|member| member.error_code).collect()),
            Some(Err(error)) => Err(error),
            other => panic!("no answer to LeaveGroup: {other:?}"),
        }
    }

    /// Commits an offset of partition 0 of topic `t`.
    pub fn commit(&mut self, member: &str, generation: i32, offset: i64) -> Result<ErrorCode, ErrorCode> {
        self.commit_with(member, generation, offset, "", -1, 9)
    }

    pub fn commit_with(
        &mut self,
        member: &str,
        generation: i32,
        offset: i64,
        metadata: &str,
        retention: i64,
        version: i16,
    ) -> Result<ErrorCode, ErrorCode> {
        let partition = OffsetCommitRequestPartition {
            partition_index: PartitionIndex(0),
            committed_offset: Offset(offset),
            committed_metadata: Some(metadata.into()),
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: generation,
            member_id: member.into(),
            retention_time_ms: retention,
            topics: vec![OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() }],
            ..Default::default()
        };
        let token = self.ask(GroupRequest::Commit { request, version });
        match self.answer(token) {
            Some(Ok(GroupResponse::Commit(response))) => Ok(response.topics[0].partitions[0].error_code),
            Some(Err(error)) => Err(error),
            other => panic!("no answer to OffsetCommit: {other:?}"),
        }
    }

    /// The offset of partition 0 of topic `t`.
    pub fn fetch(&mut self) -> (i64, String, ErrorCode) {
        let topic = OffsetFetchRequestTopics { name: "t".into(), partition_indexes: vec![PartitionIndex(0)], ..Default::default() };
        let group = OffsetFetchRequestGroup { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() };
        let token = self.ask(GroupRequest::Fetch { group, require_stable: true });
        match self.answer(token) {
            Some(Ok(GroupResponse::Fetch(response))) => {
                let found = &response.topics[0].partitions[0];
                (found.committed_offset.0, found.metadata.as_ref().unwrap().to_string(), found.error_code)
            }
            other => panic!("no answer to OffsetFetch: {other:?}"),
        }
    }

    /// State, members and leader's place among them, as DescribeGroups tells.
    pub fn state(&mut self) -> (String, usize) {
        let token = self.ask(GroupRequest::Describe { groups: vec![GROUP.into()], version: 5 });
        match self.answer(token) {
            Some(Ok(GroupResponse::Describe(groups))) => (groups[0].group_state.to_string(), groups[0].members.len()),
            other => panic!("no answer to DescribeGroups: {other:?}"),
        }
    }

    /// A stable group of so many members, the leader first, in generation 1.
    pub fn stable(&mut self, count: usize) -> Vec<Str> {
        let ids: Vec<Str> = (0..count).map(|_| self.new_id()).collect();
        let tokens: Vec<Token> = ids.iter().map(|id| self.join(&joining(id))).collect();
        self.pass(2 * config().initial_rebalance_delay_ms);
        let responses: Vec<JoinGroupResponse> = tokens.into_iter().map(|token| self.joined(token)).collect();
        assert!(responses.iter().all(|response| response.error_code.is_none() && response.generation_id == 1), "{responses:?}");
        let leader = responses[0].leader.clone();
        let mut ids = ids;
        ids.sort_by_key(|id| *id != leader);
        let given: Vec<(&str, String)> = ids.iter().enumerate().map(|(index, id)| (&**id, format!("part {index}"))).collect();
        let given: Vec<(&str, &str)> = given.iter().map(|(id, given)| (*id, &**given)).collect();
        let followers: Vec<Token> = ids[1..].iter().map(|id| self.sync(id, 1, &[])).collect();
        let leading = self.sync(&ids[0], 1, &given);
        for (index, token) in std::iter::once(leading).chain(followers).enumerate() {
            assert_eq!(self.synced(token).assignment, format!("part {index}"));
        }
        assert_eq!(self.state(), ("Stable".into(), count));
        ids
    }
}
