//! A file range to a socket with sendfile(2), in pieces, so that neither a slow peer nor a cold page stops the core.
//!
//! Each piece's last byte is first looked for in the page cache; what is not there is read ahead of its turn ([`super::cold_read`]). A full socket
//! takes its next few bytes by an ordinary send, since that is what the ring can wait for.

use super::cold_read::ReadAhead;
use super::readiness::Socket;
use super::shared_file::SharedFile;
use super::{syscall, task};
use std::io;
use std::os::fd::AsRawFd;

/// What is sent from memory after a wait: small, since it is copied.
const WAIT_BYTES: usize = 4 << 10;

pub async fn send_file(socket: &Socket, file: &SharedFile, offset: u64, len: u64) -> io::Result<()> {
    let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    let mut ahead = ReadAhead::new(file, offset, end);
    let mut at = offset;
    while at < end {
        ahead.ready(at).await?;
        let piece = (ahead.piece_end(at) - at) as usize;
        at += match syscall::send_file(socket.as_raw_fd(), file.raw_fd(), at, piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(sent) => sent as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(socket, file, at, piece).await?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        task::yield_if_needed().await;
    }
    Ok(())
}

/// Sends a few bytes as soon as the socket takes them.
async fn wait(socket: &Socket, file: &SharedFile, at: u64, piece: usize) -> io::Result<u64> {
    let bytes = file.read_at(at, piece.min(WAIT_BYTES)).await?;
    if bytes.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(socket.send_some(&bytes).await? as u64)
}
