use super::*;
use crate::controller::delta::{MetadataDelta, Touched};
use crate::controller::record::{ConfigRecord, RemoveTopicRecord, TopicRecord};

fn topic(name: &str, id: u8) -> Record {
    Record::Topic(TopicRecord { name: name.into(), topic_id: TopicId([id; 16]) })
}

fn partition(id: u8, index: i32, epoch: i32) -> Record {
    Record::Partition(PartitionRecord {
        topic_id: TopicId([id; 16]),
        partition: PartitionIndex(index),
        replicas: vec![NodeId(1)],
        isr: vec![NodeId(1)],
        directories: vec![[0; 16]],
        leader: NodeId(1),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
    })
}

fn config(resource: ConfigResource, name: &str, value: Option<&str>) -> Record {
    Record::Config(ConfigRecord { resource, name: name.into(), value: value.map(Into::into) })
}

fn apply(image: &MetadataImage, records: &[Record]) -> (MetadataImage, MetadataDelta) {
    let mut after = image.clone();
    let mut touched = Touched::default();
    for record in records {
        after.replay(record);
        touched.note(record);
    }
    let delta = touched.delta(image, &after);
    (after, delta)
}

fn names(topics: &[Arc<TopicImage>]) -> Vec<&str> {
    topics.iter().map(|t| &*t.name).collect()
}

#[test]
fn topics_come_grow_and_go_and_earlier_images_stay() {
    let empty = MetadataImage::default();
    let (one, delta) =
        apply(&empty, &[topic("a.b", 1), partition(1, 0, 0), config(ConfigResource::topic("a.b"), "retention.ms", Some("1"))]);
    assert_eq!(names(&delta.topics_created), ["a.b"]);
    assert_eq!(delta.configs_changed, [ConfigResource::topic("a.b")]);
    assert_eq!(one.colliding_topic("a_b"), Some("a.b"));

    let (two, delta) = apply(&one, &[partition(1, 1, 0), partition(1, 0, 1)]);
    assert_eq!((names(&delta.topics_changed), two.partition_count()), (vec!["a.b"], 2));

    let removal = Record::RemoveTopic(RemoveTopicRecord { topic_id: TopicId([1; 16]) });
    let (three, delta) = apply(&two, &[removal, topic("a.b", 2), partition(2, 0, 0)]);
    assert_eq!((delta.topics_created.len(), delta.topics_deleted.len()), (1, 1));
    assert_eq!(three.topic_by_name("a.b").unwrap().id, TopicId([2; 16]));
    assert!(three.configs(&ConfigResource::topic("a.b")).is_empty(), "a topic's configs go with it");
    assert_eq!(one.topic_by_name("a.b").unwrap().partitions.len(), 1, "earlier images stay as they were");
    assert_eq!(one.configs(&ConfigResource::topic("a.b")).len(), 1);
}

#[test]
fn a_topic_that_came_and_went_in_between_is_no_change() {
    let records = [topic("t", 1), partition(1, 0, 0), Record::RemoveTopic(RemoveTopicRecord { topic_id: TopicId([1; 16]) })];
    let (image, delta) = apply(&MetadataImage::default(), &records);
    assert!(delta.is_empty());
    assert_eq!((image.topic_count(), image.partition_count()), (0, 0));
}

#[test]
fn topics_are_listed_by_name_from_any_point() {
    let (image, _) = apply(&MetadataImage::default(), &[topic("c", 1), topic("a", 3), topic("b", 2)]);
    let list = |topics: Vec<&Arc<TopicImage>>| topics.iter().map(|t| t.name.to_string()).collect::<Vec<_>>();
    assert_eq!(list(image.topics().collect()), ["a", "b", "c"]);
    assert_eq!(list(image.topics_from("b").collect()), ["b", "c"]);
    assert_eq!(list(image.topics_from("bb").collect()), ["c"]);
    assert_eq!(list(image.topics_from("").collect()), ["a", "b", "c"]);
}

#[test]
fn a_config_taken_away_leaves_no_trace() {
    let resource = ConfigResource::broker(NodeId(1));
    let (image, _) = apply(&MetadataImage::default(), &[config(resource.clone(), "a", Some("1"))]);
    let (image, delta) = apply(&image, &[config(resource.clone(), "a", None)]);
    assert_eq!(delta.configs_changed, [resource]);
    assert_eq!(image, MetadataImage::default());
}
