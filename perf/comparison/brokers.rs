//! Brokers on empty directories, one at a time: started, watched at rest, stopped. Ends only what it started, by its id.
//!
//! The process id also goes to a file, so that the script around this ends the broker if this program is killed.

use crate::Result;
use crate::load::{arguments::Load, prepare};
use crate::process::Usage;
use crate::results::outcome::Metrics;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TRY_EVERY: Duration = Duration::from_millis(2);
const START_TIME_MAX: Duration = Duration::from_secs(120);
const STOP_TIME_MAX: Duration = Duration::from_secs(120);
/// Between the first ack and the watch at rest.
const SETTLE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(5);
/// `log.flush.interval.messages`: acks from memory.
const NEVER: i64 = i64::MAX;
/// What Kafka's own start script gives its broker.
const KAFKA_JVM: &str =
    "-Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent";

/// A broker and what its acks mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Variant {
    RingmillDurable,
    KafkaDurable,
    KafkaCached,
    RingmillCached,
}

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Variant::RingmillDurable => "ringmill-durable",
            Variant::KafkaDurable => "kafka-durable",
            Variant::KafkaCached => "kafka-cached",
            Variant::RingmillCached => "ringmill-cached",
        }
    }

    fn is_kafka(self) -> bool {
        matches!(self, Variant::KafkaDurable | Variant::KafkaCached)
    }

    fn flush_messages(self) -> i64 {
        if matches!(self, Variant::RingmillDurable | Variant::KafkaDurable) { 1 } else { NEVER }
    }
}

/// What brokers are started with.
pub struct Setting {
    pub ringmill: PathBuf,
    /// KEY=VALUE for Ringmill.
    pub ringmill_set: Vec<String>,
    /// The directory of their data.
    pub data: PathBuf,
    /// Their output, and the file with the process id.
    pub out: PathBuf,
}

pub struct Broker<'a> {
    setting: &'a Setting,
    /// The process itself, if it is our child.
    child: Option<Child>,
    pub pid: u32,
    pub address: String,
    pub first_ack: Duration,
}

impl Broker<'_> {
    /// Starts a broker on an empty directory and waits for its first ack.
    pub fn start(setting: &Setting, variant: Variant) -> Result<Broker<'_>> {
        clear(&setting.data)?;
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        if variant.is_kafka() {
            let data = path(&setting.data)?;
            let flush = format!("log.flush.interval.messages={}", variant.flush_messages());
            bash(". tests/kafka/kafka.sh && kafka_format \"$@\"", &[data, &port.to_string(), &flush], None)?;
        }
        let log = File::create(setting.out.join("broker.log"))?;
        let start = Instant::now();
        let (pid, child) = if variant.is_kafka() {
            bash(". tests/kafka/kafka.sh && kafka_run \"$@\"", &[path(&setting.data)?], Some(&log))?;
            (fs::read_to_string(setting.data.join("pid"))?.trim().parse()?, None)
        } else {
            let child = ringmill(setting, variant, port)?.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
            (child.id(), Some(child))
        };
        fs::write(setting.pid_file(), pid.to_string())?;
        let mut broker = Broker { setting, child, pid, address, first_ack: Duration::ZERO };
        while let Err(error) = broker.try_ack() {
            if start.elapsed() > START_TIME_MAX || !broker.is_alive() {
                return Err(format!("{} gave no ack ({error}): see {}", variant.name(), setting.out.join("broker.log").display()).into());
            }
            thread::sleep(TRY_EVERY);
        }
        broker.first_ack = start.elapsed();
        Ok(broker)
    }

    fn try_ack(&self) -> Result<()> {
        prepare(&self.load("first-ack", 1)?).map(drop)
    }

    fn load(&self, topic: &str, partitions: usize) -> Result<Load> {
        Ok(Load { topic: topic.into(), partitions, ..Load::of(&self.address)? })
    }

    /// Memory and CPU when nothing happens.
    pub fn at_rest(&self) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        metrics.add("first_ack_ms", self.first_ack.as_secs_f64() * 1000.0);
        thread::sleep(SETTLE);
        let (before, start) = (Usage::of(self.pid)?, Instant::now());
        thread::sleep(IDLE);
        let used = Usage::of(self.pid)?.since(&before);
        metrics.add("idle_rss_mib", used.rss_mib);
        metrics.add("idle_cpu_percent", used.cpu_seconds() * 100.0 / start.elapsed().as_secs_f64());
        metrics.add("idle_switches_per_s", (used.switches_voluntary + used.switches_forced) / start.elapsed().as_secs_f64());
        Ok(metrics)
    }

    /// Makes partitions, one record in each, and stops the broker.
    pub fn stop_with(mut self, partitions: usize) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        prepare(&self.load("many", partitions)?)?;
        metrics.add("rss_mib", Usage::of(self.pid)?.rss_mib);
        let start = Instant::now();
        self.signal(Signal::TERM);
        while self.is_alive() {
            if start.elapsed() > STOP_TIME_MAX {
                return Err(format!("it does not stop within {STOP_TIME_MAX:?}").into());
            }
            thread::sleep(TRY_EVERY);
        }
        metrics.add("stop_ms", start.elapsed().as_secs_f64() * 1000.0);
        Ok(metrics)
    }

    pub fn data(&self) -> PathBuf {
        self.setting.data.join("data")
    }

    fn is_alive(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => Path::new(&format!("/proc/{}", self.pid)).exists(),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        let start = Instant::now();
        if self.is_alive() {
            self.signal(Signal::TERM);
        }
        while self.is_alive() {
            if start.elapsed() > STOP_TIME_MAX {
                eprintln!("broker {} does not stop: killing it", self.pid);
                self.signal(Signal::KILL);
                thread::sleep(Duration::from_secs(1));
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        _ = fs::remove_file(self.setting.pid_file());
        _ = clear(&self.setting.data);
    }
}

impl Setting {
    fn pid_file(&self) -> PathBuf {
        self.out.join("broker.pid")
    }
}

fn ringmill(setting: &Setting, variant: Variant, port: u16) -> Result<Command> {
    let mut command = Command::new(&setting.ringmill);
    command.arg("serve");
    let mut set = vec![
        format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
        format!("log.dirs={}", path(&setting.data.join("data"))?),
        format!("ringmill.admin.listener=127.0.0.1:{}", port + 1),
        format!("log.flush.interval.messages={}", variant.flush_messages()),
    ];
    set.extend(setting.ringmill_set.iter().cloned());
    set.iter().for_each(|pair| _ = command.args(["--set", pair]));
    Ok(command)
}

/// An empty directory, and what was written before on its way to the disk.
fn clear(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    Command::new("sync").arg("-f").arg(directory).status()?;
    Ok(())
}

/// A port that is free now, and so is the next, for a controller.
fn free_port() -> Result<u16> {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{} is no text", path.display()).into())
}

/// Runs a line of the shell, at the root of the repository.
pub fn bash(line: &str, arguments: &[&str], log: Option<&File>) -> Result<()> {
    let mut command = Command::new("bash");
    command.args(["-c", line, "bash"]).args(arguments).stdin(Stdio::null());
    command.env("KAFKA_JVM", std::env::var("KAFKA_JVM").unwrap_or_else(|_| KAFKA_JVM.into()));
    if let Some(log) = log {
        command.stdout(log.try_clone()?).stderr(log.try_clone()?);
    }
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{line}: {status}").into()) }
}
