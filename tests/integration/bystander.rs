//! Another client, which must not notice what a test does to the broker: it produces and reads back one record after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::batch::Batch;
use crate::broker::{Broker, unique};
use crate::connection::Connection;

pub struct Bystander {
    topic: String,
    rounds: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    pub fn of(broker: &Broker) -> Bystander {
        let topic = unique("bystander");
        let mut connection = Connection::to(broker);
        connection.create_topic(&topic, &[]);
        let (rounds, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (topic, rounds, stop) = (topic.clone(), rounds.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let round = rounds.load(Ordering::Relaxed);
                    let value = format!("record {round}");
                    assert_eq!(connection.append(&topic, &Batch::of(&[value.as_bytes()])), round as i64);
                    let fetched = connection.fetch(&topic, 0, round as i64);
                    assert_eq!(fetched.error_code, 0);
                    assert!(!fetched.records.expect("records").is_empty());
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let bystander = Bystander { topic, rounds, stop, thread: Some(thread) };
        bystander.expect_progress();
        bystander
    }

    /// Waits for ten more rounds; a broker that serves nobody else fails the test.
    pub fn expect_progress(&self) {
        let before = self.rounds.load(Ordering::Relaxed);
        while self.rounds.load(Ordering::Relaxed) < before + 10 {
            assert!(!self.thread.as_ref().expect("running").is_finished(), "the other client failed");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Ends the client and checks that every acknowledged record is there.
    pub fn finish(mut self, broker: &Broker) {
        self.expect_progress();
        self.end().expect("the other client saw no error");
        let values = Connection::to(broker).values(&self.topic, 0);
        assert_eq!(values.len() as u64, self.rounds.load(Ordering::Relaxed));
        for (round, value) in values.iter().enumerate() {
            assert_eq!(value, format!("record {round}").as_bytes());
        }
    }

    fn end(&mut self) -> std::thread::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
