//! Groups of consumers as load: thousands of members of either protocol, each on a connection of its own, over the raw protocol; what they cost the broker at rest,
//! how many commits a second it takes, and how long a large group takes to rebalance once all of its members have joined.
//!
//! Phases, in this order: connect, join, heartbeats, commits, rebalances of one large group by a member that comes and goes. Start reading at
//! [`run`]; `member.rs` is one member, `crowd.rs` all of them.

mod crowd;
mod member;
mod metrics;
mod requests;

use crate::Result;
use crate::client::Client;
use crate::load::arguments::Target;
use crate::process::Usage;
use crate::results::host::Host;
use crate::results::outcome::Metrics;
use crowd::Crowd;
use member::{Awaited, Member};
use metrics::Counters;
use ringmill::types::ErrorCode;
use ringmill::wire::Str;
use ringmill::wire::api::find_coordinator::FindCoordinatorRequest;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long the coordinators may take to be there.
const COORDINATOR_TIME_MAX: Duration = Duration::from_secs(60);
/// Connections opened before their first answers are awaited: fewer than a listener lets wait.
const CONNECT_AT_ONCE: usize = 100;

/// How members come to their assignments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Classic,
    /// KIP-848.
    Consumer,
}

#[derive(clap::Args, Clone, Serialize)]
pub struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    target: Target,
    /// Ringmill's admin listener (`ringmill.admin.listener`): its counters of journal writes and coordinators' memory are told, too.
    #[arg(long)]
    metrics: Option<String>,
    /// The members' `group.protocol`.
    #[arg(long, value_enum, default_value_t = Protocol::Classic)]
    protocol: Protocol,
    /// Groups beside the large one, which the members are dealt to.
    #[arg(long, default_value_t = 1000)]
    groups: usize,
    /// All members but those of the large group, each a connection.
    #[arg(long, default_value_t = 9500)]
    members: usize,
    /// Members of one more group, which is rebalanced.
    #[arg(long, default_value_t = 500)]
    large: usize,
    /// Created if there is none of this name.
    #[arg(long, default_value = "groups")]
    topic: String,
    #[arg(long, default_value_t = 100)]
    partitions: usize,
    /// As consumers' `heartbeat.interval.ms`.
    #[arg(long, default_value_t = 3000)]
    heartbeat_ms: u64,
    /// As consumers' `session.timeout.ms`.
    #[arg(long, default_value_t = 45_000)]
    session_ms: i32,
    /// As consumers' `max.poll.interval.ms`.
    #[arg(long, default_value_t = 300_000)]
    rebalance_ms: i32,
    /// How long heartbeats, and then commits, are measured.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Members that commit, each again as soon as it is answered.
    #[arg(long, default_value_t = 256)]
    committers: usize,
    /// Partitions in a commit.
    #[arg(long, default_value_t = 1)]
    offsets: usize,
    /// Rebalances of the large group.
    #[arg(long, default_value_t = 6)]
    rebalances: usize,
    /// Where to write groups.json.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.groups == 0 || arguments.partitions == 0 || arguments.members + arguments.large == 0 {
        return Err("none of something that must be there at least once".into());
    }
    let mut bootstrap = Client::connect(&arguments.target.broker)?;
    bootstrap.create_topic(&arguments.topic, arguments.partitions, &[])?;
    let mut crowd = Crowd::new(arguments)?;
    let mut metrics = Metrics::default();
    connect(arguments, &mut bootstrap, &mut crowd, &mut metrics)?;
    join(arguments, &mut crowd, &mut metrics)?;
    rest(arguments, &mut crowd, &mut metrics)?;
    commit(arguments, &mut crowd, &mut metrics)?;
    if arguments.large > 0 {
        rebalance(arguments, &mut bootstrap, &mut crowd, &mut metrics)?;
    }
    metrics.add("errors", crowd.errors.values().sum::<u64>() as f64);
    for (error, count) in &crowd.errors {
        eprintln!("{count} x {error:?}");
    }
    metrics.print();
    arguments.out.as_deref().map_or(Ok(()), |directory| write(arguments, &metrics, directory))
}

fn write(arguments: &Arguments, metrics: &Metrics, directory: &std::path::Path) -> Result<()> {
    #[derive(Serialize)]
    struct Written<'a> {
        machine: Host,
        groups: &'a Arguments,
        metrics: &'a Metrics,
    }
    std::fs::create_dir_all(directory)?;
    let written = Written { machine: Host::here(directory), groups: arguments, metrics };
    Ok(std::fs::write(directory.join("groups.json"), serde_json::to_string_pretty(&written)? + "\n")?)
}

fn large() -> Str {
    "perf-group-large".into()
}

/// The groups of all members in their order; the last is the large one.
fn groups_of_members(arguments: &Arguments) -> impl Iterator<Item = Str> + use<> {
    let groups = arguments.groups;
    let small = (0..arguments.members).map(move |index| Str::from(format!("perf-group-{}", index % groups).as_str()));
    small.chain((0..arguments.large).map(|_| large()))
}

/// Where a group's coordinator is; asked until it is there.
fn coordinator(bootstrap: &mut Client, group: &Str) -> Result<String> {
    let request = FindCoordinatorRequest { coordinator_keys: vec![group.clone()], ..Default::default() };
    let start = Instant::now();
    loop {
        let response = bootstrap.ask(&request, requests::FIND)?;
        let found = response.coordinators.first().ok_or("no answer for the group")?;
        match found.error_code {
            ErrorCode::None => return Ok(format!("{}:{}", &*found.host, found.port)),
            error if start.elapsed() > COORDINATOR_TIME_MAX => return Err(format!("no coordinator: {error:?}").into()),
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn connect(arguments: &Arguments, bootstrap: &mut Client, crowd: &mut Crowd, metrics: &mut Metrics) -> Result<()> {
    let groups: Vec<Str> = groups_of_members(arguments).collect();
    let mut addresses = BTreeMap::new();
    for group in &groups {
        if !addresses.contains_key(group) {
            addresses.insert(group.clone(), coordinator(bootstrap, group)?);
        }
    }
    let (before, start) = (Usage::of_any(arguments.target.pid)?, Instant::now());
    for (index, group) in groups.into_iter().enumerate() {
        let address = addresses[&group].clone();
        crowd.add(Member::connect(&address, group, index / arguments.groups * arguments.offsets)?)?;
        if index % CONNECT_AT_ONCE == 0 {
            crowd.serve_until("to connect", all_rest)?;
        }
    }
    crowd.serve_until("to connect", all_rest)?;
    let used = Usage::of_any(arguments.target.pid)?.since(&before);
    metrics.add("connections", crowd.members.len() as f64);
    metrics.add("connect_s", start.elapsed().as_secs_f64());
    metrics.add("kib_per_connection", (used.rss_mib - before.rss_mib) * 1024.0 / crowd.members.len() as f64);
    Ok(())
}

fn all_rest(members: &[Member]) -> bool {
    members.iter().all(|member| member.awaited == Awaited::Nothing)
}

/// All members of all groups know their assignments, those of a group of the same generation.
fn all_stable(members: &[Member]) -> bool {
    let mut generations = BTreeMap::new();
    members.iter().all(|member| member.is_stable && *generations.entry(&member.group).or_insert(member.generation) == member.generation)
}

/// In the consumer protocol nobody owns what another one owns, and sooner or later somebody owns it: together they have everything then.
fn have_everything(arguments: &Arguments, members: &[Member], of_group: &[usize]) -> bool {
    arguments.protocol == Protocol::Classic
        || of_group.iter().map(|index| members[*index].owned.len()).sum::<usize>() == arguments.partitions
}

fn join(arguments: &Arguments, crowd: &mut Crowd, metrics: &mut Metrics) -> Result<()> {
    let (before, counters) = (Usage::of_any(arguments.target.pid)?, Counters::of(arguments.metrics.as_deref())?);
    let start = Instant::now();
    for index in 0..crowd.members.len() {
        crowd.join(index)?;
    }
    crowd.serve_until("to join", all_stable)?;
    metrics.add("join_s", start.elapsed().as_secs_f64());
    let used = Usage::of_any(arguments.target.pid)?.since(&before);
    let members = crowd.members.len() as f64;
    metrics.add("join_cpu_s", used.cpu_seconds());
    metrics.add("kib_per_member", (used.rss_mib - before.rss_mib) * 1024.0 / members);
    let counted = Counters::of(arguments.metrics.as_deref())?.since(&counters);
    counted.add_if_known(metrics, "accounted_bytes_per_member", |counted| counted.coordinator_bytes / members);
    Ok(())
}

/// What members cost that only keep in touch.
fn rest(arguments: &Arguments, crowd: &mut Crowd, metrics: &mut Metrics) -> Result<()> {
    // The first heartbeats after the assignment are spread over an interval.
    crowd.serve(Instant::now() + Duration::from_millis(arguments.heartbeat_ms), |_| false)?;
    crowd.heartbeats.reset();
    let (before, start) = (Usage::of_any(arguments.target.pid)?, Instant::now());
    crowd.serve(start + Duration::from_secs_f64(arguments.seconds), |_| false)?;
    let (used, seconds) = (Usage::of_any(arguments.target.pid)?.since(&before), start.elapsed().as_secs_f64());
    let count = crowd.heartbeats.len() as f64;
    metrics.add("heartbeats_per_s", count / seconds);
    metrics.quantiles("heartbeat_", &crowd.heartbeats);
    metrics.add("heartbeat_cpu_cores", used.cpu_seconds() / seconds);
    metrics.add("heartbeat_cpu_us", used.cpu_seconds() * 1e6 / count.max(1.0));
    metrics.add("rss_mib", used.rss_mib);
    Ok(())
}

fn commit(arguments: &Arguments, crowd: &mut Crowd, metrics: &mut Metrics) -> Result<()> {
    let (before, counters) = (Usage::of_any(arguments.target.pid)?, Counters::of(arguments.metrics.as_deref())?);
    let start = Instant::now();
    crowd.begin_commits(arguments.committers)?;
    crowd.serve(start + Duration::from_secs_f64(arguments.seconds), |_| false)?;
    crowd.committers = 0;
    let seconds = start.elapsed().as_secs_f64();
    let used = Usage::of_any(arguments.target.pid)?.since(&before);
    let counted = Counters::of(arguments.metrics.as_deref())?.since(&counters);
    let count = (crowd.commits.len() as f64).max(1.0);
    metrics.add("commits_per_s", crowd.commits.len() as f64 / seconds);
    metrics.quantiles("commit_", &crowd.commits);
    metrics.add("commit_cpu_us", used.cpu_seconds() * 1e6 / count);
    metrics.add("commit_written_bytes", used.written_bytes / count);
    counted.add_if_known(metrics, "journal_writes_per_commit", |counted| counted.journal_writes / count);
    counted.add_if_known(metrics, "accounted_bytes_per_offset", |counted| counted.coordinator_bytes / counted.offsets.max(1.0));
    Ok(())
}

/// One round for each time that a member comes or goes: from when the last member's JoinGroup was sent until the last one knew its assignment.
fn rebalance(arguments: &Arguments, bootstrap: &mut Client, crowd: &mut Crowd, metrics: &mut Metrics) -> Result<()> {
    let group = large();
    let address = coordinator(bootstrap, &group)?;
    let (mut after_last, mut whole) = (Vec::new(), Vec::new());
    let guest = crowd.add(Member::connect(&address, group.clone(), 0)?)?;
    crowd.serve_until("to connect", |members| members[guest].awaited == Awaited::Nothing)?;
    for round in 0..arguments.rebalances {
        let of_group = |members: &[Member]| -> Vec<usize> {
            (0..members.len()).filter(|index| members[*index].group == group && (*index != guest || round % 2 == 0)).collect()
        };
        let members = of_group(&crowd.members);
        let generation = members.iter().map(|index| crowd.members[*index].generation).max().unwrap_or(-1);
        let start = Instant::now();
        if round % 2 == 0 {
            crowd.join(guest)?;
        } else {
            crowd.serve_until("the guest's rest", |members| members[guest].awaited == Awaited::Nothing)?;
            crowd.members[guest].leave(arguments.protocol)?;
        }
        crowd.hurry(&group);
        let is_through = |member: &Member| member.is_stable && member.generation > generation;
        crowd.serve_until("a rebalance", |all| {
            members.iter().all(|index| is_through(&all[*index])) && have_everything(arguments, all, &members)
        })?;
        crowd.hasty = None;
        let last_joined = members.iter().map(|index| crowd.members[*index].joined_at).max().unwrap_or(start);
        let last_stable = members.iter().map(|index| crowd.members[*index].stable_at).max().unwrap_or(start);
        // Nobody but the guest joins in the consumer protocol.
        if arguments.protocol == Protocol::Classic {
            after_last.push((last_stable - last_joined).as_secs_f64() * 1000.0);
        }
        whole.push((last_stable - start).as_secs_f64() * 1000.0);
    }
    for (name, times) in [("rebalance_after_last_join", &mut after_last), ("rebalance_whole", &mut whole)] {
        times.sort_by(f64::total_cmp);
        if let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) {
            metrics.add(format!("{name}_ms"), *median);
            metrics.add(format!("{name}_max_ms"), *most);
        }
    }
    Ok(())
}
