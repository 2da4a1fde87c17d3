//! Waiting for a socket in glommio's ring, by way of the only readiness waits it has: those inside its `TcpStream`.
//!
//! An empty `poll_read` waits until there is something to read and takes nothing. There is no such thing for writing (an
//! empty send always succeeds), so waiting to write sends some of the bytes that are to be sent anyway. All of it is cancel-safe: what is under
//! way stays in the stream, and the next wait finds it.

use super::task;
use bytes::BytesMut;
use glommio::net::TcpStream;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

/// A nonblocking stream socket registered with the current core; closed when dropped.
pub struct Socket {
    stream: RefCell<TcpStream>,
    fd: RawFd,
}

impl Socket {
    pub fn new(fd: OwnedFd) -> Socket {
        let fd = fd.into_raw_fd();
        // SAFETY: the descriptor was owned and its ownership goes to the stream.
        let stream = RefCell::new(unsafe { TcpStream::from_raw_fd(fd) });
        Socket { stream, fd }
    }

    /// Waits until a receive would not block (bytes, end of stream) or fails with the socket's error. One waiter at a time.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut [])).await?;
        Ok(())
    }

    /// Receives at most `limit` bytes by way of the core's own area. After a short receive the wait for the next one is in the ring at once, so
    /// a peer that waits for its answers costs one receive for each of its requests. One waiter at a time.
    pub async fn receive(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        let core = task::core();
        poll_fn(|cx| {
            let mut scratch = core.scratch.borrow_mut();
            let len = scratch.len().min(limit);
            let received = ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut scratch[..len]))?;
            buffer.extend_from_slice(&scratch[..received]);
            Poll::Ready(Ok(received))
        })
        .await
    }

    /// Sends at least one byte of `bytes` as soon as the socket takes it. One waiter at a time. Given no bytes it waits until a
    /// connection in the making is made.
    pub async fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes)).await
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

/// Waits until any pollable descriptor (an epoll descriptor, an eventfd) is readable. Costs a duplicate each time: for rare events only.
pub async fn readable_once(fd: RawFd) -> io::Result<()> {
    let mut stream = {
        let duplicate = super::syscall::duplicate(fd)?;
        // SAFETY: the duplicate is owned and its ownership goes to the stream.
        unsafe { TcpStream::from_raw_fd(duplicate.into_raw_fd()) }
    };
    poll_fn(|cx| match Pin::new(&mut stream).poll_read(cx, &mut []) {
        // The poll has fired and the receive after it failed, as it must on what is no connected socket.
        Poll::Ready(_) => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await
}
