//! DeleteTopics: key 20, versions 1-6. Names up to version 5; from 6 on names or ids.

use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Topics to delete.
    pub struct DeleteTopicsRequest {
        pub topics: Vec<DeleteTopicState> [6+],
        pub topic_names: Vec<Str> [0-5, ignorable],
        pub timeout_ms: i32 [0+],
    }

    /// A topic by name or by id.
    pub struct DeleteTopicState {
        pub name: Option<Str> [6+, null 6+],
        pub topic_id: TopicId [6+],
    }

    /// What became of each topic.
    pub struct DeleteTopicsResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub responses: Vec<DeletableTopicResult> [0+],
    }

    /// What became of one topic.
    pub struct DeletableTopicResult {
        pub name: Option<Str> [0+, null 6+],
        pub topic_id: TopicId [6+, ignorable],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [5+, null 5+, ignorable],
    }
}
