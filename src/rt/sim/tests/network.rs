//! Connections: echo, bounds, ends, cuts, partitions, refusals.

use super::{log, world};
use crate::rt::sim::{Control, Machine, NetworkFaults, World};
use crate::rt::{self, AlignedBuffer, Connection, File, Listener, OpenOptions, Queue, SharedFile};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 9092;

fn address(machine: Machine) -> SocketAddr {
    SocketAddr::new(machine.ip(), PORT)
}

/// Answers every byte with itself, for every connection.
async fn echo_server(machine: Machine) {
    let listener = Listener::bind(address(machine)).unwrap();
    loop {
        let connection = listener.accept().await.unwrap().attach().unwrap();
        rt::spawn(Queue::Foreground, async move {
            let _ = echo(connection).await;
        });
    }
}

async fn echo(connection: Connection) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    while connection.read(&mut buffer, 1 << 16).await? > 0 {
        connection.write_all(&mut VecDeque::from([buffer.split().freeze()])).await?;
    }
    Ok(())
}

async fn read_exactly(connection: &Connection, len: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::new();
    while buffer.len() < len {
        let missing = len - buffer.len();
        if connection.read(&mut buffer, missing).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.freeze())
}

fn pattern(len: usize) -> Bytes {
    (0..len).map(|i| (i * 31 % 251) as u8).collect::<Vec<u8>>().into()
}

/// A world with an echo server on its first machine and a client machine.
fn echo_world(seed: u64) -> (World, Machine, Machine) {
    let (world, server) = world(seed);
    let client = world.add_machine();
    world.spawn_on(server, echo_server(server));
    world.run_for(Duration::from_millis(1));
    (world, server, client)
}

#[test]
fn an_echo_server_gives_back_every_byte_in_order() {
    for seed in 0..30 {
        let (world, server, client) = echo_world(seed);
        let answers = log();
        for len in [1, 5_000, 700_000] {
            let answers = Rc::clone(&answers);
            world.spawn_on(client, async move {
                let connection = Connection::connect(address(server)).await.unwrap();
                assert_eq!(connection.peer_address(), address(server));
                let writer = connection.clone();
                rt::spawn(Queue::Foreground, async move {
                    let bytes = pattern(len);
                    let parts = [bytes.slice(..len / 3), Bytes::new(), bytes.slice(len / 3..)];
                    writer.write_all(&mut VecDeque::from(parts)).await.unwrap();
                });
                assert!(read_exactly(&connection, len).await.unwrap() == pattern(len));
                answers.borrow_mut().push(len);
            });
        }
        world.run_until_idle();
        assert_eq!(answers.borrow().len(), 3);
    }
}

#[test]
fn answers_on_different_connections_overtake_each_other() {
    let mut orders = BTreeSet::new();
    for seed in 0..40 {
        let (world, server, client) = echo_world(seed);
        let order = log();
        for id in 0..2 {
            let order = Rc::clone(&order);
            world.spawn_on(client, async move {
                let connection = Connection::connect(address(server)).await.unwrap();
                connection.write_all(&mut VecDeque::from([pattern(10)])).await.unwrap();
                read_exactly(&connection, 10).await.unwrap();
                order.borrow_mut().push(id);
            });
        }
        world.run_until_idle();
        orders.insert(order.take());
    }
    assert_eq!(orders.len(), 2);
}

#[test]
fn a_writer_waits_for_a_peer_that_does_not_read_and_goes_on_when_it_does() {
    let (world, server) = world(3);
    let client = world.add_machine();
    let start_reading = rt::sync::Event::default();
    let listener_event = start_reading.clone();
    world.spawn_on(server, async move {
        let listener = Listener::bind(address(server)).unwrap();
        let connection = listener.accept().await.unwrap().attach().unwrap();
        listener_event.listen().await;
        assert!(read_exactly(&connection, 1 << 20).await.unwrap() == pattern(1 << 20));
    });
    world.run_for(Duration::from_millis(1));
    let written = log();
    let done = Rc::clone(&written);
    world.spawn_on(client, async move {
        let connection = Connection::connect(address(server)).await.unwrap();
        connection.write_all(&mut VecDeque::from([pattern(1 << 20)])).await.unwrap();
        done.borrow_mut().push(());
        std::future::pending::<()>().await;
    });
    world.run_for(Duration::from_secs(60));
    assert!(written.borrow().is_empty(), "a mebibyte does not fit in the window");
    start_reading.notify();
    world.run_for(Duration::from_secs(60));
    assert_eq!(written.borrow().len(), 1);
}

#[test]
fn closing_ends_the_peer_s_reads_and_fails_its_writes() {
    let (world, server, client) = echo_world(4);
    world.block_on(client, async move {
        let listener = Listener::bind(SocketAddr::new(client.ip(), 0)).unwrap();
        let accepted = {
            let connection = Connection::connect(listener.local_address().unwrap()).await.unwrap();
            let accepted = listener.accept().await.unwrap();
            assert_eq!(accepted.peer_address().ip(), client.ip());
            connection.write_all(&mut VecDeque::from([pattern(100)])).await.unwrap();
            accepted.attach().unwrap()
        };
        let mut buffer = BytesMut::new();
        while accepted.read(&mut buffer, 1000).await.unwrap() > 0 {}
        assert_eq!(buffer.len(), 100, "what was written before the close arrives");
        let mut error = None;
        while error.is_none() {
            error = accepted.write_all(&mut VecDeque::from([pattern(10)])).await.err();
            rt::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(error.unwrap().kind(), ErrorKind::ConnectionReset);
        let own = Connection::connect(address(server)).await.unwrap();
        own.shutdown();
        assert_eq!(own.read(&mut buffer, 10).await.unwrap(), 0);
        assert_eq!(own.write_all(&mut VecDeque::from([pattern(1)])).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn nobody_listening_is_a_refusal_and_a_port_is_bound_once() {
    let (world, server, client) = echo_world(5);
    world.block_on(server, async move {
        assert_eq!(Listener::bind(address(server)).err().unwrap().kind(), ErrorKind::AddrInUse);
        assert_eq!(Listener::bind(address(client)).err().unwrap().kind(), ErrorKind::AddrNotAvailable);
        let any = Listener::bind(([0, 0, 0, 0], 0).into()).unwrap();
        assert_ne!(any.local_address().unwrap().port(), 0);
    });
    world.block_on(client, async move {
        let nowhere = SocketAddr::new(server.ip(), 1);
        assert_eq!(Connection::connect(nowhere).await.err().unwrap().kind(), ErrorKind::ConnectionRefused);
        let no_machine = ([10, 9, 9, 9], 1).into();
        assert_eq!(Connection::connect(no_machine).await.err().unwrap().kind(), ErrorKind::TimedOut);
    });
    world.set_network_faults(NetworkFaults { refuse_one_in: 1, ..NetworkFaults::default() });
    let refused = world.block_on(client, async move { Connection::connect(address(server)).await.err() });
    assert_eq!(refused.unwrap().kind(), ErrorKind::ConnectionRefused);
}

/// Echoes until an error; says when it came.
async fn talk_until_cut(server: Machine) -> rt::Instant {
    let connection = Connection::connect(address(server)).await.unwrap();
    loop {
        let echoed = async {
            connection.write_all(&mut VecDeque::from([pattern(2_000)])).await?;
            read_exactly(&connection, 2_000).await
        };
        match echoed.await {
            Ok(bytes) => assert_eq!(bytes, pattern(2_000)),
            Err(_) => return rt::now(),
        }
    }
}

#[test]
fn a_cut_connection_fails_at_both_ends_at_different_times() {
    for seed in 0..20 {
        let (world, server) = world(seed);
        let client = world.add_machine();
        let failed = log();
        let server_failed = Rc::clone(&failed);
        world.spawn_on(server, async move {
            let listener = Listener::bind(address(server)).unwrap();
            let connection = listener.accept().await.unwrap().attach().unwrap();
            assert!(echo(connection).await.is_err());
            server_failed.borrow_mut().push(rt::now());
        });
        world.run_for(Duration::from_millis(1));
        let client_failed = Rc::clone(&failed);
        world.spawn_on(client, async move {
            let at = talk_until_cut(server).await;
            client_failed.borrow_mut().push(at);
            rt::sleep(Duration::from_secs(10)).await;
        });
        world.run_for(Duration::from_millis(20));
        assert!(world.cut_connection(server, client));
        world.run_until_idle();
        let failed = failed.borrow();
        assert!(failed.len() == 2 && failed[0] != failed[1], "{failed:?}");
    }
}

#[test]
fn injected_cuts_come_sooner_or_later() {
    let (world, server, client) = echo_world(6);
    world.set_network_faults(NetworkFaults { cut_one_in: 50, stall_one_in: 20, ..NetworkFaults::default() });
    world.block_on(client, async move { talk_until_cut(server).await });
}

#[test]
fn a_partition_holds_bytes_back_until_it_heals() {
    for seed in 0..20 {
        let (world, server, client) = echo_world(seed);
        let control: Control = world.control();
        world.block_on(client, async move {
            let connection = Connection::connect(address(server)).await.unwrap();
            control.partition(server, client);
            connection.write_all(&mut VecDeque::from([pattern(50_000)])).await.unwrap();
            let answer = rt::timeout(Duration::from_secs(5), connection.read(&mut BytesMut::new(), 10)).await;
            assert!(answer.is_none(), "nothing passes");
            assert_eq!(Connection::connect(address(server)).await.err().unwrap().kind(), ErrorKind::TimedOut);
            control.heal(server, client);
            assert!(read_exactly(&connection, 50_000).await.unwrap() == pattern(50_000));
        });
    }
}

#[test]
fn a_machine_s_end_ends_its_connections() {
    for power_lost in [false, true] {
        let (world, server, client) = echo_world(7);
        let failed = log();
        let noted = Rc::clone(&failed);
        world.spawn_on(client, async move {
            talk_until_cut(server).await;
            noted.borrow_mut().push(());
        });
        world.run_for(Duration::from_millis(50));
        if power_lost {
            world.crash(server)
        } else {
            world.kill(server)
        }
        world.run_for(Duration::from_secs(10));
        assert_eq!(failed.borrow().len(), 1);
        world.spawn_on(server, echo_server(server));
        world.run_for(Duration::from_millis(1));
        assert!(world.block_on(client, async move { Connection::connect(address(server)).await.is_ok() }), "the port is free again");
    }
}

#[test]
fn a_file_is_sent_as_it_is_when_its_bytes_go_out() {
    for seed in 0..20 {
        let (world, server) = world(seed);
        let client = world.add_machine();
        world.spawn_on(server, async move {
            let file = File::open("/segment".as_ref(), OpenOptions { write: true, create: true, ..OpenOptions::default() }).await.unwrap();
            let mut buffer = AlignedBuffer::with_capacity(300_000);
            buffer.extend_from_slice(&pattern(300_000));
            file.write_at(0, buffer).await.unwrap();
            let listener = Listener::bind(address(server)).unwrap();
            let connection = listener.accept().await.unwrap().attach().unwrap();
            let shared = SharedFile::open("/segment".as_ref()).await.unwrap();
            connection.send_file(&shared, 1_000, 250_000).await.unwrap();
            assert_eq!(connection.send_file(&shared, 299_000, 2_000).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        });
        world.run_for(Duration::from_secs(1));
        world.block_on(client, async move {
            let connection = Connection::connect(address(server)).await.unwrap();
            assert!(
                read_exactly(&connection, 251_000).await.unwrap()
                    == pattern(300_000)[1_000..251_000].iter().chain(&pattern(300_000)[299_000..]).copied().collect::<Vec<u8>>()
            );
        });
    }
}
