//! The controller as the rest of the node sees it: open, submit, subscribe.
//!
//! Runs on the controller core; requests of other cores come over the mesh. Start-up replays snapshot and log, leads a new
//! term, and gives a new cluster its id.

use super::delta::MetadataDelta;
use super::driver::{Driver, Publication, Published, Submission};
use super::features::first_levels;
use super::handler::HandlerContext;
use super::image::MetadataImage;
use super::placement::Placement;
use super::raft_log::{MetadataLog, OpenError, Origin, Recovered};
use super::raft_node::{RaftNode, raft_id};
use super::record::{ClusterRecord, Record, decode_batch};
use super::request::{ControllerReply, ControllerRequest};
use crate::config::BrokerConfig;
use crate::rt::sync::{Event, QueueReceiver, QueueSender, oneshot, queue};
use crate::rt::{Queue, random_u64, spawn};
use crate::types::{ErrorCode, ShardId, TopicId, TopicPartitionId};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// A snapshot is taken when the log grew by so many bytes, or by as many as the last snapshot has: replay at start stays short,
/// and snapshots of a large cluster rare.
const LOG_BYTES_BEFORE_SNAPSHOT: u64 = 4 << 20;

/// How to open a controller.
pub struct ControllerConfig {
    /// What this node was started with.
    pub broker: Rc<BrokerConfig>,
    /// What the log directories say; `None`: they are new, and so may the cluster be.
    pub cluster_id: Option<String>,
    /// Shards of this process, over which its partitions are spread.
    pub shard_count: usize,
    /// The first records of a cluster that begins here but has lived elsewhere, its id among them; without any it begins empty.
    pub first_records: Vec<Record>,
}

/// See the module's header.
pub struct Controller {
    submissions: QueueSender<Submission>,
    published: Rc<Published>,
    broker: Rc<BrokerConfig>,
}

impl Controller {
    /// Reads the metadata of `dir`, or begins a new cluster there. The directory must exist, its name durable (sync its parent
    /// after making it), and be locked by this process.
    pub async fn open(dir: &Path, config: ControllerConfig) -> Result<Rc<Controller>, OpenError> {
        Controller::open_with(dir, config, LOG_BYTES_BEFORE_SNAPSHOT).await
    }

    /// As [`Controller::open`], with a snapshot each time the log grew by so many bytes.
    pub(super) async fn open_with(dir: &Path, config: ControllerConfig, log_bytes: u64) -> Result<Rc<Controller>, OpenError> {
        let id = raft_id(config.broker.node_id);
        let (log, recovered) = MetadataLog::open(dir, Origin { node: id, voters: vec![id] }).await?;
        let image = snapshot_image(dir, &recovered)?;
        let placement = Placement::new(config.broker.node_id, config.shard_count);
        let published = Rc::new(Published::new(image.clone(), placement));
        let node = RaftNode::new(id, &recovered);
        let mut driver = Driver::new(node, log, image, Rc::clone(&config.broker), Rc::clone(&published), log_bytes);
        start(&mut driver, config.cluster_id, config.first_records).await.map_err(|error| match error {
            StartError::Io(error) => OpenError::Io { path: dir.to_owned(), error },
            StartError::ForeignCluster { found, expected } => OpenError::ForeignCluster { found, expected },
        })?;
        let (submissions, receiver) = queue();
        spawn(Queue::Replication, driver.run(receiver));
        Ok(Rc::new(Controller { submissions, published, broker: config.broker }))
    }

    /// Completes when the request's records are durable and their image is published. Before the answer goes to a client, every
    /// shard must have the image of the reply's version.
    pub async fn submit(&self, request: ControllerRequest) -> ControllerReply {
        let (reply, answer) = oneshot();
        match self.submissions.send(Submission { request, reply }) {
            Ok(()) => answer.await.expect("the driver answers what it takes"),
            Err(submission) => self.published.refuse(submission.request, &self.broker),
        }
    }

    /// The newest published image.
    pub fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.published.image.borrow())
    }

    /// The placement that belongs to [`Controller::image`].
    pub fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.published.placement.borrow())
    }

    /// Makes another shard the owner of a partition, in the placement of now and of all publications to come; the placement. Whether the
    /// shards have handed the partition over is the caller's to know.
    pub fn relocate(&self, id: TopicPartitionId, to: ShardId) -> Arc<Placement> {
        let mut placement = Placement::clone(&self.published.placement.borrow());
        placement.relocate(id, to);
        self.published.placement.replace(Arc::new(placement));
        self.placement()
    }

    /// The log failed: everything is refused with KAFKA_STORAGE_ERROR until a restart.
    pub fn is_failed(&self) -> bool {
        self.published.is_failed.get()
    }

    /// Completes when the log has failed.
    pub async fn failed(&self) {
        loop {
            let failed = self.published.failed.listen();
            if self.is_failed() {
                return;
            }
            failed.await;
        }
    }

    /// The newest image, as a change from nothing, and the stream of all later ones, in order. An image is in the stream before
    /// any reply that depends on it is given.
    pub fn subscribe(&self) -> (Publication, QueueReceiver<Publication>) {
        let (sender, receiver) = queue();
        self.published.subscribers.borrow_mut().push(sender);
        let image = self.image();
        let delta = Arc::new(MetadataDelta::everything(&image));
        (Publication { image, delta, placement: self.placement() }, receiver)
    }
}

impl Published {
    fn new(image: MetadataImage, mut placement: Placement) -> Published {
        placement.apply(&MetadataDelta::everything(&image));
        Published {
            image: Arc::new(image).into(),
            placement: Arc::new(placement).into(),
            subscribers: Vec::new().into(),
            is_failed: false.into(),
            failed: Event::default(),
        }
    }

    /// The answer to what is asked when the log has failed.
    pub fn refuse(&self, request: ControllerRequest, broker: &BrokerConfig) -> ControllerReply {
        let image = Arc::clone(&self.image.borrow());
        let mut random = random_u64;
        let (_, response) = request.handle(&mut HandlerContext { image: &image, broker, random: &mut random });
        ControllerReply { version: image.version(), response: response.refused(ErrorCode::KafkaStorageError) }
    }
}

/// The image of the snapshot; also makes sure that the entries after it are understood.
fn snapshot_image(dir: &Path, recovered: &Recovered) -> Result<MetadataImage, OpenError> {
    let damaged = |reason: String| OpenError::Damaged { path: dir.to_owned(), reason };
    for entry in &recovered.entries {
        decode_batch(&entry.data).map_err(|error| damaged(format!("entry {}: {error}", entry.index)))?;
    }
    let mut image = MetadataImage::default();
    if let Some(snapshot) = &recovered.snapshot {
        let records = decode_batch(&snapshot.records).map_err(|error| damaged(format!("the snapshot: {error}")))?;
        records.iter().for_each(|record| image.replay(record));
        image.advance_version(snapshot.index);
    }
    Ok(image)
}

enum StartError {
    Io(std::io::Error),
    ForeignCluster { found: String, expected: String },
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> StartError {
        StartError::Io(error)
    }
}

/// Applies the whole log; in a new cluster writes its first records.
async fn start(driver: &mut Driver, cluster_id: Option<String>, mut first_records: Vec<Record>) -> Result<(), StartError> {
    driver.commit().await?;
    if driver.committed.cluster_id().is_empty() {
        if first_records.is_empty() {
            let cluster_id = cluster_id.clone().unwrap_or_else(new_cluster_id);
            first_records = vec![Record::Cluster(ClusterRecord { cluster_id: cluster_id.as_str().into() })];
            first_records.extend(first_levels());
        }
        driver.propose(&first_records).await?;
        driver.commit().await?;
    }
    let found = driver.committed.cluster_id();
    match cluster_id {
        Some(expected) if expected != found => Err(StartError::ForeignCluster { found: found.to_owned(), expected }),
        _ => Ok(()),
    }
}

fn new_cluster_id() -> String {
    loop {
        let bits = u128::from(random_u64()) << 64 | u128::from(random_u64());
        let id = TopicId(bits.to_be_bytes()).to_string();
        // As in Kafka: tools would take a dash for an option.
        if !id.starts_with('-') {
            return id;
        }
    }
}
