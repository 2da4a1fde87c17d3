//! DescribeConfigs: key 32, versions 1-4. Types and documentation from version 3 on.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for the configs of topics, brokers and other resources.
    pub struct DescribeConfigsRequest {
        pub resources: Vec<DescribeConfigsResource> [0+],
        pub include_synonyms: bool [1+],
        pub include_documentation: bool [3+],
    }

    /// One resource; null keys ask for all of its configs.
    pub struct DescribeConfigsResource {
        /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        pub resource_type: i8 [0+],
        pub resource_name: Str [0+],
        pub configuration_keys: Option<Vec<Str>> [0+, null 0+],
    }

    /// The configs, by resource.
    pub struct DescribeConfigsResponse {
        pub throttle_time_ms: i32 [0+],
        pub results: Vec<DescribeConfigsResult> [0+],
    }

    /// One resource's configs.
    pub struct DescribeConfigsResult {
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub resource_type: i8 [0+],
        pub resource_name: Str [0+],
        pub configs: Vec<DescribeConfigsResourceResult> [0+],
    }

    /// One config and where its value comes from.
    pub struct DescribeConfigsResourceResult {
        pub name: Str [0+],
        pub value: Option<Str> [0+, null 0+],
        pub read_only: bool [0+],
        /// 1 topic, 2 broker, 3 all brokers' default, 4 static broker, 5 default, 6 broker logger, 7 client metrics, 8 group.
        pub config_source: i8 [1+, ignorable] = -1,
        pub is_sensitive: bool [0+],
        pub synonyms: Vec<DescribeConfigsSynonym> [1+, ignorable],
        /// 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
        pub config_type: i8 [3+, ignorable],
        pub documentation: Option<Str> [3+, null 0+, ignorable],
    }

    /// A place where the config's value could come from, the strongest first.
    pub struct DescribeConfigsSynonym {
        pub name: Str [1+],
        pub value: Option<Str> [1+, null 0+],
        pub source: i8 [1+],
    }
}
