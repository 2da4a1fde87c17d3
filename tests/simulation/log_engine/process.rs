//! A broker's shards without the broker: directories, recovery, stores, traffic, clean stop, on as many cores as there are shards.

use super::ledger::Ledger;
use super::traffic;
use ringmill::log::{LogConfig, LogDirs, LogDirsInfo, LogStore, OpenError, PartitionLog, ShardClosed, TopicLogConfig, recover};
use ringmill::rt::{self, CoreSpec, Mesh, MeshSender};
use ringmill::types::{PartitionIndex, ShardId};
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
        let dirs = if self.index == 0 { Some(LogDirs::open(&self.config).await.expect("the directories open")) } else { None };
        let info = self.share_dirs(dirs.as_ref(), &mut mesh, &sender).await;
        let recovered = recover(&self.config, &info, ShardId(self.index), self.shard_count).await.expect("journals replay");
        assert!(recovered.damaged.is_empty(), "taken for damage: {:?}", recovered.damaged);
        self.wait_for_all(&mut mesh, &sender).await;
        let store = LogStore::open(self.config.clone(), info, ShardId(self.index)).await.expect("the store opens");
        self.open_partitions(&store).await;
        self.ledger.lock().opened_count += 1;
        while !self.ledger.lock().stop {
            rt::sleep(Duration::from_millis(2)).await;
        }
        let closed = store.close().await;
        self.stop(dirs, closed, &mut mesh, &sender).await;
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

    async fn open_partitions(&self, store: &Rc<LogStore>) {
        let count = self.ledger.lock().slots.len();
        for index in (0..count).filter(|index| index % usize::from(self.shard_count) == usize::from(self.index)) {
            self.finish_deletion(store, index).await;
            let log = open_slot(store, &self.ledger, index, &self.topic).await.expect("the partition opens");
            traffic::check_after_start(&log, &self.ledger, index).await;
            traffic::start(store, log, &self.ledger, index, &self.topic);
        }
    }

    /// Who asked for a deletion asks again after a crash.
    async fn finish_deletion(&self, store: &Rc<LogStore>, index: usize) {
        let (deleting, topic_id, topic) = {
            let slot = &self.ledger.lock().slots[index];
            (slot.deleting, slot.topic_id(), slot.topic())
        };
        if deleting {
            store.delete_partition(topic_id, &topic, PartitionIndex(index as i32)).await.expect("a deletion");
            self.ledger.lock().slots[index].deleted();
        }
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
        let stopped = dirs.close(all).await;
        self.ledger.lock().stopped_cleanly = stopped.is_ok();
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
