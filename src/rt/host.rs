//! The machine we run on: names and addresses, CPUs, the size of its volumes. Asked at start-up and by DescribeLogDirs only.

use super::{Backend, backend, uring};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Space on the file system that holds a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VolumeSpace {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// The address of a host name or literal; an empty host is every interface.
pub async fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    match backend() {
        Backend::Uring => uring::host::resolve(host, port).await,
        Backend::Sim => Err(io::Error::new(io::ErrorKind::NotFound, "the simulator has no host names")),
    }
}

/// This machine's own name, for clients elsewhere; `localhost` if it has none.
pub fn host_name() -> String {
    match backend() {
        Backend::Uring => uring::host::host_name(),
        Backend::Sim => "localhost".into(),
    }
}

/// The CPUs this process may run on, ascending; at least one. May be asked on a thread that is no core.
pub fn allowed_cpus() -> Vec<usize> {
    uring::host::allowed_cpus()
}

/// Gives memory that was freed back to the system, which the allocator keeps otherwise: for what was needed for a moment only.
pub async fn return_free_memory() {
    match backend() {
        Backend::Uring => uring::host::return_free_memory().await,
        Backend::Sim => {}
    }
}

/// Total and free bytes where `path` is.
pub async fn volume_space(path: &Path) -> io::Result<VolumeSpace> {
    match backend() {
        Backend::Uring => uring::host::volume_space(path).await,
        Backend::Sim => {
            let free_bytes = super::fs::free_space(path).await?;
            Ok(VolumeSpace { total_bytes: free_bytes, free_bytes })
        }
    }
}
