//! (skeleton)
pub mod records;
