//! (skeleton)
pub mod format;
