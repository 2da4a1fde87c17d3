//! What the handlers make of requests. The messages are those that Apache Kafka 4.3.1 gave to the same requests.

use super::script::{Cluster, check};
use crate::controller::record::{decode_batch, encode_batch};
use crate::controller::{ControllerRequest, ControllerResponse, MetadataImage};
use crate::wire::api::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};

#[test]
fn topics_are_made_and_refused_one_by_one() {
    check(
        &mut Cluster::new(1, &["num.partitions=3"]),
        "
        > create a 2 1 retention.ms=5 | b -1 -1
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          + partition a-1 replicas=1 isr=1 leader=1
          + config topic:a retention.ms=5
          + topic b
          + partition b-0 replicas=1 isr=1 leader=1
          + partition b-1 replicas=1 isr=1 leader=1
          + partition b-2 replicas=1 isr=1 leader=1
          a: ok partitions=2 factor=1
          b: ok partitions=3 factor=1
        > create a 1 1 | c 1 1
          + topic c
          + partition c-0 replicas=1 isr=1 leader=1
          a: TOPIC_ALREADY_EXISTS Topic 'a' already exists.
          c: ok partitions=1 factor=1
        > create d 1 1 | d 2 1 | e 1 1
          + topic e
          + partition e-0 replicas=1 isr=1 leader=1
          d: INVALID_REQUEST Duplicate topic name.
          e: ok partitions=1 factor=1
        > ? create f 1 1 | a 1 1
          f: ok partitions=1 factor=1
          a: TOPIC_ALREADY_EXISTS Topic 'a' already exists.
        > create f 1 1
          + topic f
          + partition f-0 replicas=1 isr=1 leader=1
          f: ok partitions=1 factor=1
        > create x 1 3 | x 1 3
          x: INVALID_REQUEST Duplicate topic name.
        > create x 1 3
          x: INVALID_REPLICATION_FACTOR Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.
        > create x 1 0
          x: INVALID_REPLICATION_FACTOR Replication factor must be larger than 0, or -1 to use the default value.
        > create x 1 -2
          x: INVALID_REPLICATION_FACTOR Replication factor must be larger than 0, or -1 to use the default value.
        > create x 0 1
          x: INVALID_PARTITIONS Number of partitions was set to an invalid non-positive value.
        > create x -5 1
          x: INVALID_PARTITIONS Number of partitions was set to an invalid non-positive value.
        > create x 0 0
          x: INVALID_REPLICATION_FACTOR Replication factor must be larger than 0, or -1 to use the default value.
        > create _ 1 1 | .. 1 1 | a~b 1 1 | __cluster_metadata 1 1
          : INVALID_TOPIC_EXCEPTION Topic name is invalid: the empty string is not allowed
          ..: INVALID_TOPIC_EXCEPTION Topic name is invalid: '..' is not allowed
          a b: INVALID_TOPIC_EXCEPTION Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'
          __cluster_metadata: INVALID_REQUEST Creation of internal topic __cluster_metadata is prohibited.
        > create dot.ted 1 1
          + topic dot.ted
          + partition dot.ted-0 replicas=1 isr=1 leader=1
          dot.ted: ok partitions=1 factor=1
        > create dot_ted 1 1
          dot_ted: INVALID_TOPIC_EXCEPTION Topic 'dot_ted' collides with existing topic: dot.ted
        > create in.request 1 1 | in_request 1 1
          + topic in.request
          + partition in.request-0 replicas=1 isr=1 leader=1
          in.request: ok partitions=1 factor=1
          in_request: INVALID_TOPIC_EXCEPTION Topic 'in_request' collides with existing topic: in.request
        > create x 10001 1 | y 1 1
          x: POLICY_VIOLATION Excessively large number of partitions per request.
          y: POLICY_VIOLATION Excessively large number of partitions per request.
        > create x 5000 1 | y 5001 1
          x: POLICY_VIOLATION Excessively large number of partitions per request.
          y: POLICY_VIOLATION Excessively large number of partitions per request.
        ",
    );
}

#[test]
fn topics_take_replicas_by_hand() {
    check(
        &mut Cluster::new(3, &[]),
        "
        > create a @1,2;3,1
          + topic a
          + partition a-0 replicas=1,2 isr=1,2 leader=1
          + partition a-1 replicas=3,1 isr=3,1 leader=3
          a: ok partitions=2 factor=2
        > create b @1:2;0:3
          + topic b
          + partition b-0 replicas=3 isr=3 leader=3
          + partition b-1 replicas=2 isr=2 leader=2
          b: ok partitions=2 factor=1
        > create x @9
          x: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker 9, but no such broker is registered.
        > create x @1,1
          x: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes the broker 1 more than once.
        > create x @-1
          x: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker -1, but no such broker is registered.
        > create x @1;1,2
          x: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s).
        > create x @1:1
          x: INVALID_REPLICA_ASSIGNMENT partitions should be a consecutive 0-based integer sequence
        > create x @0:1;0:2
          x: INVALID_REPLICA_ASSIGNMENT Found multiple manual partition assignments for partition 0
        > create x @0:
          x: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes an empty replica list.
        ",
    );
    let mut cluster = Cluster::new(1, &[]);
    let assigned = |num_partitions, replication_factor| CreatableTopic {
        num_partitions,
        replication_factor,
        assignments: vec![Default::default()],
        name: "a".into(),
        ..Default::default()
    };
    for (topic, what) in [(assigned(1, -1), "numPartitions"), (assigned(-1, 1), "replication factor")] {
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let (_, ControllerResponse::CreateTopics(response)) = cluster.submit(ControllerRequest::CreateTopics(request)) else { panic!() };
        let expected = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        assert_eq!(response.topics[0].error_message.as_deref(), Some(&*expected));
    }
}

#[test]
fn configs_of_new_topics_are_checked() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > create x 1 1 nope=1
          x: INVALID_CONFIG Unknown topic config name: nope
        > create x 1 1 retention.ms=abc
          x: INVALID_CONFIG Invalid value abc for configuration retention.ms: Not a number of type LONG
        > create x 1 1 retention.ms
          x: INVALID_CONFIG Null value not supported for topic configs: retention.ms
        > create x 1 1 cleanup.policy=bogus
          x: INVALID_CONFIG Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete
        > create x 1 7 retention.ms=abc
          x: INVALID_CONFIG Invalid value abc for configuration retention.ms: Not a number of type LONG
        > create x 1 1 max.compaction.lag.ms=1 min.compaction.lag.ms=2
          x: INVALID_CONFIG conflict topic config setting min.compaction.lag.ms (2) > max.compaction.lag.ms (1)
        > create x 1 1 cleanup.policy=compact,delete
          + topic x
          + partition x-0 replicas=1 isr=1 leader=1
          + config topic:x cleanup.policy=compact,delete
          x: ok partitions=1 factor=1
        > create x 1 1 retention.ms=abc
          x: TOPIC_ALREADY_EXISTS Topic 'x' already exists.
        ",
    );
}

#[test]
fn a_new_topic_is_answered_with_all_its_configs() {
    let mut cluster = Cluster::new(1, &["log.segment.bytes=2097152"]);
    let config = CreatableTopicConfig { name: "retention.ms".into(), value: Some("5".into()) };
    let topic = CreatableTopic { name: "a".into(), num_partitions: 1, replication_factor: 1, configs: vec![config], ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], validate_only: true, ..Default::default() };
    let (records, response) = cluster.submit(ControllerRequest::CreateTopics(request));
    let ControllerResponse::CreateTopics(response) = response else { panic!() };
    let configs = response.topics[0].configs.as_ref().unwrap();
    let shown = |name: &str| {
        let config = configs.iter().find(|config| config.name == *name).unwrap();
        (config.value.as_deref().unwrap().to_owned(), config.config_source)
    };
    assert!(records.is_empty());
    assert!(configs.windows(2).all(|pair| pair[0].name < pair[1].name));
    // The sources' numbers are those of DescribeConfigs: topic, static broker, default.
    assert_eq!(shown("retention.ms"), ("5".to_owned(), 1));
    assert_eq!(shown("segment.bytes"), ("2097152".to_owned(), 4));
    assert_eq!(shown("cleanup.policy"), ("delete".to_owned(), 5));
}

#[test]
fn topics_are_deleted_by_name_or_id() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > create a 1 1 retention.ms=5 | b 1 1 | c 1 1 | d 1 1
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          + config topic:a retention.ms=5
          + topic b
          + partition b-0 replicas=1 isr=1 leader=1
          + topic c
          + partition c-0 replicas=1 isr=1 leader=1
          + topic d
          + partition d-0 replicas=1 isr=1 leader=1
          a: ok partitions=1 factor=1
          b: ok partitions=1 factor=1
          c: ok partitions=1 factor=1
          d: ok partitions=1 factor=1
        > delete a | #b | nope | #? | !
          + remove a
          + remove b
          a: ok
          b: ok
          nope: UNKNOWN_TOPIC_OR_PARTITION This server does not host this topic-partition.
          (no name): UNKNOWN_TOPIC_ID This server does not host this topic ID.
          (no name): INVALID_REQUEST Neither topic name nor id were specified.
        > delete c | c | d
          + remove d
          c: INVALID_REQUEST Duplicate topic name.
          d: ok
        > delete #c | c
          (no name): INVALID_REQUEST The provided topic name maps to an ID that was already supplied.
          c: INVALID_REQUEST The provided topic name maps to an ID that was already supplied.
        > create a 1 1
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          a: ok partitions=1 factor=1
        > delete c
          + remove c
          c: ok
        ",
    );
    check(
        &mut Cluster::new(1, &["delete.topic.enable=false"]),
        "
        > create a 1 1
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          a: ok partitions=1 factor=1
        > delete a | nope
          a: TOPIC_DELETION_DISABLED Topic deletion is disabled.
          nope: TOPIC_DELETION_DISABLED Topic deletion is disabled.
        ",
    );
}

#[test]
fn topics_grow() {
    check(
        &mut Cluster::new(2, &[]),
        "
        > create a 2 1
          + topic a
          + partition a-0 replicas=2 isr=2 leader=2
          + partition a-1 replicas=1 isr=1 leader=1
          a: ok partitions=2 factor=1
        > partitions a 3 | nope 3
          + partition a-2 replicas=1 isr=1 leader=1
          a: ok
          nope: UNKNOWN_TOPIC_OR_PARTITION
        > partitions a 3
          a: INVALID_PARTITIONS Topic already has 3 partition(s).
        > partitions a 2
          a: INVALID_PARTITIONS The topic a currently has 3 partition(s); 2 would not be an increase.
        > partitions a -1
          a: INVALID_PARTITIONS The topic a currently has 3 partition(s); -1 would not be an increase.
        > ? partitions a 4
          a: ok
        > partitions a 5 @1
          a: INVALID_REPLICA_ASSIGNMENT Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.
        > partitions a 4 @1;2
          a: INVALID_REPLICA_ASSIGNMENT Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified.
        > partitions a 4 @9
          a: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker 9, but no such broker is registered.
        > partitions a 4 @1,1
          a: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes the broker 1 more than once.
        > partitions a 4 @1,2
          a: INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s).
        > partitions a 4 | a 5
          a: INVALID_REQUEST Duplicate topic name.
        > partitions a 10004
          a: POLICY_VIOLATION Excessively large number of partitions per request.
        > partitions a 4 @2
          + partition a-3 replicas=2 isr=2 leader=2
          a: ok
        ",
    );
}

#[test]
fn configs_are_changed_one_by_one() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > create a 1 1
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          a: ok partitions=1 factor=1
        > alter topic:a retention.ms=5000 | topic:nope retention.ms=1
          + config topic:a retention.ms=5000
          a: ok
          nope: UNKNOWN_TOPIC_OR_PARTITION The topic 'nope' does not exist.
        > alter topic:a retention.ms=x
          a: INVALID_CONFIG Invalid value x for configuration retention.ms: Not a number of type LONG
        > alter topic:a nope=x
          a: INVALID_CONFIG Unknown topic config name: nope
        > alter topic:a nope!
          a: ok
        > alter topic:a retention.ms+=1
          a: INVALID_CONFIG Can't APPEND to key retention.ms because its type is not LIST.
        > alter topic:a cleanup.policy+=compact
          + config topic:a cleanup.policy=delete,compact
          a: ok
        > alter topic:a cleanup.policy+=compact
          a: ok
        > alter topic:a cleanup.policy-=delete
          + config topic:a cleanup.policy=compact
          a: ok
        > alter topic:a cleanup.policy+=bogus
          a: INVALID_CONFIG Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete
        > alter topic:a retention.ms
          a: INVALID_REQUEST Null value not supported for : retention.ms
        > alter topic:a retention.ms!
          + config topic:a retention.ms unset
          a: ok
        > alter topic:a retention.ms=1 retention.ms=2
          a: INVALID_REQUEST Error due to duplicate config keys
        > alter topic:a retention.ms=1 segment.bytes=x
          a: INVALID_CONFIG Invalid value x for configuration segment.bytes: Not a number of type INT
        > alter topic:a min.insync.replicas=0
          a: INVALID_CONFIG Invalid value 0 for configuration min.insync.replicas: Value must be at least 1
        > alter topic: retention.ms=1
          : INVALID_REQUEST Default topic resources are not allowed.
        > alter topic:a/b retention.ms=1
          a/b: INVALID_TOPIC_EXCEPTION Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'
        > alter 0:a retention.ms=1
          a: INVALID_REQUEST Unknown resource type 0
        > alter topic:a retention.ms=1 | topic:a retention.ms=2
          a: INVALID_REQUEST Each resource must appear at most once.
          a: INVALID_REQUEST Each resource must appear at most once.
        > ? alter topic:a retention.ms=1
          a: ok
        > alter topic:a
          a: ok
        ",
    );
}

#[test]
fn broker_configs_are_changed() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > alter broker:1 log.retention.ms=5000
          + config broker:1 log.retention.ms=5000
          1: ok
        > alter cluster log.retention.ms=6000 max.connections=7
          + config cluster log.retention.ms=6000
          + config cluster max.connections=7
          : ok
        > alter broker:1 log.retention.ms=zz
          1: INVALID_REQUEST Invalid value zz for configuration log.retention.ms: Not a number of type LONG
        > alter broker:1 log.dirs=a
          1: INVALID_REQUEST Cannot update these configs dynamically: [log.dirs]
        > alter cluster log.dirs=a
          : INVALID_REQUEST Cannot update these configs dynamically: [log.dirs]
        > alter broker:1 node.id=7
          1: INVALID_REQUEST Cannot update these configs dynamically: [node.id]
        > alter broker:1 nope=7
          + config broker:1 nope=7
          1: ok
        > alter broker:9 log.retention.ms=1
          9: INVALID_REQUEST Unexpected broker id, expected 1, but received 9
        > alter broker:x log.retention.ms=1
          x: INVALID_REQUEST Node id must be an integer, but it is: x
        > alter broker:1 log.retention.ms!
          + config broker:1 log.retention.ms unset
          1: ok
        ",
    );
}

#[test]
fn the_older_request_replaces_all_configs() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > create a 1 1 retention.ms=5 segment.ms=6
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          + config topic:a retention.ms=5
          + config topic:a segment.ms=6
          a: ok partitions=1 factor=1
        > replace topic:a retention.ms=7 cleanup.policy=compact
          + config topic:a cleanup.policy=compact
          + config topic:a retention.ms=7
          + config topic:a segment.ms unset
          a: ok
        > replace topic:a retention.ms=x | topic:nope
          a: INVALID_CONFIG Invalid value x for configuration retention.ms: Not a number of type LONG
          nope: UNKNOWN_TOPIC_OR_PARTITION The topic 'nope' does not exist.
        > replace topic:a retention.ms
          a: INVALID_REQUEST Null value not supported for : retention.ms
        > replace topic:a retention.ms=1 retention.ms=2
          a: INVALID_REQUEST Error due to duplicate config keys
        > ? replace topic:a
          a: ok
        > replace topic:a
          + config topic:a cleanup.policy unset
          + config topic:a retention.ms unset
          a: ok
        > replace cluster log.retention.ms=5
          + config cluster log.retention.ms=5
          : ok
        > replace cluster log.dirs=x
          : INVALID_REQUEST Cannot update these configs dynamically: [log.dirs]
        > replace 16:g x=1
          g: INVALID_REQUEST Unknown resource type 16
        > replace 32:g x=1
          g: INVALID_CONFIG Unknown group config name: x
        > replace 32: consumer.session.timeout.ms=50000
          : INVALID_REQUEST Default group resources are not allowed.
        > replace 32:g consumer.session.timeout.ms=50000
          + config group:g consumer.session.timeout.ms=50000
          g: ok
        > replace 32:g consumer.heartbeat.interval.ms=1
          g: INVALID_CONFIG consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms
        > replace 32:g
          + config group:g consumer.session.timeout.ms unset
          g: ok
        ",
    );
}

#[test]
fn metadata_requests_make_topics() {
    check(
        &mut Cluster::new(1, &["num.partitions=2"]),
        "
        > auto-create a b
          + topic a
          + partition a-0 replicas=1 isr=1 leader=1
          + partition a-1 replicas=1 isr=1 leader=1
          + topic b
          + partition b-0 replicas=1 isr=1 leader=1
          + partition b-1 replicas=1 isr=1 leader=1
          a: ok
          b: ok
        > auto-create a c..d e/f
          + topic c..d
          + partition c..d-0 replicas=1 isr=1 leader=1
          + partition c..d-1 replicas=1 isr=1 leader=1
          a: ok
          c..d: ok
          e/f: INVALID_TOPIC_EXCEPTION
        ",
    );
    check(
        &mut Cluster::new(1, &["default.replication.factor=2"]),
        "
        > auto-create a
          a: INVALID_REPLICATION_FACTOR
        ",
    );
}

#[test]
fn producer_ids_are_given_once() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > producer-ids 1
          + producer ids broker=1 next=1000
          Ok(ProducerIdBlock { first: ProducerId(0), len: 1000 })
        > producer-ids 1
          + producer ids broker=1 next=2000
          Ok(ProducerIdBlock { first: ProducerId(1000), len: 1000 })
        > producer-ids 2
          Err(BrokerIdNotRegistered)
        ",
    );
}

#[test]
fn features_go_up_and_down_all_of_a_request_or_none() {
    check(
        &mut Cluster::new(1, &[]),
        "
        > features metadata.version 29 | transaction.version 1
          + feature metadata.version=29
          + feature transaction.version=1
          all: ok
          metadata.version: ok
          transaction.version: ok
        > ? features transaction.version 2
          all: ok
          transaction.version: ok
        > features transaction.version 2 | no.such.version 1
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version 1 for feature no.such.version. The controller does not support this feature.
        > features transaction.version 0
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version 0 for feature transaction.version. Can't downgrade the version of this feature without setting the upgrade type to a downgrade.
        > features transaction.version 2 2
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version 2 for feature transaction.version. Can't downgrade to a newer version.
        > features transaction.version 1 9
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version 1 for feature transaction.version. The controller does not support the given upgrade type.
        > features transaction.version 3
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version 3 for feature transaction.version. The controller only supports versions 0-2.
        > features transaction.version -1
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version -1 for feature transaction.version. A feature version cannot be less than 0.
        > features metadata.version 28 3
          all: INVALID_UPDATE_VERSION The update failed for all features since the following feature had an error: Invalid update version 28 for feature metadata.version. The metadata cannot be taken back to an older version.
        > features transaction.version 0 2 | transaction.version 1
          + feature transaction.version=1
          all: ok
          transaction.version: ok
          transaction.version: ok
        ",
    );
}

#[test]
fn the_records_alone_give_the_image_and_so_does_its_snapshot() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.run(
        "create a.b 3 1 retention.ms=5 | b 2 2 | c 1 1
         partitions a.b 5
         alter cluster log.retention.ms=6000 | topic:b segment.ms=1000000
         delete c
         producer-ids 2",
    );
    let replayed = |bytes: &[u8]| {
        let mut image = MetadataImage::default();
        decode_batch(bytes).unwrap().iter().for_each(|record| image.replay(record));
        image
    };
    assert_eq!(replayed(&encode_batch(&cluster.log)), cluster.image);
    assert_eq!(replayed(&encode_batch(&cluster.image.to_records())), cluster.image);
}
