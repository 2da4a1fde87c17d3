//! The metadata records of a KRaft cluster, under Kafka's names: those that Ringmill understands, and the keys of those that it only keeps.

use crate::types::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Key 0: a broker has registered.
    pub struct RegisterBrokerRecord {
        pub broker_id: NodeId [0+],
        pub is_migrating_zk_broker: bool [2+],
        pub incarnation_id: [u8; 16] [0+],
        pub broker_epoch: i64 [0+],
        pub end_points: Vec<RegisteredEndpoint> [0+],
        pub features: Vec<RegisteredFeature> [0+],
        pub rack: Option<Str> [0+, null 0+],
        pub fenced: bool [0+] = true,
        pub in_controlled_shutdown: bool [1+],
        pub log_dirs: Vec<[u8; 16]> [3+, tag 0, ignorable],
    }

    /// Where a listener of a broker is reached.
    pub struct RegisteredEndpoint {
        pub name: Str [0+],
        pub host: Str [0+],
        /// An unsigned number of 16 bits.
        pub port: i16 [0+],
        pub security_protocol: i16 [0+],
    }

    /// The levels of a feature that a broker supports.
    pub struct RegisteredFeature {
        pub name: Str [0+],
        pub min_supported_version: i16 [0+],
        pub max_supported_version: i16 [0+],
    }

    /// Key 2: a topic exists.
    pub struct TopicRecord {
        pub name: Str [0+],
        pub topic_id: TopicId [0+],
    }

    /// Key 3: a partition, whole.
    pub struct PartitionRecord {
        pub partition_id: PartitionIndex [0+] = PartitionIndex(-1),
        pub topic_id: TopicId [0+],
        pub replicas: Vec<NodeId> [0+],
        pub isr: Vec<NodeId> [0+],
        pub removing_replicas: Vec<NodeId> [0+],
        pub adding_replicas: Vec<NodeId> [0+],
        pub leader: NodeId [0+] = NodeId(-1),
        pub leader_recovery_state: i8 [0+, tag 0],
        pub leader_epoch: LeaderEpoch [0+] = LeaderEpoch::NONE,
        pub partition_epoch: i32 [0+] = -1,
        /// The ids of the replicas' log directories.
        pub directories: Vec<[u8; 16]> [1+, ignorable],
        pub eligible_leader_replicas: Option<Vec<NodeId>> [2+, null 2+, tag 1, ignorable],
        pub last_known_elr: Option<Vec<NodeId>> [2+, null 2+, tag 2, ignorable],
    }

    /// Key 4: a configuration is set, or (null) taken away.
    pub struct ConfigRecord {
        pub resource_type: i8 [0+],
        pub resource_name: Str [0+],
        pub name: Str [0+],
        pub value: Option<Str> [0+, null 0+],
    }

    /// Key 5: what is new of a partition; null, -1 and -2 stand for no change.
    pub struct PartitionChangeRecord {
        pub partition_id: PartitionIndex [0+] = PartitionIndex(-1),
        pub topic_id: TopicId [0+],
        pub isr: Option<Vec<NodeId>> [0+, null 0+, tag 0],
        pub leader: NodeId [0+, tag 1] = NodeId(-2),
        pub replicas: Option<Vec<NodeId>> [0+, null 0+, tag 2],
        pub removing_replicas: Option<Vec<NodeId>> [0+, null 0+, tag 3],
        pub adding_replicas: Option<Vec<NodeId>> [0+, null 0+, tag 4],
        pub leader_recovery_state: i8 [0+, tag 5] = -1,
        pub eligible_leader_replicas: Option<Vec<NodeId>> [2+, null 2+, tag 6],
        pub last_known_elr: Option<Vec<NodeId>> [2+, null 2+, tag 7],
        pub directories: Option<Vec<[u8; 16]>> [1+, null 1+, tag 8],
    }

    /// Key 9: a topic is gone.
    pub struct RemoveTopicRecord {
        pub topic_id: TopicId [0+],
    }

    /// Key 10: who it is for is not looked at.
    pub struct DelegationTokenRecord {
        pub owner: Str [0+],
        pub requester: Str [0+],
        pub renewers: Vec<Str> [0+],
        pub issue_timestamp: i64 [0+],
        pub max_timestamp: i64 [0+],
        pub expiration_timestamp: i64 [0+],
        pub token_id: Str [0+],
    }

    /// Key 11: a user's credential.
    pub struct UserScramCredentialRecord {
        pub name: Str [0+],
        pub mechanism: i8 [0+],
        pub salt: Bytes [0+],
        pub stored_key: Bytes [0+],
        pub server_key: Bytes [0+],
        pub iterations: i32 [0+],
    }

    /// Key 12: the finalized level of a feature; 0 takes it away.
    pub struct FeatureLevelRecord {
        pub name: Str [0+],
        pub feature_level: i16 [0+],
    }

    /// Key 14: a quota is set or removed.
    pub struct ClientQuotaRecord {
        pub entity: Vec<QuotaEntity> [0+],
        pub key: Str [0+],
        /// The bits of a 64-bit float.
        pub value: i64 [0+],
        pub remove: bool [0+],
    }

    /// Whom a quota is for.
    pub struct QuotaEntity {
        pub entity_type: Str [0+],
        pub entity_name: Option<Str> [0+, null 0+],
    }

    /// Key 15: a block of producer ids was given out; the next begins at `next_producer_id`.
    pub struct ProducerIdsRecord {
        pub broker_id: NodeId [0+],
        pub broker_epoch: i64 [0+] = -1,
        pub next_producer_id: i64 [0+],
    }

    /// Keys 18 (its other fields come after the id and are not looked at) and 19: an access control entry.
    pub struct AccessControlEntryId {
        pub id: [u8; 16] [0+],
    }

    /// Key 21: how far the move from ZooKeeper is.
    pub struct ZkMigrationStateRecord {
        pub zk_migration_state: i8 [0+],
    }

    /// Key 22: a user's credential is gone.
    pub struct RemoveUserScramCredentialRecord {
        pub name: Str [0+],
        pub mechanism: i8 [0+],
    }

    /// Key 26: a delegation token is gone.
    pub struct RemoveDelegationTokenRecord {
        pub token_id: Str [0+],
    }

    /// Control record 2: a leader of the quorum was elected.
    pub struct LeaderChangeRecord {
        pub version: i16 [0+],
        pub leader_id: NodeId [0+],
        pub voters: Vec<QuorumVoter> [0+],
        pub granting_voters: Vec<QuorumVoter> [0+],
    }

    /// Who may vote.
    pub struct QuorumVoter {
        pub voter_id: NodeId [0+],
        pub voter_directory_id: [u8; 16] [1+, ignorable],
    }

    /// Control record 6: the voters of a quorum that can change.
    pub struct VotersRecord {
        pub version: i16 [0+],
        pub voters: Vec<VoterEntry> [0+],
    }

    /// A voter, and where it is reached.
    pub struct VoterEntry {
        pub voter_id: NodeId [0+],
        pub voter_directory_id: [u8; 16] [0+],
        pub endpoints: Vec<VoterEndpoint> [0+],
        pub kraft_version_feature: KRaftVersionRange [0+],
    }

    /// Where a listener of a voter is reached.
    pub struct VoterEndpoint {
        pub name: Str [0+],
        pub host: Str [0+],
        /// An unsigned number of 16 bits.
        pub port: i16 [0+],
    }

    /// The versions of the quorum's protocol that a voter has.
    pub struct KRaftVersionRange {
        pub min_supported_version: i16 [0+],
        pub max_supported_version: i16 [0+],
    }

    /// Control record 3: a snapshot begins.
    pub struct SnapshotHeaderRecord {
        pub version: i16 [0+],
        pub last_contained_log_timestamp: i64 [0+],
    }

    /// Control record 4: a snapshot is whole.
    pub struct SnapshotFooterRecord {
        pub version: i16 [0+],
    }
}
