//! DescribeCluster: key 60, versions 0-2. Endpoint types from version 1 on: 1 brokers, 2 controllers. Fenced brokers from 2.

use crate::types::{ErrorCode, NodeId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for the cluster's id and members.
    pub struct DescribeClusterRequest {
        pub include_cluster_authorized_operations: bool [0+],
        pub endpoint_type: i8 [1+] = 1,
        pub include_fenced_brokers: bool [2+],
    }

    /// The cluster's id and members.
    pub struct DescribeClusterResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub endpoint_type: i8 [1+] = 1,
        pub cluster_id: Str [0+],
        pub controller_id: NodeId [0+] = NodeId(-1),
        pub brokers: Vec<DescribeClusterBroker> [0+],
        /// Bits by operation; `i32::MIN`: not asked for.
        pub cluster_authorized_operations: i32 [0+] = i32::MIN,
    }

    /// A member and where it is reached.
    pub struct DescribeClusterBroker {
        pub broker_id: NodeId [0+],
        pub host: Str [0+],
        pub port: i32 [0+],
        pub rack: Option<Str> [0+, null 0+],
        pub is_fenced: bool [2+],
    }
}
