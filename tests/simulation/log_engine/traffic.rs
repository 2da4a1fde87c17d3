//! What clients do to one partition: produce (plain, idempotent, with repeats), read, delete records, delete the topic.

use super::ledger::Ledger;
use super::process::open_slot;
use bytes::{Bytes, BytesMut};
use ringmill::log::{AppendError, Appended, LogStore, PartitionLog, Slice, TopicLogConfig};
use ringmill::rt::{self, Queue, random_u64};
use ringmill::types::{Offset, PartitionIndex, ProducerEpoch, ProducerId};
use ringmill::wire::records::{BatchBuilder, Codec, Compression, batches};
use std::rc::Rc;
use std::time::Duration;

/// One partition as its clients see it.
#[derive(Clone)]
pub struct Client {
    pub store: Rc<LogStore>,
    log: Rc<PartitionLog>,
    pub ledger: Ledger,
    slot: usize,
    generation: u8,
}

pub fn below(bound: u64) -> u64 {
    random_u64() % bound
}

pub async fn pause_us(bound: u64) {
    rt::sleep(Duration::from_micros(below(bound))).await;
}

/// Some records: mostly small, some large, a few too large for the journal.
fn records(producer: Option<(ProducerId, ProducerEpoch, i32)>) -> Bytes {
    let codec = if below(8) == 0 { Codec::ALL[below(5) as usize] } else { Codec::None };
    let mut builder = BatchBuilder::new(Compression::of(codec));
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    let size = match below(60) {
        0 => 36_000,
        1..12 => 3_000,
        _ => 10 + below(200),
    };
    let value: Vec<u8> = random_u64().to_be_bytes().into_iter().cycle().take(size as usize).collect();
    for _ in 0..if size > 10_000 { 1 } else { 1 + below(4) } {
        builder.push(rt::wall_clock(), None, Some(&value), &[]);
    }
    builder.finish().into_bytes()
}

/// What a start found is what the outside was told, and a repeat of what is remembered is answered as the first time.
pub async fn check_after_start(log: &Rc<PartitionLog>, ledger: &Ledger, slot: usize) {
    let (start, end) = (log.log_start().0, log.log_end().0);
    assert_eq!(log.high_watermark().0, end, "all that a start finds is durable");
    log.check_epochs().await;
    {
        let contents = &mut *ledger.lock();
        contents.counts.retained += u64::from(start > contents.slots[slot].log_start_asked);
        contents.counts.batches_lost_unacknowledged += contents.slots[slot].take_recovered(start, end) as u64;
        contents.slots[slot].check_epochs(log);
    }
    let all = read(log, ledger, slot, Offset(start), Offset(end)).await;
    let excused = log.is_offline() || log.log_start().0 > start;
    assert!(all.is_some() || excused, "slot {slot}: all of it can be read, unless retention went on");
    if log.is_offline() {
        return;
    }
    for producer in 0..2 {
        repeat_all(log, ledger, slot, ProducerId(producer));
    }
}

fn repeat_all(log: &PartitionLog, ledger: &Ledger, slot: usize, producer: ProducerId) {
    let contents = &mut *ledger.lock();
    let leader_epoch = contents.leader_epoch();
    let remembered = contents.slots[slot].remembered(producer);
    let known: Vec<_> = remembered.iter().map(|w| (w.first(), w.batch.base_sequence)).collect();
    for written in remembered.into_iter().filter(|w| w.first() >= log.log_start().0) {
        let answer = log.append(&written.sent, leader_epoch, rt::wall_clock());
        let answer =
            answer.unwrap_or_else(|e| panic!("slot {slot}: a repeat at {} of {known:?}, from {}: {e:?}", written.first(), log.log_start()));
        assert!(answer.duplicate, "slot {slot}: the batch at {} was appended again", written.first());
        assert_eq!((answer.first_offset.0, answer.last_offset.0 + 1), (written.first(), written.next()), "slot {slot}");
        contents.counts.duplicates += 1;
    }
}

/// Reads from `from` to `upto` and compares every batch; `None` if the log went offline or was deleted.
async fn read(log: &PartitionLog, ledger: &Ledger, slot: usize, from: Offset, upto: Offset) -> Option<()> {
    let generation = ledger.lock().slots[slot].generation;
    let mut at = from;
    while at < upto {
        let fetched = match log.read(at, 1 + below(60_000) as usize, true, upto).await {
            Ok(fetched) => fetched,
            // Records may be deleted under a reader; the files of a failed directory may be unreadable.
            Err(_) if log.is_offline() || log.log_start() > at => return None,
            Err(e) => panic!("slot {slot}: reading {at}: {e:?}"),
        };
        assert!(fetched.bytes > 0, "slot {slot}: nothing at {at} below {upto}");
        let bytes = collect(&fetched.parts).await?;
        assert_eq!(bytes.len(), fetched.bytes);
        let contents = &mut *ledger.lock();
        if contents.slots[slot].generation != generation {
            return None;
        }
        for batch in batches(bytes) {
            let batch = batch.expect("whole batches");
            assert!(batch.base_offset <= at && at < batch.next_offset() && batch.base_offset < upto, "slot {slot}: {at}");
            contents.slots[slot].check_batch(&batch);
            contents.counts.batches_checked += 1;
            at = batch.next_offset();
        }
    }
    Some(())
}

/// The bytes of an answer; file ranges are read a little later, as a slow consumer does.
async fn collect(parts: &[Slice]) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    for part in parts {
        match part {
            Slice::Memory(part) => bytes.extend_from_slice(part),
            Slice::File { file, offset, len } => {
                if below(8) == 0 {
                    pause_us(20_000).await;
                }
                bytes.extend_from_slice(&file.read_at(*offset, *len as usize).await.ok()?);
            }
        }
    }
    Some(bytes.freeze())
}

/// Starts the clients of a partition; they end with the process or with the log.
pub fn start(store: &Rc<LogStore>, log: Rc<PartitionLog>, ledger: &Ledger, slot: usize, topic: &TopicLogConfig) {
    let generation = {
        let slot = &mut ledger.lock().slots[slot];
        slot.complete = false;
        slot.generation
    };
    let client = Client { store: Rc::clone(store), log, ledger: ledger.clone(), slot, generation };
    rt::spawn(Queue::Foreground, client.clone().produce());
    for producer in 0..2 {
        rt::spawn(Queue::Foreground, client.clone().produce_idempotently(ProducerId(producer)));
    }
    rt::spawn(Queue::Foreground, super::bursts::produce(client.clone()));
    rt::spawn(Queue::Foreground, client.clone().consume());
    rt::spawn(Queue::Background, client.administrate(topic.clone()));
}

impl Client {
    /// Plain produce requests, some of several batches, some without waiting for the answer.
    async fn produce(self) {
        loop {
            let mut request = BytesMut::from(&records(None)[..]);
            if below(10) == 0 {
                request.extend_from_slice(&records(None));
            }
            let Some(appended) = self.append(request.freeze()).await else { return };
            let acknowledged = self.clone().wait(appended);
            match below(4) {
                0 => acknowledged.await,
                1 => {}
                _ => rt::spawn(Queue::Foreground, acknowledged),
            }
            pause_us(3_000).await;
        }
    }

    /// A producer with sequences, up to five batches ahead of its answers; sometimes it repeats itself.
    async fn produce_idempotently(self, id: ProducerId) {
        let in_flight = rt::sync::Semaphore::new(5);
        loop {
            let slot_permit = in_flight.acquire(1).await;
            if below(6) == 0 && self.is_current() && !self.log.is_offline() {
                self.repeat(id);
            }
            let (epoch, sequence) = self.ledger.lock().slots[self.slot].next_sequence(id);
            let Some(appended) = self.append(records(Some((id, epoch, sequence)))).await else { return };
            let client = self.clone();
            rt::spawn(Queue::Foreground, async move {
                client.wait(appended).await;
                drop(slot_permit);
            });
            pause_us(4_000).await;
        }
    }

    fn repeat(&self, id: ProducerId) {
        let contents = &mut *self.ledger.lock();
        let remembered = contents.slots[self.slot].remembered(id);
        let Some(written) = remembered.get(below(5) as usize) else { return };
        // A start may find nothing left of deleted batches to remember a producer by.
        if written.next() <= self.log.log_start().0 {
            return;
        }
        match self.log.append(&written.sent, contents.leader_epoch(), rt::wall_clock()) {
            Ok(answer) => {
                assert!(answer.duplicate, "slot {}: the batch at {} was appended again", self.slot, written.first());
                assert_eq!((answer.first_offset.0, answer.last_offset.0 + 1), (written.first(), written.next()));
                contents.counts.duplicates += 1;
            }
            Err(AppendError::Storage) => {}
            Err(refused) => panic!("slot {}: a repeat was refused: {refused:?}", self.slot),
        }
    }

    /// Appends and notes it; `None` once the log is gone. While the disk is full it tries again.
    pub async fn append(&self, request: Bytes) -> Option<Appended> {
        loop {
            self.store.room(request.len()).await;
            match self.try_append(&request) {
                Ok(appended) => return Some(appended),
                Err(AppendError::Storage) if self.log.is_offline() => return None,
                Err(AppendError::Storage) => rt::sleep(Duration::from_millis(50)).await,
                Err(refused) => panic!("slot {}: refused: {refused:?}", self.slot),
            }
        }
    }

    fn try_append(&self, request: &Bytes) -> Result<Appended, AppendError> {
        let contents = &mut *self.ledger.lock();
        let leader_epoch = contents.leader_epoch();
        let appended = self.log.append(request, leader_epoch, rt::wall_clock()).inspect_err(|_| contents.counts.refused += 1)?;
        let slot = &mut contents.slots[self.slot];
        assert!(!appended.duplicate && self.generation == slot.generation);
        slot.write(request.clone(), appended.first_offset, leader_epoch);
        assert_eq!(appended.last_offset.0 + 1, slot.next_offset());
        Ok(appended)
    }

    pub async fn wait(self, appended: Appended) {
        let end = appended.last_offset.plus(1);
        if self.log.wait_durable(end).await.is_ok() && self.is_current() {
            self.ledger.lock().slots[self.slot].acknowledge(end.0);
        }
    }

    fn is_current(&self) -> bool {
        let contents = self.ledger.lock();
        let slot = &contents.slots[self.slot];
        slot.generation == self.generation && !slot.deleting
    }

    /// Reads here and there below the high watermark; what it saw must never go away.
    async fn consume(self) {
        while !self.log.is_offline() && self.is_current() {
            let (start, upto) = (self.log.log_start(), self.log.high_watermark());
            if start < upto {
                self.ledger.lock().slots[self.slot].acknowledge(upto.0);
                let from = Offset(upto.0 - below((upto.0 - start.0).min(200) as u64 + 1) as i64);
                let done = read(&self.log, &self.ledger, self.slot, from, upto).await;
                if done.is_none() && !self.is_current() {
                    return;
                }
                self.ledger.lock().counts.reads += 1;
            }
            pause_us(20_000).await;
        }
    }

    /// Now and then deletes records, once in a while the topic, which is then made anew.
    async fn administrate(self, topic: TopicLogConfig) {
        loop {
            pause_us(400_000).await;
            if self.log.is_offline() {
                return;
            }
            if below(6) > 0 {
                self.delete_records().await;
                continue;
            }
            let (topic_id, name) = {
                let slot = &mut self.ledger.lock().slots[self.slot];
                slot.deleting = true;
                (slot.topic_id(), slot.topic())
            };
            if self.store.delete_partition(topic_id, &name, PartitionIndex(self.slot as i32)).await.is_err() {
                return;
            }
            {
                let contents = &mut *self.ledger.lock();
                contents.slots[self.slot].deleted();
                contents.counts.deletions += 1;
            }
            // It fails if the directory has, or at a stop.
            let Ok(log) = open_slot(&self.store, &self.ledger, self.slot, &topic).await else { return };
            assert_eq!((log.log_start().0, log.log_end().0), (0, 0), "a new topic is empty");
            return start(&self.store, log, &self.ledger, self.slot, &topic);
        }
    }

    async fn delete_records(&self) {
        let (start, end) = (self.log.log_start(), self.log.high_watermark());
        let offset = start.0 + below((end.0 - start.0) as u64 + 1) as i64;
        {
            let slot = &mut self.ledger.lock().slots[self.slot];
            slot.log_start_asked = slot.log_start_asked.max(offset);
            // It is below the high watermark of a topic whose acks may be from memory.
            slot.floor = slot.floor.max(if slot.durable { offset } else { 0 });
        }
        if self.log.set_log_start(Offset(offset)).await.is_ok() {
            let slot = &mut self.ledger.lock().slots[self.slot];
            slot.log_start_acknowledged = slot.log_start_acknowledged.max(offset);
        }
    }
}
