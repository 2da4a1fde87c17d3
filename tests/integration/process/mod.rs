//! What Ringmill's own process promises: its start, its end, its directory, and what it keeps through both.

mod compaction;
mod cores_as_brokers;
mod disk_errors;
mod disk_full;
mod kill;
mod lifecycle;
mod many_partitions;
mod memory;
mod moves;
mod refusals;
mod retention;
mod small_disks;
mod storage;
mod strictness;
