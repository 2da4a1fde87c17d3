//! A shard's main task: takes what other cores ask, in order, and ends when told to stop.

use super::calls::{Calls, MeshEnds, ReplyTo};
use super::connection::{self, Entrance, Session};
use super::delete_records::delete_all;
use super::fetch::{Watch, data_arrived, read_all};
use super::markers::{self, MarkerWrite};
use super::message::{Reply, Request};
use super::offsets::{epoch_ends, list_all};
use super::produce::{PartitionAppend, append_all};
use super::producers::producers_of;
use super::{Shard, failures, moving, publication, router};
use crate::config::{BrokerConfig, limits};
use crate::controller::Publication;
use crate::log::{LogConfig, LogDirsInfo, LogStore, ShardClosed, recover, recover_postponed};
use crate::rt::sync::{OneshotSender, QueueReceiver, QueueSender, oneshot, queue};
use crate::rt::{Incoming, Queue, now, sleep, spawn, timeout};
use crate::types::{HashMap, ShardId};
use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What a shard's core is started with.
pub struct ShardSeed {
    pub id: ShardId,
    pub shard_count: usize,
    pub config: Arc<BrokerConfig>,
    pub log_config: LogConfig,
    pub mesh: MeshEnds,
}

/// The main task of a shard's core; ends after [`Request::Close`].
pub async fn serve(seed: ShardSeed) {
    let ShardSeed { id, shard_count, config, log_config, mesh } = seed;
    let (appends, appends_end) = queue();
    let (control, control_end) = queue();
    let (ended, end) = oneshot();
    let mut made = None;
    Calls::start(mesh, |calls| {
        let shard = Shard::new(id, shard_count, config, calls);
        made = Some(Rc::clone(&shard));
        let desk = Rc::new(Desk { shard, appends, control, awaits: RefCell::default() });
        async move |reply_to, request| desk.take(reply_to, request).await
    });
    let shard = made.expect("the closure has run");
    spawn(Queue::Foreground, append_loop(Rc::clone(&shard), appends_end));
    spawn(Queue::Foreground, control_loop(Rc::clone(&shard), log_config, control_end, ended));
    spawn(Queue::Background, close_idle_connections(shard));
    // An error means that the control loop ended, which it does only after it stopped.
    let _ = end.await;
}

/// What comes in order of arrival.
enum Intake {
    Append { reply_to: ReplyTo, appends: Vec<PartitionAppend>, wait: bool },
    Markers { reply_to: ReplyTo, writes: Vec<MarkerWrite> },
    Fence(ReplyTo),
}

/// Where requests of other cores arrive. Nothing here waits for a disk: what does, gets a task or a queue of its own.
struct Desk {
    shard: Rc<Shard>,
    appends: QueueSender<Intake>,
    control: QueueSender<(ReplyTo, Control)>,
    awaits: RefCell<HashMap<(usize, u64), OneshotSender<()>>>,
}

/// Start-up, metadata and stop: one after the other.
enum Control {
    Recover(LogDirsInfo),
    RecoverPostponed(LogDirsInfo),
    OpenStore(LogDirsInfo),
    Publish(Publication),
    Drain,
    Close,
}

impl Desk {
    async fn take(self: &Rc<Self>, reply_to: ReplyTo, request: Request) {
        let shard = Rc::clone(&self.shard);
        match request {
            Request::Produce { appends, wait } => keep(self.appends.send(Intake::Append { reply_to, appends, wait })),
            Request::Fence => keep(self.appends.send(Intake::Fence(reply_to))),
            Request::Fetch(read) => answer(reply_to, async move { Reply::Fetched(read_all(&shard, read).await) }),
            Request::ListOffsets(queries) => answer(reply_to, async move { Reply::Offsets(list_all(&shard, queries).await) }),
            Request::EpochEnds(queries) => answer(reply_to, async move { Reply::EpochEnds(epoch_ends(&shard, &queries).await) }),
            Request::DeleteRecords(deletions) => {
                answer(reply_to, async move { Reply::DeletedRecords(delete_all(&shard, deletions).await) });
            }
            Request::Groups { id, request } => {
                answer(reply_to, async move { Reply::Groups(Box::new(shard.ask_groups_here(id, *request).await)) });
            }
            Request::Transactions { id, request } => {
                answer(reply_to, async move { Reply::Transactions(Box::new(shard.transactions.ask(id, *request).await)) });
            }
            Request::WriteMarkers(writes) => keep(self.appends.send(Intake::Markers { reply_to, writes })),
            Request::Standings(applicants) => reply_to.send(Reply::Standings(shard.standings(&applicants))).await,
            Request::Producers(ids) => reply_to.send(Reply::Producers(producers_of(&shard, &ids))).await,
            Request::LogDirs => reply_to.send(Reply::LogDirs(shard.logs().dirs())).await,
            Request::AwaitData { watches, at_most } => self.await_data(reply_to, watches, at_most),
            Request::CancelAwait { call } => {
                let cancel = self.awaits.borrow_mut().remove(&(reply_to.origin().0, call));
                cancel.into_iter().for_each(|cancel| cancel.send(()));
            }
            Request::Load => reply_to.send(Reply::Load(shard.take_load())).await,
            Request::PrepareMove(id) => answer(reply_to, async move {
                shard.logs().prepare_release(id).await;
                Reply::Done
            }),
            Request::Freeze { id, owner, to } => {
                answer(reply_to, async move { Reply::Frozen(moving::freeze(&shard, id, owner, to).await) })
            }
            Request::Release(id) => answer(reply_to, async move { Reply::Released(moving::release(&shard, id).await) }),
            Request::Adopt(handed) => {
                moving::adopt(&shard, *handed);
                reply_to.send(Reply::Done).await;
            }
            Request::Settle(placement) => reply_to.send(moving::settle(&shard, placement)).await,
            Request::Recover(dirs) => keep(self.control.send((reply_to, Control::Recover(dirs)))),
            Request::RecoverPostponed(dirs) => keep(self.control.send((reply_to, Control::RecoverPostponed(dirs)))),
            Request::OpenStore(dirs) => keep(self.control.send((reply_to, Control::OpenStore(dirs)))),
            Request::DirFailed(failure) => shard.logs().take_offline(&failure),
            Request::Unavailable(partitions) => *shard.failures.unavailable.borrow_mut() = partitions,
            Request::Publish(publication) => keep(self.control.send((reply_to, Control::Publish(publication)))),
            Request::Drain => keep(self.control.send((reply_to, Control::Drain))),
            Request::Close => keep(self.control.send((reply_to, Control::Close))),
            Request::Connection { incoming, entrance } => accept(&shard, incoming, entrance),
            Request::Metrics => reply_to.send(Reply::Metrics(Box::new(router::snapshot(&shard)))).await,
            Request::Controller(_) | Request::ConnectionClosed { .. } | Request::Failures { .. } => {
                unreachable!("sent to a shard, meant for the controller's core")
            }
        }
    }

    fn await_data(self: &Rc<Self>, reply_to: ReplyTo, watches: Vec<Watch>, at_most: Duration) {
        let origin = reply_to.origin();
        let (cancel, mut cancelled) = oneshot();
        self.awaits.borrow_mut().insert(origin, cancel);
        let desk = Rc::clone(self);
        answer(reply_to, async move {
            let mut data = pin!(data_arrived(&desk.shard, &watches));
            let either = std::future::poll_fn(|cx| {
                let done = data.as_mut().poll(cx).is_ready() || std::pin::Pin::new(&mut cancelled).poll(cx).is_ready();
                if done { Poll::Ready(()) } else { Poll::Pending }
            });
            timeout(at_most, either).await;
            desk.awaits.borrow_mut().remove(&origin);
            Reply::Done
        });
    }
}

fn keep<T>(sent: Result<(), T>) {
    assert!(sent.is_ok(), "a shard's own loops end after it");
}

fn answer(reply_to: ReplyTo, work: impl Future<Output = Reply> + 'static) {
    spawn(Queue::Foreground, async move {
        let reply = work.await;
        reply_to.send(reply).await;
    });
}

/// Other shards' appends, in the order they were sent; only the wait for the disk is side by side.
async fn append_loop(shard: Rc<Shard>, mut queue: QueueReceiver<Intake>) {
    while let Some(next) = queue.receive().await {
        let (reply_to, appends, wait) = match next {
            Intake::Append { reply_to, appends, wait } => (reply_to, appends, wait),
            Intake::Markers { reply_to, writes } => {
                let pending = markers::begin_all(&shard, writes).await;
                let shard = Rc::clone(&shard);
                answer(reply_to, async move { Reply::Markers(pending.durable(&shard).await) });
                continue;
            }
            Intake::Fence(reply_to) => {
                reply_to.send(Reply::Done).await;
                continue;
            }
        };
        let pending = append_all(&shard, appends).await;
        if wait {
            answer(reply_to, async move { Reply::Produced(pending.durable().await) });
        } else {
            reply_to.send(Reply::Produced(pending.now())).await;
        }
    }
}

async fn control_loop(shard: Rc<Shard>, log_config: LogConfig, mut queue: QueueReceiver<(ReplyTo, Control)>, ended: OneshotSender<()>) {
    while let Some((reply_to, control)) = queue.receive().await {
        match control {
            Control::Recover(dirs) => {
                let recovered = recover(&log_config, &dirs, shard.id, shard.shard_count as u16).await;
                reply_to.send(Reply::Recovered(recovered.map_err(|e| e.to_string()))).await;
            }
            Control::RecoverPostponed(dirs) => {
                let recovered = recover_postponed(&log_config, &dirs, shard.shard_count as u16).await;
                reply_to.send(Reply::Recovered(recovered.map_err(|e| e.to_string()))).await;
            }
            Control::OpenStore(dirs) => {
                let opened = LogStore::open(log_config.clone(), dirs, shard.id).await;
                let opened = opened.map(|logs| {
                    take_store(&shard, logs);
                    spawn(Queue::Background, failures::watch(Rc::clone(&shard)));
                });
                reply_to.send(Reply::Opened(opened.map_err(|e| e.to_string()))).await;
            }
            Control::Publish(publication) => {
                publication::apply(&shard, publication).await;
                failures::tell(&shard);
                reply_to.send(Reply::Done).await;
            }
            Control::Drain => {
                drain(&shard).await;
                reply_to.send(Reply::Done).await;
            }
            Control::Close => {
                let closed = match shard.logs.get() {
                    Some(logs) => logs.close().await,
                    None => ShardClosed::default(),
                };
                reply_to.send(Reply::Closed(closed)).await;
                ended.send(());
                return;
            }
        }
    }
}

fn take_store(shard: &Rc<Shard>, logs: Rc<LogStore>) {
    let counting = Rc::downgrade(shard);
    logs.observe_journal_writes(Rc::new(move |elapsed| {
        if let Some(shard) = counting.upgrade() {
            shard.metrics.borrow_mut().journal_write(elapsed);
        }
    }));
    for budget in [&shard.produce_budget, &shard.reserve_budget, &shard.response_budget] {
        budget.take_from(logs.memory());
    }
    shard.groups.use_store(&logs);
    shard.transactions.use_store(&logs);
    assert!(shard.logs.set(logs).is_ok(), "the store is opened once");
}

/// Takes no more requests, lets those under way finish for a moment, and ends the connections.
async fn drain(shard: &Rc<Shard>) {
    shard.stopping.set(true);
    shard.stop_event.notify();
    // Members that wait for others are told to look for another coordinator.
    shard.groups.stop();
    shard.transactions.stop();
    timeout(limits::STOP_GRACE, async {
        while shard.connections.borrow().values().any(|c| c.is_busy()) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for session in shard.connections.borrow().values() {
        session.connection.shutdown();
    }
}

fn accept(shard: &Rc<Shard>, incoming: Incoming, entrance: Entrance) {
    let address = incoming.peer_address();
    let connection = match incoming.attach() {
        Ok(connection) => connection,
        Err(error) => {
            tracing::debug!(peer = %address, %error, "a connection ended before it was served");
            return tell_closed(shard, address);
        }
    };
    let id = shard.next_connection.get();
    shard.next_connection.set(id + 1);
    let session = Rc::new(Session::new(connection, entrance));
    shard.metrics.borrow_mut().connection_accepted();
    shard.connections.borrow_mut().insert(id, Rc::clone(&session));
    let shard = Rc::clone(shard);
    spawn(Queue::Foreground, async move {
        connection::serve(Rc::clone(&shard), session).await;
        shard.connections.borrow_mut().remove(&id);
        tell_closed(&shard, address);
    });
}

fn tell_closed(shard: &Rc<Shard>, address: std::net::SocketAddr) {
    let shard = Rc::clone(shard);
    spawn(Queue::Foreground, async move {
        shard.calls.tell(shard.controller_core(), Request::ConnectionClosed { address: address.ip(), shard: shard.id }).await;
    });
}

async fn close_idle_connections(shard: Rc<Shard>) {
    let Ok(idle_max) = u64::try_from(shard.config.connections_max_idle_ms) else { return };
    let idle_max = Duration::from_millis(idle_max);
    loop {
        sleep((idle_max / 4).clamp(limits::IDLE_SWEEP_MIN, limits::IDLE_SWEEP_MAX)).await;
        let now = now();
        for session in shard.connections.borrow().values() {
            if !session.is_busy() && now - session.last_active.get() > idle_max {
                tracing::debug!(peer = %session.peer.address, "closing an idle connection");
                session.connection.shutdown();
            }
        }
    }
}
