//! The controller on the simulator: power failures, kills, full disks and failing writes, at any point.

use crate::config::{BrokerConfig, Sources};
use crate::controller::{Controller, ControllerConfig, ControllerReply, ControllerRequest, ControllerResponse, MetadataImage, OpenError};
use crate::rt::sim::{DiskFaults, Machine, Options, World, for_each_seed};
use crate::rt::{AlignedBuffer, File, OpenOptions, fs};
use crate::types::ErrorCode;
use crate::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use crate::wire::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

const DIR: &str = "/data";

/// Small, so that a run sees several snapshots.
const SNAPSHOT_BYTES: u64 = 2000;

async fn open() -> Result<Rc<Controller>, OpenError> {
    open_with(None, 1).await
}

async fn open_with(cluster_id: Option<&str>, node_id: i32) -> Result<Rc<Controller>, OpenError> {
    fs::create_dir_all(Path::new(DIR)).await.unwrap();
    fs::sync_dir(Path::new("/")).await.unwrap();
    let set = vec![format!("node.id={node_id}")];
    let broker = Rc::new(BrokerConfig::load(&Sources { set, ..Sources::default() }).unwrap().config);
    let config = ControllerConfig { broker, cluster_id: cluster_id.map(str::to_owned), shard_count: 2, first_records: Vec::new() };
    let controller = Controller::open_with(Path::new(DIR), config, SNAPSHOT_BYTES).await?;
    let registration = crate::controller::BrokerRegistration {
        node: crate::types::NodeId(node_id),
        incarnation_id: [0; 16],
        endpoints: Vec::new(),
        rack: None,
    };
    controller.submit(ControllerRequest::RegisterBroker(registration)).await;
    Ok(controller)
}

fn create(name: &str, num_partitions: i32) -> ControllerRequest {
    let topic = CreatableTopic { name: name.into(), num_partitions, replication_factor: 1, ..Default::default() };
    ControllerRequest::CreateTopics(CreateTopicsRequest { topics: vec![topic], ..Default::default() })
}

fn delete(name: &str) -> ControllerRequest {
    let topic = DeleteTopicState { name: Some(name.into()), ..Default::default() };
    ControllerRequest::DeleteTopics(DeleteTopicsRequest { topics: vec![topic], ..Default::default() })
}

fn code(reply: &ControllerReply) -> ErrorCode {
    match &reply.response {
        ControllerResponse::CreateTopics(response) => response.topics[0].error_code,
        ControllerResponse::DeleteTopics(response) => response.responses[0].error_code,
        other => panic!("{other:?}"),
    }
}

/// What a client knows of a topic.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Known {
    There,
    Gone,
    /// A request was under way.
    Unsure,
}

type Ledger = Rc<RefCell<BTreeMap<String, Known>>>;

/// Creates topics of its own, deletes some, and keeps book.
async fn client(controller: Rc<Controller>, ledger: Ledger, client: u64, run: u64) {
    for n in 0..20 {
        let name = format!("topic-{run}-{client}-{n}");
        ledger.borrow_mut().insert(name.clone(), Known::Unsure);
        let reply = controller.submit(create(&name, 3)).await;
        assert_eq!(code(&reply), ErrorCode::None);
        assert!(controller.image().version() >= reply.version);
        assert!(controller.image().topic_by_name(&name).is_some(), "a reply comes after its image");
        ledger.borrow_mut().insert(name.clone(), Known::There);
        if n % 3 == 0 {
            ledger.borrow_mut().insert(name.clone(), Known::Unsure);
            assert_eq!(code(&controller.submit(delete(&name)).await), ErrorCode::None);
            ledger.borrow_mut().insert(name, Known::Gone);
        }
    }
}

fn check(image: &MetadataImage, ledger: &Ledger) {
    for (name, known) in ledger.borrow_mut().iter_mut() {
        let is_there = image.topic_by_name(name).is_some();
        match known {
            Known::Unsure => *known = if is_there { Known::There } else { Known::Gone },
            Known::There => assert!(is_there, "{name} was lost"),
            Known::Gone => assert!(!is_there, "{name} came back"),
        }
    }
    for topic in image.topics() {
        assert_eq!(topic.partitions.len(), 3, "{} is there in part", topic.name);
    }
}

/// Boots, checks, works until the end comes, and gives the cluster's id.
fn run_until(world: &World, machine: Machine, ledger: &Ledger, run: u64, duration: Duration) -> Option<String> {
    let cluster_id = Rc::new(RefCell::new(None));
    let (found, book) = (Rc::clone(&cluster_id), Rc::clone(ledger));
    world.spawn_on(machine, async move {
        let controller = open().await.unwrap();
        check(&controller.image(), &book);
        *found.borrow_mut() = Some(controller.image().cluster_id().to_owned());
        let (first, mut published) = controller.subscribe();
        for n in 0..4 {
            crate::rt::spawn(crate::rt::Queue::Foreground, client(Rc::clone(&controller), Rc::clone(&book), n, run));
        }
        // A follower that applies every change arrives at the same place.
        let mut placement = crate::controller::Placement::clone(&first.placement);
        drop(controller);
        while let Some(next) = published.receive().await {
            placement.apply(&next.delta);
            assert_eq!(placement, *next.placement);
        }
    });
    world.run_for(duration);
    cluster_id.take()
}

#[test]
fn what_was_answered_survives_any_crash() {
    for_each_seed(50, |seed| {
        let world = World::new(seed, Options::default());
        let machine = world.add_machine();
        let ledger = Ledger::default();
        let mut cluster_id: Option<String> = None;
        for run in 0..6 {
            let duration = Duration::from_micros(world.random_below(1_500_000));
            let found = run_until(&world, machine, &ledger, run, duration);
            if world.random_below(3) == 0 {
                world.kill(machine);
            } else {
                world.crash(machine);
            }
            if let (Some(before), Some(found)) = (&cluster_id, &found) {
                assert_eq!(before, found);
            }
            cluster_id = found.or(cluster_id);
        }
    });
}

/// Creates topics until the log fails, if it does.
fn create_until_it_fails(world: &World, machine: Machine, ledger: &Ledger) {
    let book = Rc::clone(ledger);
    let controller = world.block_on(machine, async { open().await.unwrap() });
    world.set_disk_faults(machine, DiskFaults { write_error_one_in: 15, sync_error_one_in: 30, ..DiskFaults::default() });
    world.block_on(machine, async move {
        for n in 0..40 {
            let name = format!("topic-{n}");
            book.borrow_mut().insert(name.clone(), Known::Unsure);
            match code(&controller.submit(create(&name, 3)).await) {
                ErrorCode::None => drop(book.borrow_mut().insert(name, Known::There)),
                // It could not grow: refused before anything was written.
                ErrorCode::KafkaStorageError if !controller.is_failed() => {}
                other => assert_eq!((other, controller.is_failed()), (ErrorCode::KafkaStorageError, true)),
            }
        }
    });
    world.set_disk_faults(machine, DiskFaults::default());
}

#[test]
fn after_a_failed_write_nothing_is_promised_and_nothing_is_lost() {
    for_each_seed(40, |seed| {
        let world = World::new(seed, Options::default());
        let machine = world.add_machine();
        let ledger = Ledger::default();
        create_until_it_fails(&world, machine, &ledger);
        world.crash(machine);
        run_until(&world, machine, &ledger, 1, Duration::from_secs(1));
    });
}

/// Starts and creates a few topics: too few for a snapshot, which would take the place of all that the log had.
fn create_a_few(world: &World, machine: Machine, ledger: &Ledger) {
    let (book, count) = (Rc::clone(ledger), 1 + world.random_below(3));
    world.block_on(machine, async move {
        let controller = open().await.unwrap();
        check(&controller.image(), &book);
        for n in 0..count {
            let name = format!("afterwards-{n}");
            assert_eq!(code(&controller.submit(create(&name, 3)).await), ErrorCode::None);
            book.borrow_mut().insert(name, Known::There);
        }
    });
}

#[test]
fn what_a_killed_node_finds_after_a_failed_write_survives_a_power_failure() {
    for_each_seed(200, |seed| {
        let world = World::new(seed, Options::default());
        let machine = world.add_machine();
        let ledger = Ledger::default();
        create_until_it_fails(&world, machine, &ledger);
        world.kill(machine);
        create_a_few(&world, machine, &ledger);
        world.crash(machine);
        run_until(&world, machine, &ledger, 2, Duration::from_secs(1));
    });
}

#[test]
fn a_full_disk_refuses_and_recovers_by_itself() {
    let world = World::new(7, Options::default());
    let machine = world.add_machine();
    let controller = world.block_on(machine, async { open().await.unwrap() });
    world.set_disk_faults(machine, DiskFaults { capacity: Some(1 << 20), ..DiskFaults::default() });
    let full = Rc::clone(&controller);
    world.block_on(machine, async move {
        let mut refused = 0;
        for n in 0..40 {
            match code(&full.submit(create(&format!("big-{n}"), 1000)).await) {
                ErrorCode::None => {}
                other => {
                    assert_eq!(other, ErrorCode::KafkaStorageError);
                    refused += 1;
                }
            }
        }
        assert!(refused > 0 && !full.is_failed(), "{refused} refused");
    });
    world.set_disk_faults(machine, DiskFaults::default());
    world.block_on(machine, async move {
        assert_eq!(code(&controller.submit(create("again", 1)).await), ErrorCode::None);
    });
}

#[test]
fn a_directory_of_another_node_or_cluster_is_refused() {
    let world = World::new(3, Options::default());
    let machine = world.add_machine();
    world.block_on(machine, async {
        let id = open().await.unwrap().image().cluster_id().to_owned();
        assert_eq!(id.len(), 22);
        assert!(open_with(Some(&id), 1).await.is_ok());
        let error = open_with(None, 2).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("{DIR}/ringmill-metadata-log-00000000000000000001: the metadata is of node.id 1, but node.id is 2")
        );
        assert!(matches!(open_with(Some("AAAAAAAAAAAAAAAAAAAAAA"), 1).await, Err(OpenError::ForeignCluster { .. })));
    });
}

#[test]
fn damage_is_named_and_not_cut_away() {
    let world = World::new(5, Options::default());
    let machine = world.add_machine();
    world.block_on(machine, async {
        let controller = open().await.unwrap();
        controller.submit(create("a", 1)).await;
        controller.submit(create("b", 1)).await;
        drop(controller);
        let path = Path::new(DIR).join("ringmill-metadata-log-00000000000000000001");
        let file = File::open(&path, OpenOptions { write: true, durable: true, ..OpenOptions::default() }).await.unwrap();
        let mut byte = AlignedBuffer::with_capacity(1);
        byte.extend_from_slice(&[0xff]);
        file.write_at(90, byte).await.unwrap();
        let error = open().await.err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    });
}
