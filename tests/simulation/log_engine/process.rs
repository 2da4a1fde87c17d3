//! A broker's shards without the broker: directories, recovery, stores, traffic, clean stop, on as many cores as there are shards.

use super::ledger::Ledger;
use super::traffic;
use ringmill::log::{LogConfig, LogDirs, LogDirsInfo, LogStore, OpenError, PartitionLog, ShardClosed, TopicLogConfig, recover};
use ringmill::rt::{self, CoreSpec, Mesh, MeshSender};
use ringmill::types::{PartitionIndex, ShardId, TopicPartitionId};
use std::rc::Rc;
use std::time::Duration;

/// What the shards tell each other while they start and stop; shard 0 leads.
pub enum Note {
    Dirs(LogDirsInfo),
    Recovered,
    Open,
    Closed(ShardClosed),
}

/// The cores of one process.
pub fn shards(config: &LogConfig, topic: &TopicLogConfig, shard_count: u16, ledger: &Ledger) -> Vec<CoreSpec> {
    let ends = Mesh::ends(usize::from(shard_count), 8, true).into_iter().zip(0..);
    let core = |(end, index): (Mesh<Note>, u16)| {
        let shard = Shard { index, shard_count, config: config.clone(), topic: topic.clone(), ledger: ledger.clone() };
        CoreSpec { name: format!("shard-{index}"), cpu: None, main: Box::new(move || Box::pin(shard.run(end))) }
    };
    ends.map(core).collect()
}

struct Shard {
    index: u16,
    shard_count: u16,
    config: LogConfig,
    topic: TopicLogConfig,
    ledger: Ledger,
}

impl Shard {
    async fn run(self, mut mesh: Mesh<Note>) {
        let sender = mesh.sender();
        let (dirs, store) = match self.start(&mut mesh, &sender).await {
            Ok(started) => started,
            Err(error) => {
                assert!(self.may_fail(), "the start fails: {error}");
                self.ledger.lock().start_failed = true;
                // The others wait for this shard until the test ends them all.
                return std::future::pending().await;
            }
        };
        self.ledger.lock().opened_count += 1;
        while !self.ledger.lock().stop {
            self.share_failures(&store);
            rt::sleep(Duration::from_millis(2)).await;
        }
        let closed = store.close().await;
        self.stop(dirs, closed, &mut mesh, &sender).await;
    }

    /// What the controller's core does: a log directory that fails on one shard fails on all.
    fn share_failures(&self, store: &LogStore) {
        let contents = &mut *self.ledger.lock();
        for failure in store.failures() {
            if contents.failures.iter().all(|known| known.index != failure.index) {
                contents.failures.push(failure);
            }
        }
        contents.failures.iter().for_each(|failure| store.take_offline(failure));
        for slot in contents.slots.iter_mut().filter(|slot| slot.index % usize::from(self.shard_count) == usize::from(self.index)) {
            let id = TopicPartitionId { topic_id: slot.topic_id(), partition: PartitionIndex(slot.index as i32) };
            slot.online = store.partition(id).is_some_and(|log| !log.is_offline());
        }
    }

    /// Whether the disk fails now and then.
    fn may_fail(&self) -> bool {
        self.ledger.lock().disk_fails
    }

    async fn start(&self, mesh: &mut Mesh<Note>, sender: &MeshSender<Note>) -> Result<(Option<LogDirs>, Rc<LogStore>), OpenError> {
        let dirs = if self.index == 0 { Some(LogDirs::open(&self.config).await?) } else { None };
        let info = self.share_dirs(dirs.as_ref(), mesh, sender).await;
        let recovered = recover(&self.config, &info, ShardId(self.index), self.shard_count).await?;
        assert!(recovered.damaged.is_empty(), "taken for damage: {:?}", recovered.damaged);
        assert!(!recovered.postponed, "no journal loses a frame");
        if let Some((index, reason)) = recovered.failed_dirs.into_iter().next() {
            return Err(OpenError::Io(self.config.log_dirs[index].clone(), std::io::Error::other(reason)));
        }
        self.wait_for_all(mesh, sender).await;
        let store = LogStore::open(self.config.clone(), info, ShardId(self.index)).await?;
        self.open_partitions(&store).await?;
        Ok((dirs, store))
    }

    async fn share_dirs(&self, dirs: Option<&LogDirs>, mesh: &mut Mesh<Note>, sender: &MeshSender<Note>) -> LogDirsInfo {
        match dirs {
            Some(dirs) => {
                for other in 1..usize::from(self.shard_count) {
                    sender.send(other, Note::Dirs(dirs.info())).await;
                }
                dirs.info()
            }
            None => match mesh.receive().await {
                (0, Note::Dirs(info)) => info,
                _ => panic!("shard 0 opens the directories first"),
            },
        }
    }

    async fn wait_for_all(&self, mesh: &mut Mesh<Note>, sender: &MeshSender<Note>) {
        if self.index > 0 {
            sender.send(0, Note::Recovered).await;
            assert!(matches!(mesh.receive().await.1, Note::Open));
            return;
        }
        for _ in 1..self.shard_count {
            assert!(matches!(mesh.receive().await.1, Note::Recovered));
        }
        for other in 1..usize::from(self.shard_count) {
            sender.send(other, Note::Open).await;
        }
    }

    async fn open_partitions(&self, store: &Rc<LogStore>) -> Result<(), OpenError> {
        let count = self.ledger.lock().slots.len();
        for index in (0..count).filter(|index| index % usize::from(self.shard_count) == usize::from(self.index)) {
            self.finish_deletion(store, index).await?;
            let topic = self.ledger.lock().slots[index].topic();
            if store.may_be_in_a_missing_dir(&topic, PartitionIndex(index as i32)) {
                assert!(self.may_fail(), "a directory is missing");
                continue;
            }
            let log = open_slot(store, &self.ledger, index, &self.topic).await?;
            traffic::check_after_start(&log, &self.ledger, index).await;
            traffic::start(store, log, &self.ledger, index, &self.topic);
        }
        Ok(())
    }

    /// Who asked for a deletion asks again after a crash.
    async fn finish_deletion(&self, store: &Rc<LogStore>, index: usize) -> Result<(), OpenError> {
        let (deleting, topic_id, topic) = {
            let slot = &self.ledger.lock().slots[index];
            (slot.deleting, slot.topic_id(), slot.topic())
        };
        if deleting {
            store.delete_partition(topic_id, &topic, PartitionIndex(index as i32)).await?;
            self.ledger.lock().slots[index].deleted();
        }
        Ok(())
    }

    async fn stop(&self, dirs: Option<LogDirs>, closed: ShardClosed, mesh: &mut Mesh<Note>, sender: &MeshSender<Note>) {
        let Some(dirs) = dirs else { return sender.send(0, Note::Closed(closed)).await };
        let mut all = vec![closed];
        for _ in 1..self.shard_count {
            match mesh.receive().await.1 {
                Note::Closed(closed) => all.push(closed),
                _ => panic!("only closing is left"),
            }
        }
        let whole = all.iter().all(ShardClosed::is_whole);
        let stopped = dirs.close(all).await;
        self.ledger.lock().stopped_cleanly = whole && stopped.is_ok();
    }
}

pub async fn open_slot(store: &Rc<LogStore>, ledger: &Ledger, index: usize, topic: &TopicLogConfig) -> Result<Rc<PartitionLog>, OpenError> {
    let (topic_id, name, durable) = {
        let slot = &ledger.lock().slots[index];
        (slot.topic_id(), slot.topic(), slot.durable)
    };
    let flush_messages = if durable { 1 } else { u64::MAX };
    let config = Rc::new(TopicLogConfig { flush_messages, ..topic.clone() });
    store.open_partition(topic_id, &name, PartitionIndex(index as i32), config).await
}
