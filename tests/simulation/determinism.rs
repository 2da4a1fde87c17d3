//! A seed names a run: two processes with the same seed leave the same trace, byte for byte.

use bytes::{Bytes, BytesMut};
use ringmill::rt::sim::{DiskFaults, Machine, NetworkFaults, Options, World};
use ringmill::rt::{self, AlignedBuffer, Connection, CoreSpec, File, Listener, Mesh, OpenOptions, Queue};
use ringmill::types::HashMap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

const CHILD: &str = "RINGMILL_SIM_TRACE_FILE";

/// A request that a connection's core passes on to the core that owns the file: (who asked, which question).
type Ask = (usize, u64);

/// One core of a little server: accepts on its own port, has every byte written durably by the next core, then answers.
async fn server_core(index: usize, core_count: usize, address: SocketAddr, mut requests: Mesh<Ask>, mut replies: Mesh<u64>) {
    let (asks, answers) = (requests.sender(), replies.sender());
    let waiting = Rc::new(std::cell::RefCell::new(HashMap::<u64, rt::sync::OneshotSender<()>>::default()));
    let path = PathBuf::from(format!("/data/file-{index}"));
    rt::fs::create_dir_all("/data".as_ref()).await.unwrap();
    let options = OpenOptions { write: true, create: true, direct: true, durable: true };
    let file = Rc::new(File::open(&path, options).await.unwrap());
    rt::spawn(Queue::Foreground, async move {
        loop {
            let (from, (asker, question)) = requests.receive().await;
            assert_eq!(from, asker);
            let (file, answers) = (Rc::clone(&file), answers.clone());
            rt::spawn(Queue::Foreground, async move {
                let mut buffer = AlignedBuffer::with_capacity(4096);
                buffer.extend_from_slice(&question.to_be_bytes());
                buffer.pad_to(4096);
                let _ = file.write_at(question % 8 * 4096, buffer).await;
                answers.send(from, question).await;
            });
        }
    });
    let woken = Rc::clone(&waiting);
    rt::spawn(Queue::Foreground, async move {
        loop {
            let (_, question) = replies.receive().await;
            let waiter: Option<rt::sync::OneshotSender<()>> = woken.borrow_mut().remove(&question);
            waiter.expect("an answer to a question asked").send(());
        }
    });
    let listener = Listener::bind(SocketAddr::new(address.ip(), address.port() + index as u16)).unwrap();
    let mut next_question = 0;
    loop {
        let connection = listener.accept().await.unwrap().attach().unwrap();
        let (asks, waiting) = (asks.clone(), Rc::clone(&waiting));
        next_question += 1_000_000;
        rt::spawn(Queue::Foreground, async move {
            let (mut buffer, mut question) = (BytesMut::new(), next_question);
            while connection.read(&mut buffer, 4096).await.is_ok_and(|count| count > 0) {
                question += 1;
                let (sender, receiver) = rt::sync::oneshot();
                waiting.borrow_mut().insert(question, sender);
                // A map's order is the seed's too.
                let oldest = waiting.borrow().keys().next().copied().unwrap_or(0);
                asks.send((index + 1) % core_count, (index, question)).await;
                let _ = receiver.await;
                let answer = [buffer.split().freeze(), Bytes::copy_from_slice(&oldest.to_be_bytes())];
                if connection.write_all(&mut VecDeque::from(answer)).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn boot_server(world: &World, machine: Machine) {
    const CORES: usize = 3;
    let address = SocketAddr::new(machine.ip(), 9092);
    let meshes = Mesh::ends(CORES, 4, true).into_iter().zip(Mesh::ends(CORES, 64, true)).enumerate();
    let core = |(index, (requests, replies))| CoreSpec {
        name: format!("shard-{index}"),
        cpu: None,
        main: Box::new(move || Box::pin(server_core(index, CORES, address, requests, replies))),
    };
    world.boot(machine, meshes.map(core).collect());
}

/// Talks to one core of the server for ever, over as many connections as it takes.
async fn client(server: Machine, port: u16) {
    loop {
        if let Ok(connection) = Connection::connect(SocketAddr::new(server.ip(), port)).await {
            let mut buffer = BytesMut::new();
            while connection.write_all(&mut VecDeque::from([Bytes::from_static(b"ask")])).await.is_ok()
                && rt::timeout(Duration::from_millis(500), connection.read(&mut buffer, 100)).await.is_some_and(|r| r.is_ok())
            {
                rt::sleep(Duration::from_micros(rt::random_u64() % 500)).await;
            }
        }
        rt::sleep(Duration::from_millis(20)).await;
    }
}

/// Two servers, ten clients, faults, a partition and crashes: all that the simulator can do to code.
pub fn busy_run(seed: u64, trace_text: bool, lives: usize) -> World {
    let world = World::new(seed, Options { trace_text, ..Options::default() });
    let (servers, clients) = ([world.add_machine(), world.add_machine()], world.add_machine());
    world.set_network_faults(NetworkFaults { cut_one_in: 2_000, refuse_one_in: 20, stall_one_in: 100 });
    for server in servers {
        world.set_disk_faults(server, DiskFaults { write_error_one_in: 100, stall_one_in: 200, ..DiskFaults::default() });
        for id in 0..5 {
            world.spawn_on(clients, client(server, 9092 + id % 3));
        }
    }
    for life in 0..lives {
        servers.iter().for_each(|server| boot_server(&world, *server));
        world.run_for(Duration::from_millis(100 + world.random_below(200)));
        world.partition(servers[life % 2], clients);
        world.run_for(Duration::from_millis(30));
        world.heal(servers[life % 2], clients);
        world.run_for(Duration::from_millis(50));
        servers.iter().for_each(|server| if life % 2 == 0 { world.crash(*server) } else { world.kill(*server) });
    }
    world
}

fn trace_of_a_process(seed: u64, file_name: &str) -> String {
    let path = tempfile::tempdir().unwrap().keep().join(file_name);
    let test = "determinism::the_same_seed_leaves_the_same_trace_in_two_processes";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(CHILD, &path)
        .env("RINGMILL_SIM_SEED", seed.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    trace
}

#[test]
fn the_same_seed_leaves_the_same_trace_in_two_processes() {
    if let Some(path) = std::env::var_os(CHILD) {
        let seed = std::env::var("RINGMILL_SIM_SEED").unwrap().parse().unwrap();
        return std::fs::write(path, busy_run(seed, true, 4).trace_text()).unwrap();
    }
    let first = trace_of_a_process(7, "first");
    let second = trace_of_a_process(7, "second");
    assert!(first.lines().count() > 10_000, "only {} events", first.lines().count());
    let difference = first.lines().zip(second.lines()).position(|(a, b)| a != b);
    assert_eq!(difference, None, "the first line that differs");
    assert!(first == second);
    assert!(first != trace_of_a_process(8, "third"), "another seed is another run");
}

#[test]
fn the_trace_s_hash_is_enough_to_tell_runs_apart() {
    let hashes: Vec<u64> = [1, 1, 2, 3].map(|seed| busy_run(seed, false, 1).trace_hash()).to_vec();
    assert_eq!(hashes[0], hashes[1]);
    assert!(hashes[1] != hashes[2] && hashes[2] != hashes[3] && hashes[1] != hashes[3]);
}
