//! The mesh between the cores of a simulated process: first in, first out for each ordered pair, each message delayed by chance.

use super::state::{self, Event};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

/// One end. The channels are behind a mutex only because an end must be `Send` until its core takes it.
pub struct Mesh<M> {
    core: usize,
    shared: Arc<Mutex<Channels<M>>>,
}

struct Channels<M> {
    core_count: usize,
    capacity: usize,
    /// By sender * core_count + receiver.
    channels: Vec<Channel<M>>,
    receivers: Vec<Receiver>,
}

struct Channel<M> {
    /// With the time each arrives, never falling.
    messages: VecDeque<(u64, M)>,
    waiting_senders: Vec<Waker>,
}

struct Receiver {
    gone: bool,
    waker: Option<Waker>,
}

fn lock<M>(shared: &Mutex<Channels<M>>) -> MutexGuard<'_, Channels<M>> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<M: Send + 'static> Mesh<M> {
    pub fn ends(core_count: usize, capacity: usize) -> Vec<Mesh<M>> {
        let channel = |_| Channel { messages: VecDeque::new(), waiting_senders: Vec::new() };
        let shared = Arc::new(Mutex::new(Channels {
            core_count,
            capacity,
            channels: (0..core_count * core_count).map(channel).collect(),
            receivers: (0..core_count).map(|_| Receiver { gone: false, waker: None }).collect(),
        }));
        (0..core_count).map(|core| Mesh { core, shared: Arc::clone(&shared) }).collect()
    }

    pub fn sender(&self) -> Sender<M> {
        Sender { core: self.core, shared: Arc::clone(&self.shared) }
    }

    pub async fn receive(&mut self) -> (usize, M) {
        std::future::poll_fn(|cx| {
            let mut channels = lock(&self.shared);
            match state::with(|s| channels.take_arrived(self.core, s)) {
                Ok((from, message, senders)) => {
                    drop(channels);
                    senders.into_iter().for_each(Waker::wake);
                    Poll::Ready((from, message))
                }
                Err(next_arrival) => {
                    channels.receivers[self.core].waker = Some(cx.waker().clone());
                    if let Some(time_ns) = next_arrival {
                        state::with(|s| s.at(time_ns, Event::Wake(cx.waker().clone())));
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<M> Drop for Mesh<M> {
    fn drop(&mut self) {
        let mut channels = lock(&self.shared);
        channels.receivers[self.core].gone = true;
        let (mut messages, mut senders) = (Vec::new(), Vec::new());
        for from in 0..channels.core_count {
            let index = channels.index(from, self.core);
            let channel = &mut channels.channels[index];
            messages.extend(channel.messages.drain(..));
            senders.append(&mut channel.waiting_senders);
        }
        drop(channels);
        senders.into_iter().for_each(Waker::wake);
        drop(messages);
    }
}

impl<M> Channels<M> {
    fn index(&self, from: usize, to: usize) -> usize {
        from * self.core_count + to
    }

    /// A message that has arrived at `to`, from a sender picked by chance, and the senders it makes room for; or when the next one arrives.
    #[allow(clippy::type_complexity)]
    fn take_arrived(&mut self, to: usize, state: &mut state::State) -> Result<(usize, M, Vec<Waker>), Option<u64>> {
        let arrival = |from: usize| self.channels[from * self.core_count + to].messages.front().map(|(time_ns, _)| *time_ns);
        let arrived: Vec<usize> = (0..self.core_count).filter(|from| arrival(*from).is_some_and(|t| t <= state.now_ns)).collect();
        if arrived.is_empty() {
            return Err((0..self.core_count).filter_map(arrival).min());
        }
        let from = arrived[state.rng.index(arrived.len())];
        let index = self.index(from, to);
        let channel = &mut self.channels[index];
        let senders = std::mem::take(&mut channel.waiting_senders);
        let (_, message) = channel.messages.pop_front().expect("a channel with an arrived message is not empty");
        state.trace("mesh", from as u64, to as u64);
        Ok((from, message, senders))
    }
}

/// Sends from one core.
pub struct Sender<M> {
    core: usize,
    shared: Arc<Mutex<Channels<M>>>,
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Sender { core: self.core, shared: Arc::clone(&self.shared) }
    }
}

impl<M: Send + 'static> Sender<M> {
    pub async fn send(&self, to: usize, message: M) {
        let mut message = Some(message);
        std::future::poll_fn(|cx| {
            let Some(unsent) = message.take() else { return Poll::Ready(()) };
            match self.try_send(to, unsent) {
                Ok(()) => Poll::Ready(()),
                Err(unsent) => {
                    message = Some(unsent);
                    let mut channels = lock(&self.shared);
                    let index = channels.index(self.core, to);
                    channels.channels[index].waiting_senders.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
    }

    pub fn try_send(&self, to: usize, message: M) -> Result<(), M> {
        let mut channels = lock(&self.shared);
        if channels.receivers[to].gone {
            drop(channels);
            drop(message);
            return Ok(());
        }
        let (index, capacity) = (channels.index(self.core, to), channels.capacity);
        let channel = &mut channels.channels[index];
        if channel.messages.len() >= capacity {
            return Err(message);
        }
        let arrival_ns = state::with(|s| {
            let earliest_ns = channel.messages.back().map_or(0, |(time_ns, _)| *time_ns);
            earliest_ns.max(s.now_ns + s.rng.span(s.options.mesh))
        });
        channel.messages.push_back((arrival_ns, message));
        // Every arrival wakes the receiver if it waits; one that works looks by itself before it waits.
        if let Some(waker) = &channels.receivers[to].waker {
            let waker = waker.clone();
            state::with(|s| s.at(arrival_ns, Event::Wake(waker)));
        }
        Ok(())
    }
}
