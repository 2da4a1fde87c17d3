//! Runs [`kafka::hand_back`] on a core of its own, for `ringmill storage to-kafka`.

use super::ServeError;
use crate::config::BrokerConfig;
use crate::kafka::{self, HandedBack};
use crate::rt::{CoreSpec, uring};

/// Makes the directories of a stopped broker Apache Kafka's. Blocks the calling thread, which is no core.
pub fn to_kafka(config: BrokerConfig) -> Result<HandedBack, ServeError> {
    let (sender, outcome) = flume::bounded(1);
    let main = Box::new(move || {
        Box::pin(async move {
            // The caller waits for it.
            let _ = sender.send(kafka::hand_back(config).await);
        }) as _
    });
    let running = uring::run(vec![CoreSpec { name: "to-kafka".into(), cpu: None, main }]).map_err(|e| ServeError(e.to_string()))?;
    running.join();
    let outcome = outcome.recv().map_err(|_| ServeError("the core ended without a word".into()))?;
    outcome.map_err(|error| ServeError(error.to_string()))
}
