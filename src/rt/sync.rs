//! Waiting inside one core: oneshot, event, semaphore, queue. Plain single-threaded data structures, the same code on every
//! implementation; every future here is cancel-safe and leaves no waker behind when dropped.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

/// The other side is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

// ---- oneshot -----------------------------------------------------------------------------------------------------------

struct OneshotState<T> {
    value: Option<T>,
    waker: Option<Waker>,
    sender_gone: bool,
}

/// Carries one value to one waiter on the same core.
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let state = Rc::new(RefCell::new(OneshotState { value: None, waker: None, sender_gone: false }));
    (OneshotSender(Rc::clone(&state)), OneshotReceiver(state))
}

/// Dropping it unsent wakes the receiver with [`Closed`].
pub struct OneshotSender<T>(Rc<RefCell<OneshotState<T>>>);

impl<T> OneshotSender<T> {
    pub fn send(self, value: T) {
        self.0.borrow_mut().value = Some(value);
        // Drop wakes the receiver.
    }
}

impl<T> Drop for OneshotSender<T> {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.sender_gone = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Resolves to the value, or to [`Closed`] if the sender was dropped.
pub struct OneshotReceiver<T>(Rc<RefCell<OneshotState<T>>>);

impl<T> Drop for OneshotReceiver<T> {
    fn drop(&mut self) {
        let waker = self.0.borrow_mut().waker.take();
        drop(waker);
    }
}

impl<T> Future for OneshotReceiver<T> {
    type Output = Result<T, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.borrow_mut();
        if let Some(value) = state.value.take() {
            return Poll::Ready(Ok(value));
        }
        if state.sender_gone {
            return Poll::Ready(Err(Closed));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

// ---- event -------------------------------------------------------------------------------------------------------------

struct EventState {
    generation: Cell<u64>,
    next_id: Cell<u64>,
    /// By the order of [`Event::listen`].
    waiters: RefCell<BTreeMap<u64, Waker>>,
}

/// Wakes everybody who waits. A wait counts from [`Event::listen`], so: listen, check the condition, then await.
#[derive(Clone)]
pub struct Event(Rc<EventState>);

impl Default for Event {
    fn default() -> Self {
        Event(Rc::new(EventState { generation: Cell::new(0), next_id: Cell::new(0), waiters: RefCell::default() }))
    }
}

impl Event {
    pub fn notify(&self) {
        self.0.generation.set(self.0.generation.get() + 1);
        for waker in self.0.waiters.take().into_values() {
            waker.wake();
        }
    }

    /// A future that completes at the first [`Event::notify`] after this call.
    pub fn listen(&self) -> EventListener {
        let id = self.0.next_id.get();
        self.0.next_id.set(id + 1);
        EventListener { generation: self.0.generation.get(), event: Rc::clone(&self.0), id }
    }
}

/// See [`Event::listen`].
pub struct EventListener {
    event: Rc<EventState>,
    generation: u64,
    id: u64,
}

impl Future for EventListener {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.event.generation.get() != self.generation {
            return Poll::Ready(());
        }
        self.event
            .waiters
            .borrow_mut()
            .entry(self.id)
            .and_modify(|waker| waker.clone_from(cx.waker()))
            .or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        self.event.waiters.borrow_mut().remove(&self.id);
    }
}

// ---- semaphore ---------------------------------------------------------------------------------------------------------

struct SemaphoreState {
    available: Cell<u64>,
    next_id: Cell<u64>,
    waiters: RefCell<VecDeque<(u64, u64, Option<Waker>)>>,
}

impl SemaphoreState {
    fn wake_first(&self) {
        let waker = match self.waiters.borrow_mut().front_mut() {
            Some((_, wanted, waker)) if *wanted <= self.available.get() => waker.take(),
            _ => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A weighted budget, first come first served: a large request at the head is not overtaken.
#[derive(Clone)]
pub struct Semaphore(Rc<SemaphoreState>);

impl Semaphore {
    pub fn new(permits: u64) -> Semaphore {
        Semaphore(Rc::new(SemaphoreState { available: Cell::new(permits), next_id: Cell::new(0), waiters: RefCell::default() }))
    }

    /// Units that are free now.
    pub fn available(&self) -> u64 {
        self.0.available.get()
    }

    /// Waits until `units` are free and nobody waits before us. Asking for more than there ever were waits for ever.
    pub fn acquire(&self, units: u64) -> Acquire {
        let id = self.0.next_id.get();
        self.0.next_id.set(id + 1);
        Acquire { semaphore: Rc::clone(&self.0), units, id, queued: false }
    }

    /// Takes `units` now or not at all; does not overtake waiters.
    pub fn try_acquire(&self, units: u64) -> Option<Permit> {
        if self.0.waiters.borrow().is_empty() && self.0.available.get() >= units {
            self.0.available.set(self.0.available.get() - units);
            return Some(Permit { semaphore: Rc::clone(&self.0), units });
        }
        None
    }
}

/// See [`Semaphore::acquire`].
pub struct Acquire {
    semaphore: Rc<SemaphoreState>,
    units: u64,
    id: u64,
    queued: bool,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        let this = &mut *self;
        let mut waiters = this.semaphore.waiters.borrow_mut();
        let first = match waiters.front() {
            Some((id, _, _)) => *id == this.id,
            None => true,
        };
        if first && this.semaphore.available.get() >= this.units {
            if this.queued {
                waiters.pop_front();
                this.queued = false;
            }
            drop(waiters);
            this.semaphore.available.set(this.semaphore.available.get() - this.units);
            this.semaphore.wake_first();
            return Poll::Ready(Permit { semaphore: Rc::clone(&this.semaphore), units: this.units });
        }
        if this.queued {
            if let Some((_, _, waker)) = waiters.iter_mut().find(|(id, _, _)| *id == this.id) {
                *waker = Some(cx.waker().clone());
            }
        } else {
            waiters.push_back((this.id, this.units, Some(cx.waker().clone())));
            this.queued = true;
        }
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if self.queued {
            self.semaphore.waiters.borrow_mut().retain(|(id, _, _)| *id != self.id);
            self.semaphore.wake_first();
        }
    }
}

/// Units of a [`Semaphore`], given back when dropped.
pub struct Permit {
    semaphore: Rc<SemaphoreState>,
    units: u64,
}

impl Permit {
    /// Moves part of the units into a permit of their own. Panics if `units` is more than there are.
    pub fn split(&mut self, units: u64) -> Permit {
        assert!(units <= self.units, "a permit is split into more than it holds");
        self.units -= units;
        Permit { semaphore: Rc::clone(&self.semaphore), units }
    }

    pub fn units(&self) -> u64 {
        self.units
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.semaphore.available.set(self.semaphore.available.get() + self.units);
        self.semaphore.wake_first();
    }
}

// ---- queue -------------------------------------------------------------------------------------------------------------

struct QueueState<T> {
    items: VecDeque<T>,
    waker: Option<Waker>,
    senders: usize,
    receiver_gone: bool,
}

/// An unbounded queue from any task of a core to one task of the same core. Who sends bounds what is under way (by a [`Semaphore`]).
pub fn queue<T>() -> (QueueSender<T>, QueueReceiver<T>) {
    let state = Rc::new(RefCell::new(QueueState { items: VecDeque::new(), waker: None, senders: 1, receiver_gone: false }));
    (QueueSender(Rc::clone(&state)), QueueReceiver(state))
}

/// The queue closes when the last clone is dropped.
pub struct QueueSender<T>(Rc<RefCell<QueueState<T>>>);

impl<T> QueueSender<T> {
    /// Gives the item back if the receiver is gone.
    pub fn send(&self, item: T) -> Result<(), T> {
        let mut state = self.0.borrow_mut();
        if state.receiver_gone {
            return Err(item);
        }
        state.items.push_back(item);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// A sender that does not keep the queue open.
    pub fn downgrade(&self) -> WeakQueueSender<T> {
        WeakQueueSender(Rc::downgrade(&self.0))
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().senders += 1;
        QueueSender(Rc::clone(&self.0))
    }
}

impl<T> Drop for QueueSender<T> {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.senders -= 1;
        let waker = if state.senders == 0 { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// See [`QueueSender::downgrade`].
pub struct WeakQueueSender<T>(Weak<RefCell<QueueState<T>>>);

impl<T> WeakQueueSender<T> {
    pub fn upgrade(&self) -> Option<QueueSender<T>> {
        let state = self.0.upgrade()?;
        if state.borrow().senders == 0 {
            return None;
        }
        state.borrow_mut().senders += 1;
        Some(QueueSender(state))
    }
}

/// The receiving end of [`queue`].
pub struct QueueReceiver<T>(Rc<RefCell<QueueState<T>>>);

impl<T> QueueReceiver<T> {
    /// The next item, or `None` when every sender is gone and the queue is empty. Cancel-safe.
    pub async fn receive(&mut self) -> Option<T> {
        Receive(self).await
    }

    /// The next item if there is one now.
    pub fn try_receive(&mut self) -> Option<T> {
        self.0.borrow_mut().items.pop_front()
    }
}

/// See [`QueueReceiver::receive`].
struct Receive<'a, T>(&'a mut QueueReceiver<T>);

impl<T> Future for Receive<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.0.borrow_mut();
        if let Some(item) = state.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        if state.senders == 0 {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Receive<'_, T> {
    fn drop(&mut self) {
        let waker = self.0.0.borrow_mut().waker.take();
        drop(waker);
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.receiver_gone = true;
        let items = std::mem::take(&mut state.items);
        drop(state);
        drop(items);
    }
}

#[cfg(test)]
mod tests;
