//! What every Kafka broker does, Apache Kafka as well as Ringmill.

mod bad_batches;
mod bad_frames;
mod crowds;
mod idempotence;
mod librdkafka;
mod pipelining;
mod versions;
