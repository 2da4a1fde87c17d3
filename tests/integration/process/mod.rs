//! What Ringmill's own process promises: its start, its end, its directory, and what it keeps through both.

mod compaction;
mod cores_as_brokers;
mod disk_errors;
mod disk_full;
mod groups;
mod kill;
mod librdkafka_groups;
mod librdkafka_transactions;
mod lifecycle;
mod many_partitions;
mod memory;
mod moves;
mod perf_groups;
mod refusals;
mod retention;
mod small_disks;
mod storage;
mod strictness;
