//! Sockets: every call is tried at once without blocking, and only what would block waits in the ring.
//!
//! A read lands in an area of the core's and is copied from there, so ten thousand idle connections hold no buffers; what is large is
//! received in place.

use super::readiness::{Socket, readable_once};
use super::shared_file::SharedFile;
use super::{syscall, task};
use bytes::{Buf, Bytes, BytesMut};
use socket2::{Domain, Protocol, SockAddr, Type};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

/// Pending connections of a listener: a cluster's clients reconnect all at once.
const BACKLOG: i32 = 4096;

/// What waits in the ring is the epoll descriptor and not the socket: the ring of a killed process outlives it by a moment, and a
/// listening socket that it kept open would take in connections that nobody serves, and keep the port.
pub struct Listener {
    socket: socket2::Socket,
    readiness: OwnedFd,
}

impl Listener {
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = new_socket(address)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let readiness = syscall::readiness_of(socket.as_raw_fd())?;
        Ok(Listener { socket, readiness })
    }

    pub async fn accept(&self) -> io::Result<Incoming> {
        task::yield_if_needed().await;
        loop {
            match syscall::accept(self.socket.as_raw_fd()) {
                Ok((fd, peer)) => return Ok(Incoming { fd, peer: ip_address(&peer)? }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readable_once(self.readiness.as_raw_fd()).await?,
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        ip_address(&self.socket.local_addr()?)
    }
}

fn new_socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn ip_address(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an IP address"))
}

pub struct Incoming {
    fd: OwnedFd,
    peer: SocketAddr,
}

impl Incoming {
    pub fn peer_address(&self) -> SocketAddr {
        self.peer
    }

    pub fn attach(self) -> io::Result<Connection> {
        Connection::new(self.fd.into(), self.peer)
    }
}

#[derive(Clone)]
pub struct Connection(Rc<Inner>);

struct Inner {
    socket: Socket,
    peer: SocketAddr,
}

impl Connection {
    fn new(socket: socket2::Socket, peer: SocketAddr) -> io::Result<Connection> {
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        Ok(Connection(Rc::new(Inner { socket: Socket::new(socket.into()), peer })))
    }

    pub async fn connect(address: SocketAddr) -> io::Result<Connection> {
        let socket = new_socket(address)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let connection = Connection::new(socket, address)?;
        connection.socket().send_some(&[]).await?;
        Ok(connection)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.0.socket
    }

    pub fn peer_address(&self) -> SocketAddr {
        self.0.peer
    }

    pub async fn read(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        assert!(limit > 0, "a read of nothing cannot tell the end of the stream");
        task::yield_if_needed().await;
        self.socket().receive(buffer, limit).await
    }

    pub async fn read_in_place(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        assert!(limit > 0 && buffer.capacity() > buffer.len(), "a read of nothing cannot tell the end of the stream");
        task::yield_if_needed().await;
        loop {
            match syscall::receive(self.socket().as_raw_fd(), buffer, limit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket().readable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub async fn write_all(&self, parts: &mut VecDeque<Bytes>) -> io::Result<()> {
        self.write(parts, false).await
    }

    pub async fn write_before_more(&self, parts: &mut VecDeque<Bytes>) -> io::Result<()> {
        self.write(parts, true).await
    }

    async fn write(&self, parts: &mut VecDeque<Bytes>, more: bool) -> io::Result<()> {
        while let Some(first) = parts.front() {
            if first.is_empty() {
                parts.pop_front();
                continue;
            }
            let sent = match syscall::send(self.socket().as_raw_fd(), parts, more) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket().send_some(first).await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                result => result?,
            };
            advance(parts, sent);
            task::yield_if_needed().await;
        }
        Ok(())
    }

    pub async fn send_file(&self, file: &SharedFile, offset: u64, len: u64) -> io::Result<()> {
        super::send_file::send_file(self.socket(), file, offset, len).await
    }

    pub fn shutdown(&self) {
        syscall::shutdown(self.socket().as_raw_fd());
    }
}

/// Pops `sent` bytes from the front.
fn advance(parts: &mut VecDeque<Bytes>, mut sent: usize) {
    while sent > 0 {
        let first = parts.front_mut().expect("no more is sent than there is");
        let taken = sent.min(first.len());
        first.advance(taken);
        sent -= taken;
        if first.is_empty() {
            parts.pop_front();
        }
    }
}
