//! Scripted transcripts of the handlers, and crashes of the whole controller on the simulator.

mod crash;
mod script;
mod transcripts;
