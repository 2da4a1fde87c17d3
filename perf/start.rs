//! Starts a broker and asks it for a topic and an ack until it gives one; then leaves it alone and watches what it uses.

use crate::Result;
use crate::client::Client;
use crate::payload::prime;
use crate::process::Usage;
use crate::report::print;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TRY_EVERY: Duration = Duration::from_millis(2);
const START_TIME_MAX: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    /// Where the command writes the broker's process id, if it is not that process itself.
    #[arg(long)]
    pid_file: Option<PathBuf>,
    /// Where the command's output goes.
    #[arg(long, default_value = "/dev/null")]
    log: PathBuf,
    /// Between the first ack and the watch.
    #[arg(long, default_value_t = 2.0)]
    settle_seconds: f64,
    #[arg(long, default_value_t = 3.0)]
    idle_seconds: f64,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let log = File::create(&arguments.log)?;
    let start = Instant::now();
    let mut child = Command::new(&arguments.command[0])
        .args(&arguments.command[1..])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    while let Err(error) = first_ack(&arguments.broker) {
        if start.elapsed() > START_TIME_MAX {
            child.kill()?;
            return Err(format!("no ack after {START_TIME_MAX:?}: {error}").into());
        }
        if let Some(status) = child.try_wait()?
            && !status.success()
        {
            return Err(format!("the broker's command ended: {status}").into());
        }
        thread::sleep(TRY_EVERY);
    }
    let first_ack = start.elapsed();
    let pid = match &arguments.pid_file {
        Some(file) => std::fs::read_to_string(file)?.trim().parse()?,
        None => child.id(),
    };
    print("first_ack_ms", first_ack.as_secs_f64() * 1000.0);
    thread::sleep(Duration::from_secs_f64(arguments.settle_seconds));
    let (before, watched_from) = (Usage::of(pid)?, Instant::now());
    thread::sleep(Duration::from_secs_f64(arguments.idle_seconds));
    let after = Usage::of(pid)?;
    print("idle_rss_mib", after.rss_mib);
    print("idle_cpu_percent", (after.cpu_seconds - before.cpu_seconds) * 100.0 / watched_from.elapsed().as_secs_f64());
    println!("pid\t{pid}");
    Ok(())
}

fn first_ack(broker: &str) -> Result<()> {
    let mut client = Client::connect(broker)?;
    client.create_topic("first-ack", 1, &[])?;
    prime(&mut client, "first-ack", 1)
}
