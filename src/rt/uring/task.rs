//! (skeleton)
use crate::rt::Queue;
use std::future::Future;
pub fn spawn(_queue: Queue, _task: impl Future<Output = ()> + 'static) {
    todo!()
}
pub async fn yield_if_needed() {
    todo!()
}
pub async fn yield_now() {
    todo!()
}
pub async fn blocking<T: Send + 'static>(_work: impl FnOnce() -> T + Send + 'static) -> T {
    todo!()
}
