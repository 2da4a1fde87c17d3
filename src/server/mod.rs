//! The broker process: which cores there are, how they start, how they stop.
//!
//! [`serve`] runs it for real; the simulator boots the same [`node::cores`]. World ring.

mod acceptor;
mod controller_core;
mod endpoints;
mod failures;
mod layout;
mod mover;
mod node;
mod to_kafka;

use crate::config::BrokerConfig;
use crate::rt::uring;
pub use layout::Layout;
pub use node::{Event, Node};
use std::fmt;
use std::sync::Arc;
pub use to_kafka::to_kafka;

/// Why the broker did not start, or stopped by itself; one line for the operator.
#[derive(Debug)]
pub struct ServeError(String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

/// Runs the broker until SIGTERM or SIGINT. Blocks the calling thread, which is no core.
pub fn serve(config: BrokerConfig) -> Result<(), ServeError> {
    let fail = |error: &dyn fmt::Display| ServeError(error.to_string());
    let signals = uring::signals::listen().map_err(|e| fail(&e))?;
    let layout = layout::of_this_process(config.ringmill.shards);
    let (node, cores) = Node::new(Arc::new(config), layout, false);
    let running = uring::run(cores).map_err(|e| fail(&e))?;
    match supervise(&node, &signals) {
        End::Joined(outcome) => {
            running.join();
            outcome
        }
        End::Abandoned(error) => Err(error),
    }
}

/// How the broker ended.
enum End {
    /// Its cores end, too.
    Joined(Result<(), ServeError>),
    /// A core may wait for a dead disk for ever: the process ends without it.
    Abandoned(ServeError),
}

fn supervise(node: &Node, signals: &flume::Receiver<uring::signals::Signal>) -> End {
    loop {
        let event =
            flume::Selector::new().recv(signals, |signal| signal.ok().map(|_| Event::StopAsked)).recv(&node.events, Result::ok).wait();
        match event {
            Some(Event::StopAsked) => {
                tracing::info!("stopping");
                node.stop();
            }
            Some(Event::Ready(banner)) => println!("{banner}"),
            Some(Event::Stopped(None)) => return End::Joined(Ok(())),
            Some(Event::Stopped(Some(reason))) => return End::Joined(Err(ServeError(reason))),
            Some(Event::Failed(reason)) => return End::Abandoned(ServeError(reason)),
            None => return End::Joined(Err(ServeError("the cores ended without a word".into()))),
        }
    }
}
