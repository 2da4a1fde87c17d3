//! The controller's core: starts the broker step by step, publishes metadata to the shards, accepts connections, serves the admin
//! listener, and stops everything in order. One per broker; it owns no partitions.

use super::acceptor::{Connections, accept_on};
use super::endpoints::{self, Endpoints};
use super::failures::Failures;
use super::mover::{Mover, Turn};
use super::node::Event;
use crate::admin;
use crate::admin::metrics::MetricsSnapshot;
use crate::config::{AdvertisedListener, BrokerConfig, limits};
use crate::controller::{
    BrokerEndpoint, BrokerRegistration, ConfigResource, Controller, ControllerConfig, ControllerRequest, ControllerResponse, MetadataImage,
    Publication,
};
use crate::kafka::{self, Takeover};
use crate::log::{LockedDirs, LogConfig, LogDirs, LogDirsInfo, ShardClosed, dir_list};
use crate::rt::sync::{Event as Signal, QueueReceiver};
use crate::rt::{self, Listener, Queue, random_u64, spawn};
use crate::shard::calls::{Calls, MeshEnds, ReplyTo};
use crate::shard::connection::Entrance;
use crate::shard::message::{Reply, Request};
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What the controller's core is started with.
pub struct ControllerSeed {
    pub shard_count: usize,
    pub config: Arc<BrokerConfig>,
    pub log_config: LogConfig,
    pub mesh: MeshEnds,
    pub events: flume::Sender<Event>,
    pub stop_asked: flume::Receiver<()>,
}

/// The main task of the controller's core.
pub async fn serve(seed: ControllerSeed) {
    let ControllerSeed { shard_count, config, log_config, mesh, events, stop_asked } = seed;
    let connections = Rc::new(Connections::new(Arc::clone(&config), shard_count));
    let failures = Rc::new(Failures::new(config.log_dirs.clone()));
    let desk = Rc::new(Desk {
        controller: OnceCell::new(),
        applied: Cell::new(0),
        published: Signal::default(),
        turn: Rc::default(),
        connections,
        failures,
    });
    let calls = Calls::start(mesh, |_| {
        let desk = Rc::clone(&desk);
        async move |reply_to, request| desk.take(reply_to, request)
    });
    let core = Core { shard_count, config, log_config, calls, desk };
    let started_at = rt::now();
    match core.start().await {
        Ok(started) => {
            // Whoever started us may have gone; the broker serves all the same.
            let _ = events.send(Event::Ready(core.banner(&started, rt::now() - started_at)));
            let failure =
                first_of(async { stop_asked.recv_async().await.map_or(None, |()| None) }, async { Some(core.fatal().await) }).await;
            let Some(reason) = failure else {
                core.stop(Some(started.dirs)).await;
                let _ = events.send(Event::Stopped(None));
                return;
            };
            tracing::error!("the broker ends: {reason}");
            rt::timeout(limits::FAILED_STOP_MAX, core.stop(Some(started.dirs))).await;
            let _ = events.send(Event::Failed(reason));
        }
        Err(reason) => {
            core.stop(None).await;
            let _ = events.send(Event::Stopped(Some(reason)));
        }
    }
}

/// What completes first; the other is dropped.
async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await
}

/// Takes what shards ask of this core.
struct Desk {
    controller: OnceCell<Rc<Controller>>,
    /// The version of the newest image that every shard has applied.
    applied: Cell<u64>,
    published: Signal,
    turn: Rc<Turn>,
    connections: Rc<Connections>,
    failures: Rc<Failures>,
}

impl Desk {
    fn take(self: &Rc<Self>, reply_to: ReplyTo, request: Request) {
        match request {
            Request::Failures { shard, dirs, partitions } => self.failures.note(shard, dirs, partitions),
            Request::ConnectionClosed { address, shard } => self.connections.closed(address, shard),
            Request::Controller(request) => {
                let desk = Rc::clone(self);
                spawn(Queue::Foreground, async move {
                    let response = desk.submit(*request).await;
                    reply_to.send(Reply::Controller(Box::new(response))).await;
                });
            }
            _ => unreachable!("sent to the controller's core, meant for a shard"),
        }
    }

    /// The controller's answer, once every shard knows what it says.
    async fn submit(&self, request: ControllerRequest) -> ControllerResponse {
        let controller = self.controller.get().expect("the controller is open before clients are served");
        let reply = controller.submit(request).await;
        loop {
            let published = self.published.listen();
            if self.applied.get() >= reply.version {
                return reply.response;
            }
            published.await;
        }
    }
}

struct Core {
    shard_count: usize,
    config: Arc<BrokerConfig>,
    log_config: LogConfig,
    calls: Rc<Calls>,
    desk: Rc<Desk>,
}

struct Started {
    dirs: LogDirs,
    listening: Vec<(String, SocketAddr)>,
    admin: Option<SocketAddr>,
}

impl Core {
    async fn start(&self) -> Result<Started, String> {
        let Endpoints { listeners, cores } = endpoints::bind(&self.config, self.shard_count).await?;
        let admin = self.bind_admin().await?;
        let locked = LockedDirs::lock(&self.log_config).await.map_err(|e| e.to_string())?;
        let takeover = self.look_for_kafka(&locked).await?;
        let mut dirs = locked.open(&self.log_config).await.map_err(|e| e.to_string())?;
        dir_list::note(&dirs.info()).await.map_err(|e| e.to_string())?;
        let controller = self.open_controller(&dirs.info(), takeover).await?;
        for failure in self.recover(&dirs.info()).await? {
            dirs.go_without(failure.0, &failure.1);
        }
        self.open_stores(&dirs.info()).await?;
        spawn(Queue::Foreground, Rc::clone(&self.desk.failures).spread(Rc::clone(&self.calls), self.shard_count));
        let listening: Vec<(String, SocketAddr)> = listeners.iter().map(|(name, _, address)| (name.clone(), *address)).collect();
        self.register(&controller, &listening).await?;
        let (first, receiver) = controller.subscribe();
        self.publish(first).await;
        self.publish_later(receiver);
        // Images of journals and what was read of directories.
        rt::host::return_free_memory().await;
        let mover = Rc::new(Mover {
            shard_count: self.shard_count,
            calls: Rc::clone(&self.calls),
            controller: Rc::clone(&controller),
            turn: Rc::clone(&self.desk.turn),
        });
        if let Some(interval) = self.config.ringmill.balance_interval.filter(|_| self.shard_count > 1) {
            spawn(Queue::Background, Rc::clone(&mover).balance(interval));
        }
        let admin = admin.map(|(listener, address)| self.serve_admin(listener, address, mover));
        for (index, (_, listener, _)) in listeners.into_iter().enumerate() {
            let entrance = Entrance { listener: index, core: None };
            accept_on(listener, entrance, Rc::clone(&self.calls), Rc::clone(&self.desk.connections));
        }
        for (entrance, listener) in cores {
            accept_on(listener, entrance, Rc::clone(&self.calls), Rc::clone(&self.desk.connections));
        }
        Ok(Started { dirs, listening, admin })
    }

    /// Apache Kafka's data, if that is what is in the log directories.
    async fn look_for_kafka(&self, locked: &LockedDirs) -> Result<Option<Takeover>, String> {
        let dirs = locked.properties();
        let paths: Vec<_> = dirs.iter().map(|(path, _)| path.clone()).collect();
        if kafka::finish_hand_back(&paths).await.map_err(|e| e.to_string())? {
            tracing::info!("removed what `ringmill storage to-kafka` had left of its own files");
        }
        let takeover = kafka::inspect(&dirs, self.config.node_id).await.map_err(|e| e.to_string())?;
        if let Some(takeover) = &takeover {
            tracing::info!("taking over {takeover}");
        }
        Ok(takeover)
    }

    async fn open_controller(&self, dirs: &LogDirsInfo, takeover: Option<Takeover>) -> Result<Rc<Controller>, String> {
        let metadata_dir = &self.log_config.log_dirs[0];
        let config = ControllerConfig {
            broker: Rc::new((*self.config).clone()),
            cluster_id: Some(dirs.cluster_id().to_string()),
            shard_count: self.shard_count,
            first_records: takeover.as_ref().map(|takeover| takeover.records.clone()).unwrap_or_default(),
        };
        let controller = Controller::open(metadata_dir, config).await.map_err(|e| e.to_string())?;
        if let Some(takeover) = takeover {
            takeover.note(metadata_dir).await.map_err(|e| e.to_string())?;
        }
        assert!(self.desk.controller.set(Rc::clone(&controller)).is_ok(), "the controller is opened once");
        Ok(controller)
    }

    /// Asks every shard the same, side by side.
    async fn ask_all(&self, request: impl Fn() -> Request) -> Vec<Reply> {
        self.calls.call_each(self.shard_count, request).await
    }

    /// Completes, with the reason, when the broker cannot go on.
    async fn fatal(&self) -> String {
        let controller = self.desk.controller.get().expect("the controller is open");
        let metadata = async {
            controller.failed().await;
            "the metadata log has failed".to_owned()
        };
        first_of(self.desk.failures.fatal(), metadata).await
    }

    /// The log directories that the start goes on without, each with the reason.
    async fn recover(&self, dirs: &LogDirsInfo) -> Result<BTreeMap<usize, String>, String> {
        let mut failed = BTreeMap::new();
        let mut replies = self.ask_all(|| Request::Recover(dirs.clone())).await;
        if replies.iter().any(|reply| matches!(reply, Reply::Recovered(Ok(recovered)) if recovered.postponed)) {
            replies.push(self.calls.call(0, Request::RecoverPostponed(dirs.clone())).await);
        }
        for reply in replies {
            let Reply::Recovered(recovered) = reply else { unreachable!("Recover is answered with what was recovered") };
            let recovered = recovered?;
            if recovered.frames > 0 {
                tracing::info!(frames = recovered.frames, batches = recovered.batches, "replayed a journal");
            }
            for (id, what) in recovered.damaged {
                tracing::error!(partition = %id, what, "acknowledged data is damaged; the partition stays offline");
            }
            failed.extend(recovered.failed_dirs);
        }
        Ok(failed)
    }

    async fn open_stores(&self, dirs: &LogDirsInfo) -> Result<(), String> {
        for reply in self.ask_all(|| Request::OpenStore(dirs.clone())).await {
            let Reply::Opened(opened) = reply else { unreachable!("OpenStore is answered with its outcome") };
            opened?;
        }
        Ok(())
    }

    async fn register(&self, controller: &Controller, listening: &[(String, SocketAddr)]) -> Result<(), String> {
        let mut endpoints = Vec::new();
        for advertised in &self.config.advertised_listeners {
            endpoints.push(endpoint(advertised, listening)?);
        }
        let mut incarnation_id = [0; 16];
        incarnation_id[..8].copy_from_slice(&random_u64().to_be_bytes());
        incarnation_id[8..].copy_from_slice(&random_u64().to_be_bytes());
        let rack = self.config.rack.as_deref().map(Arc::from);
        let registration = BrokerRegistration { node: self.config.node_id, incarnation_id, endpoints, rack };
        match controller.submit(ControllerRequest::RegisterBroker(registration)).await.response {
            ControllerResponse::RegisterBroker(Ok(_)) => Ok(()),
            ControllerResponse::RegisterBroker(Err(error)) => Err(format!("registering the broker failed: {error}")),
            _ => unreachable!("the controller answers what it was asked"),
        }
    }

    async fn publish(&self, mut publication: Publication) {
        let _turn = self.desk.turn.take().await;
        // Partitions may have moved since.
        publication.placement = self.desk.controller.get().expect("the controller publishes").placement();
        let version = publication.image.version();
        self.apply_broker_config(&publication.image);
        self.ask_all(|| Request::Publish(publication.clone())).await;
        self.desk.applied.set(version);
        self.desk.published.notify();
    }

    fn apply_broker_config(&self, image: &MetadataImage) {
        let own = image.configs(&ConfigResource::broker(self.config.node_id));
        let default = image.configs(&ConfigResource::cluster_default());
        self.desk.connections.reconfigure(self.config.with_dynamic(own, default));
    }

    /// Every later image, in order, one after the other.
    fn publish_later(&self, mut receiver: QueueReceiver<Publication>) {
        let core = self.share();
        spawn(Queue::Foreground, async move {
            while let Some(publication) = receiver.receive().await {
                core.publish(publication).await;
            }
        });
    }

    fn share(&self) -> Core {
        Core {
            shard_count: self.shard_count,
            config: Arc::clone(&self.config),
            log_config: self.log_config.clone(),
            calls: Rc::clone(&self.calls),
            desk: Rc::clone(&self.desk),
        }
    }

    async fn bind_admin(&self) -> Result<Option<(Listener, SocketAddr)>, String> {
        let Some(address) = self.config.ringmill.admin_listener else { return Ok(None) };
        let fail = |e: std::io::Error| format!("ringmill.admin.listener {address}: {e}");
        let listener = Listener::bind(address).map_err(fail)?;
        let address = listener.local_address().map_err(fail)?;
        Ok(Some((listener, address)))
    }

    fn serve_admin(&self, listener: Listener, address: SocketAddr, mover: Rc<Mover>) -> SocketAddr {
        let core = self.share();
        admin::serve(listener, async move || core.metrics().await, async move |ask| mover.answer(ask).await);
        address
    }

    async fn metrics(&self) -> Vec<MetricsSnapshot> {
        let replies = self.ask_all(|| Request::Metrics).await.into_iter();
        let snapshot = |reply| match reply {
            Reply::Metrics(snapshot) => *snapshot,
            _ => unreachable!("Metrics is answered with a snapshot"),
        };
        replies.map(snapshot).collect()
    }

    /// Connections end everywhere before any shard closes its logs; then what they closed is marked clean. Without `dirs` the start failed and nothing is marked.
    async fn stop(&self, dirs: Option<LogDirs>) {
        self.desk.turn.end_moves().await;
        self.ask_all(|| Request::Drain).await;
        let closed: Vec<ShardClosed> = self
            .ask_all(|| Request::Close)
            .await
            .into_iter()
            .map(|reply| match reply {
                Reply::Closed(closed) => closed,
                _ => unreachable!("Close is answered with what was closed"),
            })
            .collect();
        if let Some(dirs) = dirs
            && let Err(error) = dirs.close(closed).await
        {
            tracing::error!(%error, "the clean stop could not be recorded; the next start recovers as after a crash");
        }
    }

    fn banner(&self, started: &Started, took: Duration) -> String {
        let mut text = format!("Ringmill {} is ready after {} ms.\n", env!("CARGO_PKG_VERSION"), took.as_millis());
        for (name, address) in &started.listening {
            text += &format!("  {name:<10} {address}\n");
        }
        for endpoints in &self.config.ringmill.core_endpoints {
            text += &format!("  {:<10} {endpoints}, a port for each shard\n", "cores");
        }
        match started.admin {
            Some(address) => text += &format!("  {:<10} http://{address}/metrics, /health/live, /health/ready\n", "admin"),
            None => text += "  admin      off\n",
        }
        let dirs: Vec<String> = self.config.log_dirs.iter().map(|d| d.display().to_string()).collect();
        text += &format!("  {:<10} {} (node {})\n", "shards", self.shard_count, self.config.node_id);
        text += &format!("  {:<10} {}\n", "data", dirs.join(", "));
        if let Some((_, address)) = started.listening.first() {
            text += &format!("Try it:\n  echo hello | kcat -b {address} -t greetings -P\n  kcat -b {address} -t greetings -C -e\n");
        }
        text.trim_end().to_string()
    }
}

fn endpoint(advertised: &AdvertisedListener, listening: &[(String, SocketAddr)]) -> Result<BrokerEndpoint, String> {
    let name = &advertised.name;
    let bound = listening.iter().find(|(bound, _)| bound == name);
    let (_, address) = bound.ok_or_else(|| format!("advertised.listeners names {name}, which listeners does not"))?;
    let host = match &advertised.host {
        Some(host) => host.clone(),
        None => rt::host::host_name(),
    };
    let port = if advertised.port == 0 { address.port() } else { advertised.port };
    Ok(BrokerEndpoint { listener: name.as_str().into(), host: host.into(), port })
}
