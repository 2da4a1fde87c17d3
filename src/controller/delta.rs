//! What changed between two images, for those who follow the metadata: shards open, grow and delete partitions by it.
//!
//! Pure.

use super::image::{MetadataImage, TopicImage};
use super::record::{ConfigResource, Record};
use crate::types::TopicId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The difference between an image and the one before it; each list is sorted by topic id or resource.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MetadataDelta {
    pub topics_created: Vec<Arc<TopicImage>>,
    /// With new partitions, or partitions of another state, as they are now.
    pub topics_changed: Vec<Arc<TopicImage>>,
    /// As they last were.
    pub topics_deleted: Vec<Arc<TopicImage>>,
    /// Resources on which a config was set or taken away; those of deleted topics are not named.
    pub configs_changed: Vec<ConfigResource>,
    /// A broker was registered, moved or fenced.
    pub brokers_changed: bool,
}

impl MetadataDelta {
    /// From no image at all to `image`.
    pub fn everything(image: &MetadataImage) -> MetadataDelta {
        let mut topics_created: Vec<_> = image.topics().cloned().collect();
        topics_created.sort_by_key(|topic| topic.id);
        MetadataDelta {
            topics_created,
            configs_changed: image.configured_resources().map(|(resource, _)| resource.clone()).collect(),
            brokers_changed: image.brokers().next().is_some(),
            ..MetadataDelta::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == MetadataDelta::default()
    }
}

/// Remembers what a run of records names, so that only that is compared.
#[derive(Default)]
pub struct Touched {
    topics: BTreeSet<TopicId>,
    configs: BTreeSet<ConfigResource>,
    brokers: bool,
}

impl Touched {
    pub fn note(&mut self, record: &Record) {
        match record {
            Record::Topic(r) => drop(self.topics.insert(r.topic_id)),
            Record::Partition(r) => drop(self.topics.insert(r.topic_id)),
            Record::RemoveTopic(r) => drop(self.topics.insert(r.topic_id)),
            Record::Config(r) => drop(self.configs.insert(r.resource.clone())),
            Record::RegisterBroker(_) => self.brokers = true,
            Record::Cluster(_) | Record::FeatureLevel(_) | Record::ProducerIds(_) => {}
        }
    }

    /// What the noted records changed between the image before the first and the one after the last.
    pub fn delta(self, before: &MetadataImage, after: &MetadataImage) -> MetadataDelta {
        let mut delta = MetadataDelta { brokers_changed: self.brokers, ..MetadataDelta::default() };
        for id in self.topics {
            match (before.topic(id), after.topic(id)) {
                (None, Some(topic)) => delta.topics_created.push(Arc::clone(topic)),
                (Some(topic), None) => delta.topics_deleted.push(Arc::clone(topic)),
                (Some(_), Some(topic)) => delta.topics_changed.push(Arc::clone(topic)),
                (None, None) => {}
            }
        }
        let changed = |resource: &ConfigResource| before.configs(resource) != after.configs(resource);
        delta.configs_changed = self.configs.into_iter().filter(changed).collect();
        delta
    }
}
