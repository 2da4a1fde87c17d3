//! Bytes over a loopback connection: written from memory, and by sendfile from the page cache.

use super::device::TestFile;
use super::{GIB, MachineLimits, thread_cpu};
use crate::Result;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK: usize = 256 << 10;

struct Sent {
    bytes: f64,
    seconds: f64,
    sender_cpu: f64,
    receiver_cpu: f64,
}

pub fn measure(each: Duration, file: &TestFile, limits: &mut MachineLimits) -> Result<()> {
    let memory = vec![0x5au8; 8 << 20];
    let mut chunks = memory.chunks(CHUNK).cycle();
    let sent = transfer(each, |stream| stream.write(chunks.next().expect("it never ends")))?;
    limits.note("loopback from memory, GiB/s", sent.bytes / GIB / sent.seconds);
    limits.note("loopback from memory, send CPU s/GiB", sent.sender_cpu / (sent.bytes / GIB));
    limits.note("loopback from memory, receive CPU s/GiB", sent.receiver_cpu / (sent.bytes / GIB));
    let cached = file.cached()?;
    let mut offset = 0;
    let sent = transfer(each, |stream| {
        let count = send_file(stream, &cached, offset)?;
        offset = if count == 0 { 0 } else { offset + count as u64 };
        Ok(count)
    })?;
    limits.note("loopback by sendfile, GiB/s", sent.bytes / GIB / sent.seconds);
    limits.note("loopback by sendfile, send CPU s/GiB", sent.sender_cpu / (sent.bytes / GIB));
    limits.note("loopback by sendfile, receive CPU s/GiB", sent.receiver_cpu / (sent.bytes / GIB));
    Ok(())
}

/// Calls `send` for so long on a connection whose other end reads all on a thread of its own.
fn transfer(each: Duration, mut send: impl FnMut(&mut TcpStream) -> io::Result<usize>) -> Result<Sent> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let receiver = thread::spawn(move || receive(&listener));
    let mut stream = TcpStream::connect(address)?;
    let (start, cpu, mut bytes) = (Instant::now(), thread_cpu(), 0.0);
    while start.elapsed() < each {
        bytes += send(&mut stream)? as f64;
    }
    let (seconds, sender_cpu) = (start.elapsed().as_secs_f64(), thread_cpu() - cpu);
    drop(stream);
    let receiver_cpu = receiver.join().expect("it does not panic")?;
    Ok(Sent { bytes, seconds, sender_cpu, receiver_cpu })
}

/// Reads to the end; the CPU it took.
fn receive(listener: &TcpListener) -> io::Result<f64> {
    let (mut stream, _) = listener.accept()?;
    let (mut buffer, cpu) = (vec![0; CHUNK], thread_cpu());
    while stream.read(&mut buffer)? > 0 {}
    Ok(thread_cpu() - cpu)
}

fn send_file(stream: &TcpStream, file: &std::fs::File, offset: u64) -> io::Result<usize> {
    use std::os::fd::AsRawFd;
    let mut offset = offset as libc::off_t;
    // SAFETY: both descriptors are open during the call, and `offset` outlives it.
    let count = unsafe { libc::sendfile(stream.as_raw_fd(), file.as_raw_fd(), &mut offset, CHUNK) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}
