//! THE table of APIs: key, messages, versions we speak, first flexible version. Adding an API is a file under `api/` and a row here.
//!
//! Lower ends are what Apache Kafka 3.9 took wherever no old record format is involved, upper ends those of the newest Kafka.

use super::api;
use super::message::{Codec, Versions};
use super::primitives::Field;

/// What the table says of one API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiSpec {
    pub key: ApiKey,
    /// Versions we decode and answer.
    pub versions: Versions,
    /// Versions that ApiVersions shows. Produce: from 0, since librdkafka switches features on by low versions; requests below
    /// the range we speak are refused all the same, as Kafka does.
    pub advertised: Versions,
    /// From here on requests and responses are flexible (KIP-482).
    pub flexible_since: i16,
}

/// A request's body.
pub trait Request: Field + Default + Clone + PartialEq + std::fmt::Debug + Send + 'static {
    const KEY: ApiKey;
    type Response: Response;
}

/// A response's body.
pub trait Response: Field + Default + Clone + PartialEq + std::fmt::Debug + Send + 'static {
    const KEY: ApiKey;
}

macro_rules! advertised_min {
    ($min:literal) => {
        $min
    };
    ($min:literal $advertised:literal) => {
        $advertised
    };
}

macro_rules! apis {
    ($( $key:literal $name:ident $module:ident :: $request:ident $response:ident
        [$min:literal - $max:literal] flexible $flexible:literal $(advertised from $advertised:literal)?; )*) => {
        /// An API that we speak.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i16)]
        pub enum ApiKey {
            $( $name = $key, )*
        }

        impl ApiKey {
            /// Every API in the table, by ascending key.
            pub const ALL: &[ApiKey] = &[$( ApiKey::$name, )*];

            pub const fn from_code(code: i16) -> Option<ApiKey> {
                match code {
                    $( $key => Some(ApiKey::$name), )*
                    _ => None,
                }
            }

            /// Kafka's name of it.
            pub const fn name(self) -> &'static str {
                match self {
                    $( ApiKey::$name => stringify!($name), )*
                }
            }

            pub const fn spec(self) -> ApiSpec {
                match self {
                    $( ApiKey::$name => ApiSpec {
                        key: ApiKey::$name,
                        versions: Versions { min: $min, max: $max },
                        advertised: Versions { min: advertised_min!($min $($advertised)?), max: $max },
                        flexible_since: $flexible,
                    }, )*
                }
            }
        }

        $(
            impl Request for api::$module::$request {
                const KEY: ApiKey = ApiKey::$name;
                type Response = api::$module::$response;
            }

            impl Response for api::$module::$response {
                const KEY: ApiKey = ApiKey::$name;
            }
        )*

        /// Does something with every API's types.
        #[cfg(test)]
        pub(super) fn visit_all(visitor: &mut impl super::tests::ApiVisitor) {
            $( visitor.visit::<api::$module::$request>(); )*
        }
    };
}

apis! {
    0 Produce produce::ProduceRequest ProduceResponse [3-13] flexible 9 advertised from 0;
    1 Fetch fetch::FetchRequest FetchResponse [4-18] flexible 12;
    2 ListOffsets list_offsets::ListOffsetsRequest ListOffsetsResponse [1-11] flexible 6;
    3 Metadata metadata::MetadataRequest MetadataResponse [0-13] flexible 9;
    8 OffsetCommit offset_commit::OffsetCommitRequest OffsetCommitResponse [2-10] flexible 8;
    9 OffsetFetch offset_fetch::OffsetFetchRequest OffsetFetchResponse [1-10] flexible 6;
    10 FindCoordinator find_coordinator::FindCoordinatorRequest FindCoordinatorResponse [0-6] flexible 3;
    11 JoinGroup join_group::JoinGroupRequest JoinGroupResponse [0-9] flexible 6;
    12 Heartbeat heartbeat::HeartbeatRequest HeartbeatResponse [0-4] flexible 4;
    13 LeaveGroup leave_group::LeaveGroupRequest LeaveGroupResponse [0-5] flexible 4;
    14 SyncGroup sync_group::SyncGroupRequest SyncGroupResponse [0-5] flexible 4;
    15 DescribeGroups describe_groups::DescribeGroupsRequest DescribeGroupsResponse [0-6] flexible 5;
    16 ListGroups list_groups::ListGroupsRequest ListGroupsResponse [0-5] flexible 3;
    18 ApiVersions api_versions::ApiVersionsRequest ApiVersionsResponse [0-4] flexible 3;
    19 CreateTopics create_topics::CreateTopicsRequest CreateTopicsResponse [2-7] flexible 5;
    20 DeleteTopics delete_topics::DeleteTopicsRequest DeleteTopicsResponse [1-6] flexible 4;
    21 DeleteRecords delete_records::DeleteRecordsRequest DeleteRecordsResponse [0-2] flexible 2;
    22 InitProducerId init_producer_id::InitProducerIdRequest InitProducerIdResponse [0-5] flexible 2;
    23 OffsetForLeaderEpoch offset_for_leader_epoch::OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse [2-4] flexible 4;
    24 AddPartitionsToTxn add_partitions_to_txn::AddPartitionsToTxnRequest AddPartitionsToTxnResponse [0-5] flexible 3;
    25 AddOffsetsToTxn add_offsets_to_txn::AddOffsetsToTxnRequest AddOffsetsToTxnResponse [0-4] flexible 3;
    26 EndTxn end_txn::EndTxnRequest EndTxnResponse [0-5] flexible 3;
    27 WriteTxnMarkers write_txn_markers::WriteTxnMarkersRequest WriteTxnMarkersResponse [1-2] flexible 1;
    28 TxnOffsetCommit txn_offset_commit::TxnOffsetCommitRequest TxnOffsetCommitResponse [0-5] flexible 3;
    32 DescribeConfigs describe_configs::DescribeConfigsRequest DescribeConfigsResponse [1-4] flexible 4;
    33 AlterConfigs alter_configs::AlterConfigsRequest AlterConfigsResponse [0-2] flexible 2;
    35 DescribeLogDirs describe_log_dirs::DescribeLogDirsRequest DescribeLogDirsResponse [1-5] flexible 2;
    37 CreatePartitions create_partitions::CreatePartitionsRequest CreatePartitionsResponse [0-3] flexible 2;
    42 DeleteGroups delete_groups::DeleteGroupsRequest DeleteGroupsResponse [0-2] flexible 2;
    44 IncrementalAlterConfigs incremental_alter_configs::IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse [0-1] flexible 1;
    47 OffsetDelete offset_delete::OffsetDeleteRequest OffsetDeleteResponse [0-0] flexible 1;
    57 UpdateFeatures update_features::UpdateFeaturesRequest UpdateFeaturesResponse [0-2] flexible 0;
    60 DescribeCluster describe_cluster::DescribeClusterRequest DescribeClusterResponse [0-2] flexible 0;
    61 DescribeProducers describe_producers::DescribeProducersRequest DescribeProducersResponse [0-0] flexible 0;
    65 DescribeTransactions describe_transactions::DescribeTransactionsRequest DescribeTransactionsResponse [0-0] flexible 0;
    66 ListTransactions list_transactions::ListTransactionsRequest ListTransactionsResponse [0-2] flexible 0;
    68 ConsumerGroupHeartbeat consumer_group_heartbeat::ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse [0-1] flexible 0;
    69 ConsumerGroupDescribe consumer_group_describe::ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse [0-1] flexible 0;
    74 ListConfigResources list_config_resources::ListConfigResourcesRequest ListConfigResourcesResponse [0-1] flexible 0;
    75 DescribeTopicPartitions describe_topic_partitions::DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse [0-0] flexible 0;
}

impl ApiKey {
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// How a body of this version is read and written. Versions newer than ours count as flexible, as in Kafka.
    pub const fn codec(self, version: i16) -> Codec {
        Codec::new(version, version >= self.spec().flexible_since)
    }

    /// Whether the request's header ends with tagged fields (header version 2; else 1).
    pub const fn has_flexible_request_header(self, version: i16) -> bool {
        version >= self.spec().flexible_since
    }

    /// Whether the response's header ends with tagged fields (header version 1; else 0). Never for ApiVersions: a client that
    /// asks in a version we do not know must be able to read the answer.
    pub const fn has_flexible_response_header(self, version: i16) -> bool {
        !matches!(self, ApiKey::ApiVersions) && version >= self.spec().flexible_since
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
