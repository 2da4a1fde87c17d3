//! Coordinators: replicated state machines on the partitions of internal topics, each on the core that owns its partition.
//!
//! [`machine`] says what a state machine is, [`driver`] hosts them: loads them from the log, writes their records, keeps replies back until they
//! are durable, lets time pass. [`group`] is the group coordinator's. The machines are pure; the driver waits through `rt` only. [`transaction`] is the
//! transaction coordinator's.

pub mod driver;
pub mod group;
mod key_hash;
pub mod machine;
mod timers;
pub mod transaction;

pub use driver::{Host, HostSettings};
pub use key_hash::partition_for;
