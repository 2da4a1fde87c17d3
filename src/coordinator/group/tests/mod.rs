//! Stories of groups: members, time and a log, and what everybody is told.

mod bench;
mod consumers;
mod joining;
mod migration;
mod offsets;
mod regexes;
mod reload;
mod static_members;
mod sync;
