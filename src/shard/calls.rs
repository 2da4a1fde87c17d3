//! Calls over the mesh: a request to another core, its reply back to the task that waits.
//!
//! One per core. Requests and replies travel in two meshes, so that a reply never waits behind requests. A caller that gives up
//! (its connection went) drops the future; the late reply is then thrown away.

use super::message::{Reply, Request};
use crate::rt::sync::{OneshotReceiver, OneshotSender, oneshot};
use crate::rt::{Mesh, MeshSender, Queue, spawn};
use crate::types::HashMap;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A request under way; `call` is unique on the core that sent it.
pub struct RequestEnvelope {
    pub call: u64,
    pub body: Request,
}

/// The answer to the request with the same number.
pub struct ReplyEnvelope {
    pub call: u64,
    pub body: Reply,
}

/// Both ends of a core's place in the mesh, before the core starts.
pub struct MeshEnds {
    pub requests: Mesh<RequestEnvelope>,
    pub replies: Mesh<ReplyEnvelope>,
}

impl MeshEnds {
    /// One for each of `core_count` cores.
    pub fn for_cores(core_count: usize, simulated: bool) -> Vec<MeshEnds> {
        let capacity = crate::config::limits::MESH_MESSAGES_PER_PAIR;
        let requests = Mesh::ends(core_count, capacity, simulated);
        let replies = Mesh::ends(core_count, capacity, simulated);
        requests.into_iter().zip(replies).map(|(requests, replies)| MeshEnds { requests, replies }).collect()
    }
}

/// Sends requests from this core and hands replies to who waits for them.
pub struct Calls {
    requests: MeshSender<RequestEnvelope>,
    replies: MeshSender<ReplyEnvelope>,
    waiting: RefCell<HashMap<u64, Waiter>>,
    next_call: Cell<u64>,
    /// Requests that found their channel full.
    waited: Cell<u64>,
    hops: Cell<Hops>,
}

/// Who waits for a reply.
struct Waiter {
    reply: OneshotSender<Reply>,
    /// Given back when the reply is there, also if nobody waits for it any more.
    kept: Option<Rc<dyn Any>>,
}

/// Work of clients' requests that other cores were asked for: none where a client has found the partition's own core.
#[derive(Clone, Copy, Default)]
pub struct Hops {
    /// Appends.
    pub produce: u64,
    /// Reads, and waits for data.
    pub fetch: u64,
}

impl Calls {
    /// Takes the ends over on their core and starts receiving: `serve` is called for each request, in the order they were
    /// sent by each core, with a [`ReplyTo`]; what it awaits holds back the requests behind it.
    pub fn start<F>(ends: MeshEnds, serve: impl FnOnce(Rc<Calls>) -> F) -> Rc<Calls>
    where
        F: AsyncFn(ReplyTo, Request) + 'static,
    {
        let MeshEnds { mut requests, mut replies } = ends;
        let calls = Rc::new(Calls {
            requests: requests.sender(),
            replies: replies.sender(),
            waiting: RefCell::default(),
            next_call: Cell::new(0),
            waited: Cell::new(0),
            hops: Cell::default(),
        });
        let serve = serve(Rc::clone(&calls));
        let for_requests = Rc::clone(&calls);
        spawn(Queue::Foreground, async move {
            loop {
                let (from, envelope) = requests.receive().await;
                let reply_to = ReplyTo { calls: Rc::clone(&for_requests), core: from, call: envelope.call };
                serve(reply_to, envelope.body).await;
            }
        });
        let for_replies = Rc::clone(&calls);
        spawn(Queue::Foreground, async move {
            loop {
                let (_, envelope) = replies.receive().await;
                let waiter = for_replies.waiting.borrow_mut().remove(&envelope.call);
                if let Some(waiter) = waiter {
                    waiter.reply.send(envelope.body);
                }
            }
        });
        calls
    }

    /// Sends a request; the call is under way (and in order) when this returns. Await the [`PendingCall`] for the reply.
    pub async fn begin(self: &Rc<Self>, core: usize, body: Request) -> PendingCall {
        self.count(&body);
        let call = self.next_call.get();
        self.next_call.set(call + 1);
        let (sender, receiver) = oneshot();
        self.waiting.borrow_mut().insert(call, Waiter { reply: sender, kept: None });
        let pending = PendingCall { calls: Rc::clone(self), call, core, receiver, answered: false };
        self.send_request(core, RequestEnvelope { call, body }).await;
        pending
    }

    /// The same for a request whose memory `kept` stands for: the other core has it until it replies, whether or not somebody waits.
    pub async fn begin_keeping(self: &Rc<Self>, core: usize, body: Request, kept: Option<Rc<dyn Any>>) -> PendingCall {
        let pending = self.begin(core, body).await;
        if let Some(waiter) = self.waiting.borrow_mut().get_mut(&pending.call) {
            waiter.kept = kept;
        }
        pending
    }

    /// Sends a request and waits for its reply.
    pub async fn call(self: &Rc<Self>, core: usize, body: Request) -> Reply {
        self.begin(core, body).await.reply().await
    }

    /// Asks cores 0 to `count` - 1 the same, side by side; their replies in order.
    pub async fn call_each(self: &Rc<Self>, count: usize, request: impl Fn() -> Request) -> Vec<Reply> {
        let mut calls = Vec::with_capacity(count);
        for core in 0..count {
            calls.push(self.begin(core, request()).await);
        }
        let mut replies = Vec::with_capacity(count);
        for call in calls {
            replies.push(call.reply().await);
        }
        replies
    }

    /// Sends a request that nobody waits for.
    pub async fn tell(&self, core: usize, body: Request) {
        let call = self.next_call.get();
        self.next_call.set(call + 1);
        self.send_request(core, RequestEnvelope { call, body }).await;
    }

    fn count(&self, body: &Request) {
        let mut hops = self.hops.get();
        match body {
            Request::Produce { .. } => hops.produce += 1,
            Request::Fetch(_) | Request::AwaitData { .. } => hops.fetch += 1,
            _ => return,
        }
        self.hops.set(hops);
    }

    /// Clients' work that other cores were asked for so far.
    pub fn hops(&self) -> Hops {
        self.hops.get()
    }

    async fn send_request(&self, core: usize, envelope: RequestEnvelope) {
        if let Err(envelope) = self.requests.try_send(core, envelope) {
            self.waited.set(self.waited.get() + 1);
            self.requests.send(core, envelope).await;
        }
    }

    /// Requests sent to other cores so far.
    pub fn sent(&self) -> u64 {
        self.next_call.get()
    }

    /// How many of them had to wait for room.
    pub fn waited(&self) -> u64 {
        self.waited.get()
    }
}

/// A request under way. Dropping it gives the reply up.
pub struct PendingCall {
    calls: Rc<Calls>,
    call: u64,
    core: usize,
    receiver: OneshotReceiver<Reply>,
    answered: bool,
}

impl Future for PendingCall {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let reply = ready!(Pin::new(&mut self.receiver).poll(cx)).expect("a request is dropped unanswered");
        self.answered = true;
        Poll::Ready(reply)
    }
}

impl PendingCall {
    /// Waits for the reply. Every request is answered once: a core that dies takes the process down.
    pub async fn reply(self) -> Reply {
        self.await
    }

    /// Whether the reply was taken.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// The core that works on it and the call's number there, to cancel it by.
    pub fn target(&self) -> (usize, u64) {
        (self.core, self.call)
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        let mut waiting = self.calls.waiting.borrow_mut();
        if waiting.get(&self.call).is_some_and(|waiter| waiter.kept.is_none()) {
            waiting.remove(&self.call);
        }
    }
}

/// Where a request's answer goes.
pub struct ReplyTo {
    calls: Rc<Calls>,
    core: usize,
    call: u64,
}

impl ReplyTo {
    /// The asking core and its number for the call.
    pub fn origin(&self) -> (usize, u64) {
        (self.core, self.call)
    }

    pub async fn send(self, body: Reply) {
        self.calls.replies.send(self.core, ReplyEnvelope { call: self.call, body }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::sim::{Options, World};
    use crate::rt::{CoreSpec, sleep};
    use std::time::Duration;

    #[test]
    fn what_a_call_keeps_is_given_back_with_the_reply_and_not_when_its_caller_gives_up() {
        let world = World::new(1, Options::default());
        let machine = world.add_machine();
        let mut ends = MeshEnds::for_cores(2, true).into_iter();
        let (asking, answering) = (ends.next().unwrap(), ends.next().unwrap());
        let (sender, counts) = flume::unbounded();
        let core = |name: &str, main| CoreSpec { name: name.into(), cpu: None, main };
        let asker = core(
            "asker",
            Box::new(move || {
                Box::pin(async move {
                    let calls = Calls::start(asking, |_| async |_: ReplyTo, _: Request| ());
                    let kept: Rc<dyn Any> = Rc::new(());
                    drop(calls.begin_keeping(1, Request::LogDirs, Some(Rc::clone(&kept))).await);
                    sender.send(Rc::strong_count(&kept)).unwrap();
                    sleep(Duration::from_secs(1)).await;
                    sender.send(Rc::strong_count(&kept)).unwrap();
                    sleep(Duration::from_secs(2)).await;
                    sender.send(Rc::strong_count(&kept)).unwrap();
                    assert!(calls.waiting.borrow().is_empty());
                }) as _
            }),
        );
        let answerer = core(
            "answerer",
            Box::new(move || {
                Box::pin(async move {
                    let _calls = Calls::start(answering, |_| {
                        async |reply_to: ReplyTo, _: Request| {
                            sleep(Duration::from_secs(2)).await;
                            reply_to.send(Reply::LogDirs(Vec::new())).await;
                        }
                    });
                    sleep(Duration::from_secs(10)).await;
                }) as _
            }),
        );
        world.boot(machine, vec![asker, answerer]);
        world.run_until_idle();
        assert_eq!(counts.drain().collect::<Vec<usize>>(), [2, 2, 1]);
    }
}
