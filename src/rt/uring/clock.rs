//! (skeleton)
use crate::rt::Instant;
use crate::types::Timestamp;
pub fn now() -> Instant {
    todo!()
}
pub fn wall_clock() -> Timestamp {
    todo!()
}
pub async fn sleep_until(_deadline: Instant) {
    todo!()
}
