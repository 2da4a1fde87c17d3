use super::file::drop_from_page_cache;
use super::{disk_dir, pattern};
use crate::rt::sync::{oneshot, queue};
use crate::rt::uring::start::run_here;
use crate::rt::{Connection, Listener, Queue, SharedFile, sleep, spawn, timeout};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const ANY_PORT: &str = "127.0.0.1:0";

fn listen() -> (Listener, SocketAddr) {
    let listener = Listener::bind(ANY_PORT.parse().unwrap()).unwrap();
    let address = listener.local_address().unwrap();
    (listener, address)
}

/// A connection of this core and its blocking peer.
async fn pair() -> (Connection, TcpStream) {
    let (listener, address) = listen();
    let peer = TcpStream::connect(address).unwrap();
    let incoming = listener.accept().await.unwrap();
    assert_eq!(incoming.peer_address(), peer.local_addr().unwrap());
    (incoming.attach().unwrap(), peer)
}

async fn read_exactly(connection: &Connection, len: usize) -> BytesMut {
    let mut buffer = BytesMut::new();
    while buffer.len() < len {
        let wanted = len - buffer.len();
        let read = connection.read(&mut buffer, wanted).await.unwrap();
        assert!(read > 0, "the peer closed");
    }
    buffer
}

async fn echo(connection: Connection) {
    let mut buffer = BytesMut::new();
    while connection.read(&mut buffer, 64 << 10).await.unwrap() > 0 {
        connection.write_all(&mut VecDeque::from([buffer.split().freeze()])).await.unwrap();
    }
}

fn serve_echo(listener: Listener) {
    spawn(Queue::Foreground, async move {
        loop {
            let connection = listener.accept().await.unwrap().attach().unwrap();
            spawn(Queue::Foreground, echo(connection));
        }
    });
}

#[test]
fn many_connections_echo_at_once() {
    const CONNECTIONS: usize = 500;
    run_here(async {
        let (listener, address) = listen();
        serve_echo(listener);
        let (done, mut finished) = queue();
        for i in 0..CONNECTIONS {
            let done = done.clone();
            spawn(Queue::Foreground, async move {
                let connection = Connection::connect(address).await.unwrap();
                assert_eq!(connection.peer_address(), address);
                for round in 0..5 {
                    let message = Bytes::from(pattern(1 + (i * 97 + round * 8_192) % 40_000));
                    let len = message.len();
                    connection.write_all(&mut VecDeque::from([message.clone()])).await.unwrap();
                    assert_eq!(read_exactly(&connection, len).await, message);
                }
                done.send(()).unwrap();
            });
        }
        for _ in 0..CONNECTIONS {
            finished.receive().await.unwrap();
        }
    });
}

#[test]
fn a_message_in_many_parts_of_any_size_arrives_whole() {
    run_here(async {
        let (connection, mut peer) = pair().await;
        let bytes = Bytes::from(pattern(5 << 20));
        let mut parts = VecDeque::new();
        let mut rest = bytes.clone();
        for len in (0..2000).cycle() {
            if rest.is_empty() {
                break;
            }
            parts.push_back(rest.split_to(len.min(rest.len())));
        }
        parts.push_back(Bytes::new());
        let expected = bytes.len();
        let reader = std::thread::Builder::new().spawn(move || {
            let mut received = vec![0; expected];
            peer.read_exact(&mut received).map(|()| received)
        });
        connection.write_all(&mut parts).await.unwrap();
        assert!(parts.is_empty());
        assert_eq!(crate::rt::blocking(|| reader.unwrap().join().unwrap()).await.unwrap(), bytes);
    });
}

#[test]
fn a_read_takes_no_more_than_its_limit_and_tells_the_end() {
    run_here(async {
        let (connection, mut peer) = pair().await;
        peer.write_all(&pattern(300_000)).unwrap();
        let mut buffer = BytesMut::with_capacity(10);
        assert_eq!(connection.read(&mut buffer, 4).await.unwrap(), 4);
        while buffer.len() < 299_999 {
            let limit = (299_999 - buffer.len()).min(100_000);
            assert!(connection.read(&mut buffer, limit).await.unwrap() <= limit);
        }
        drop(peer);
        assert_eq!(connection.read(&mut buffer, 100).await.unwrap(), 1);
        assert_eq!(connection.read(&mut buffer, 100).await.unwrap(), 0);
        assert_eq!(buffer, pattern(300_000));
    });
}

#[test]
fn cancelled_reads_lose_nothing() {
    run_here(async {
        let (connection, mut peer) = pair().await;
        let bytes = pattern(200_000);
        let sent = bytes.clone();
        let writer = std::thread::Builder::new().spawn(move || sent.chunks(1000).for_each(|chunk| peer.write_all(chunk).unwrap()));
        let mut received = BytesMut::new();
        let mut cancelled = 0;
        while received.len() < bytes.len() {
            let read = connection.read(&mut received, 700);
            match timeout(Duration::from_micros(1), read).await {
                Some(read) => assert!(read.unwrap() > 0),
                None => cancelled += 1,
            }
        }
        assert_eq!(received, bytes, "after {cancelled} cancelled reads");
        writer.unwrap().join().unwrap();
        assert_eq!(connection.read(&mut received, 10).await.unwrap(), 0);
    });
}

#[test]
fn a_slow_reader_holds_up_nobody_else() {
    run_here(async {
        let dir = disk_dir();
        let path = dir.path().join("segment");
        std::fs::write(&path, pattern(64 << 20)).unwrap();
        let file = SharedFile::open(&path).await.unwrap();
        let (stalled, _peer_that_reads_nothing) = pair().await;
        let (also_stalled, _other_peer) = pair().await;
        spawn(Queue::Foreground, async move {
            let _ = stalled.send_file(&file, 0, 64 << 20).await;
            unreachable!("its peer reads nothing");
        });
        spawn(Queue::Foreground, async move {
            let _ = also_stalled.write_all(&mut VecDeque::from([Bytes::from(pattern(64 << 20))])).await;
            unreachable!("its peer reads nothing");
        });
        let (listener, address) = listen();
        serve_echo(listener);
        let connection = Connection::connect(address).await.unwrap();
        for i in 0..200u8 {
            connection.write_all(&mut VecDeque::from([Bytes::from(vec![i; 100])])).await.unwrap();
            assert_eq!(read_exactly(&connection, 100).await, [i; 100][..]);
        }
    });
}

#[test]
fn a_file_larger_than_the_socket_s_buffers_is_sent_warm_or_cold() {
    const LEN: usize = (24 << 20) + 12_345;
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("segment");
        let bytes = pattern(LEN);
        std::fs::write(&path, &bytes).unwrap();
        let file = SharedFile::open(&path).await.unwrap();
        for (offset, cold) in [(0, false), (1, true), (131_073, true), (LEN - 1, false)] {
            if cold {
                drop_from_page_cache(&path);
            }
            let (connection, mut peer) = pair().await;
            let reader = std::thread::Builder::new().spawn(move || {
                let mut received = Vec::new();
                peer.read_to_end(&mut received).map(|_| received)
            });
            connection.send_file(&file, offset as u64, (LEN - offset) as u64).await.unwrap();
            drop(connection);
            let received = crate::rt::blocking(|| reader.unwrap().join().unwrap()).await.unwrap();
            assert!(received == bytes[offset..], "from {offset}: {} bytes", received.len());
        }
    });
}

#[test]
fn a_file_without_direct_io_is_sent_too() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    run_here(async move {
        let path = dir.path().join("segment");
        std::fs::write(&path, pattern(1 << 20)).unwrap();
        let file = SharedFile::open(&path).await.unwrap();
        let (connection, mut peer) = pair().await;
        let reader = std::thread::Builder::new().spawn(move || {
            let mut received = vec![0; 1 << 20];
            peer.read_exact(&mut received).map(|()| received)
        });
        connection.send_file(&file, 0, 1 << 20).await.unwrap();
        assert_eq!(crate::rt::blocking(|| reader.unwrap().join().unwrap()).await.unwrap(), pattern(1 << 20));
    });
}

#[test]
fn a_file_that_is_too_short_ends_the_answer_with_an_error() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("segment");
        std::fs::write(&path, pattern(1000)).unwrap();
        let file = SharedFile::open(&path).await.unwrap();
        let (connection, _peer) = pair().await;
        assert_eq!(connection.send_file(&file, 900, 101).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(connection.send_file(&file, 2000, 1).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn one_task_reads_while_another_writes() {
    run_here(async {
        let (connection, peer) = pair().await;
        let mut peer_reads = peer.try_clone().unwrap();
        let mut peer_writes = peer;
        let bytes = Bytes::from(pattern(8 << 20));
        let (to_us, from_us) = (bytes.clone(), bytes.clone());
        let writer = std::thread::Builder::new().spawn(move || peer_writes.write_all(&to_us));
        let reader = std::thread::Builder::new().spawn(move || {
            let mut received = vec![0; from_us.len()];
            peer_reads.read_exact(&mut received).map(|()| received == from_us)
        });
        let (done, written) = oneshot();
        let (our_writer, message) = (connection.clone(), bytes.clone());
        spawn(Queue::Foreground, async move { done.send(our_writer.write_all(&mut VecDeque::from([message])).await) });
        assert!(read_exactly(&connection, bytes.len()).await == bytes);
        assert!(written.await.unwrap().is_ok());
        crate::rt::blocking(|| writer.unwrap().join().unwrap()).await.unwrap();
        assert!(crate::rt::blocking(|| reader.unwrap().join().unwrap()).await.unwrap());
    });
}

#[test]
fn a_shutdown_ends_the_reader_and_the_writer_that_wait() {
    run_here(async {
        let (connection, _peer) = pair().await;
        let (read_done, read) = oneshot();
        let reader = connection.clone();
        spawn(Queue::Foreground, async move { read_done.send(reader.read(&mut BytesMut::new(), 10).await) });
        let (write_done, written) = oneshot();
        let writer = connection.clone();
        let message = Bytes::from(pattern(64 << 20));
        spawn(Queue::Foreground, async move { write_done.send(writer.write_all(&mut VecDeque::from([message])).await) });
        sleep(Duration::from_millis(5)).await;
        connection.shutdown();
        assert_eq!(read.await.unwrap().unwrap_or(0), 0);
        assert!(written.await.unwrap().is_err());
        assert_eq!(connection.read(&mut BytesMut::new(), 10).await.unwrap(), 0);
    });
}

#[test]
fn the_last_clone_dropped_closes_the_connection_at_once() {
    run_here(async {
        let (connection, mut peer) = pair().await;
        let clone = connection.clone();
        drop(connection);
        clone.write_all(&mut VecDeque::from([Bytes::from_static(b"bye")])).await.unwrap();
        drop(clone);
        let read = crate::rt::blocking(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).map(|_| received)
        });
        assert_eq!(read.await.unwrap(), b"bye");
    });
}

#[test]
fn a_port_in_use_is_refused_and_a_port_just_left_is_not() {
    run_here(async {
        let (listener, address) = listen();
        assert_eq!(Listener::bind(address).err().unwrap().kind(), ErrorKind::AddrInUse);
        let peer = TcpStream::connect(address).unwrap();
        let connection = listener.accept().await.unwrap().attach().unwrap();
        drop((listener, connection));
        drop(peer);
        let _again = Listener::bind(address).unwrap();
        Connection::connect(address).await.unwrap();
    });
}

#[test]
fn a_refused_connection_is_an_error() {
    run_here(async {
        let (listener, address) = listen();
        drop(listener);
        assert_eq!(Connection::connect(address).await.err().unwrap().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn an_accept_that_is_cancelled_loses_no_connection() {
    run_here(async {
        let (listener, address) = listen();
        for _ in 0..20 {
            assert!(timeout(Duration::from_micros(1), listener.accept()).await.is_none());
        }
        let _peer = TcpStream::connect(address).unwrap();
        listener.accept().await.unwrap();
    });
}
