//! (skeleton)
pub mod limits;
