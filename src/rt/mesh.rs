//! The mesh: typed messages between the cores of one process. Delivery is reliable and in order per pair of cores.
//!
//! Made once before the cores start: one end for each core, each end moved to its core. One task per core receives; any task
//! sends. Sends to oneself are allowed. A full channel makes `send` wait, so a reply path must never wait behind a request path:
//! use two meshes (requests, replies).

use super::{Backend, sim, uring};

/// One core's end of a mesh; `Send` until its core first uses it.
pub struct Mesh<M: Send + 'static>(MeshKind<M>);

enum MeshKind<M: Send + 'static> {
    Uring(uring::mesh::Mesh<M>),
    Sim(sim::mesh::Mesh<M>),
}

impl<M: Send + 'static> Mesh<M> {
    /// One end for each of `core_count` cores; each ordered pair holds up to `capacity` messages. May be called from a thread that is no core,
    /// so the implementation is named by `simulated`.
    pub fn ends(core_count: usize, capacity: usize, simulated: bool) -> Vec<Mesh<M>> {
        match if simulated { Backend::Sim } else { Backend::Uring } {
            Backend::Uring => uring::mesh::Mesh::ends(core_count, capacity).into_iter().map(|m| Mesh(MeshKind::Uring(m))).collect(),
            Backend::Sim => sim::mesh::Mesh::ends(core_count, capacity).into_iter().map(|m| Mesh(MeshKind::Sim(m))).collect(),
        }
    }

    /// A handle for sending; clone it freely on this core.
    pub fn sender(&self) -> MeshSender<M> {
        MeshSender(match &self.0 {
            MeshKind::Uring(m) => SenderKind::Uring(m.sender()),
            MeshKind::Sim(m) => SenderKind::Sim(m.sender()),
        })
    }

    /// The next message and the core it came from. Call from one task only, and never inside a select or timeout.
    pub async fn receive(&mut self) -> (usize, M) {
        match &mut self.0 {
            MeshKind::Uring(m) => m.receive().await,
            MeshKind::Sim(m) => m.receive().await,
        }
    }
}

/// Sends from one core of the mesh.
#[derive(Clone)]
pub struct MeshSender<M: Send + 'static>(SenderKind<M>);

#[derive(Clone)]
enum SenderKind<M: Send + 'static> {
    Uring(uring::mesh::Sender<M>),
    Sim(sim::mesh::Sender<M>),
}

impl<M: Send + 'static> MeshSender<M> {
    /// Sends, waiting while the channel is full. A core that has ended swallows what it is sent.
    pub async fn send(&self, to: usize, message: M) {
        match &self.0 {
            SenderKind::Uring(s) => s.send(to, message).await,
            SenderKind::Sim(s) => s.send(to, message).await,
        }
    }

    /// Sends unless the channel is full; gives the message back then.
    pub fn try_send(&self, to: usize, message: M) -> Result<(), M> {
        match &self.0 {
            SenderKind::Uring(s) => s.try_send(to, message),
            SenderKind::Sim(s) => s.try_send(to, message),
        }
    }
}
