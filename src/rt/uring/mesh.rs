//! The mesh between real cores: one inbox a core behind a mutex that is held for a few instructions, emptied whole.
//!
//! The receiver swaps the inbox for an empty queue, so a burst costs it one lock; a sender wakes it only when it waits. Full
//! channels are counted for each ordered pair. docs/decisions/0002-mesh.md has what else was measured.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

struct Inbox<M>(Mutex<State<M>>);

struct State<M> {
    messages: VecDeque<(usize, M)>,
    /// How many of `messages` each core has sent.
    queued: Vec<usize>,
    /// The receiver, if it waits.
    receiver: Option<Waker>,
    /// Sending tasks that wait for room, whatever core they are on.
    blocked: Vec<(u64, Waker)>,
    next_id: u64,
    /// The receiving core has ended.
    closed: bool,
}

impl<M> Inbox<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.0.lock().expect("nobody panics with this lock")
    }
}

pub struct Mesh<M> {
    index: usize,
    capacity: usize,
    inboxes: Arc<[Inbox<M>]>,
    /// What was taken out of the inbox and not yet given out.
    taken: VecDeque<(usize, M)>,
}

impl<M: Send + 'static> Mesh<M> {
    pub fn ends(core_count: usize, capacity: usize) -> Vec<Mesh<M>> {
        let inbox = |_| {
            Inbox(Mutex::new(State {
                messages: VecDeque::new(),
                queued: vec![0; core_count],
                receiver: None,
                blocked: Vec::new(),
                next_id: 0,
                closed: false,
            }))
        };
        let inboxes: Arc<[Inbox<M>]> = (0..core_count).map(inbox).collect();
        (0..core_count).map(|index| Mesh { index, capacity, inboxes: Arc::clone(&inboxes), taken: VecDeque::new() }).collect()
    }

    pub fn sender(&self) -> Sender<M> {
        Sender { from: self.index, capacity: self.capacity, inboxes: Arc::clone(&self.inboxes) }
    }

    pub async fn receive(&mut self) -> (usize, M) {
        if let Some(message) = self.taken.pop_front() {
            return message;
        }
        poll_fn(|cx| self.poll_refill(cx)).await;
        self.taken.pop_front().expect("just refilled")
    }

    /// Empties the inbox into `taken`, or waits.
    fn poll_refill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let blocked = {
            let mut inbox = self.inboxes[self.index].lock();
            if inbox.messages.is_empty() {
                inbox.receiver = Some(cx.waker().clone());
                return Poll::Pending;
            }
            std::mem::swap(&mut inbox.messages, &mut self.taken);
            inbox.queued.fill(0);
            std::mem::take(&mut inbox.blocked)
        };
        blocked.into_iter().for_each(|(_, waker)| waker.wake());
        Poll::Ready(())
    }
}

impl<M> Drop for Mesh<M> {
    fn drop(&mut self) {
        let (messages, blocked) = {
            let mut inbox = self.inboxes[self.index].lock();
            inbox.closed = true;
            (std::mem::take(&mut inbox.messages), std::mem::take(&mut inbox.blocked))
        };
        drop(messages);
        blocked.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

pub struct Sender<M> {
    from: usize,
    capacity: usize,
    inboxes: Arc<[Inbox<M>]>,
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Sender { from: self.from, capacity: self.capacity, inboxes: Arc::clone(&self.inboxes) }
    }
}

impl<M: Send + 'static> Sender<M> {
    pub async fn send(&self, to: usize, message: M) {
        Sending { sender: self, to, message: Some(message), blocked: None }.await;
    }

    pub fn try_send(&self, to: usize, message: M) -> Result<(), M> {
        let mut inbox = self.inboxes[to].lock();
        if inbox.closed {
            drop(inbox);
            return Ok(());
        }
        if inbox.queued[self.from] >= self.capacity {
            return Err(message);
        }
        inbox.queued[self.from] += 1;
        inbox.messages.push_back((self.from, message));
        let receiver = inbox.receiver.take();
        drop(inbox);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(())
    }
}

struct Sending<'a, M> {
    sender: &'a Sender<M>,
    to: usize,
    message: Option<M>,
    /// Our entry among the inbox's blocked.
    blocked: Option<u64>,
}

impl<M> Unpin for Sending<'_, M> {}

impl<M: Send + 'static> Future for Sending<'_, M> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let message = this.message.take().expect("polled after the end");
        // Room may appear between the two locks: then the message goes at the second try.
        match this.sender.try_send(this.to, message) {
            Ok(()) => Poll::Ready(()),
            Err(message) => {
                this.message = Some(message);
                this.block(cx)
            }
        }
    }
}

impl<M: Send + 'static> Sending<'_, M> {
    fn block(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inbox = self.sender.inboxes[self.to].lock();
        if inbox.closed || inbox.queued[self.sender.from] < self.sender.capacity {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let id = *self.blocked.get_or_insert_with(|| {
            inbox.next_id += 1;
            inbox.next_id
        });
        match inbox.blocked.iter_mut().find(|(other, _)| *other == id) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => inbox.blocked.push((id, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl<M> Drop for Sending<'_, M> {
    fn drop(&mut self) {
        if let Some(id) = self.blocked {
            self.sender.inboxes[self.to].lock().blocked.retain(|(other, _)| *other != id);
        }
    }
}
