//! A `ringmill` process under test: started on free ports and a fresh directory, killed, stopped and started again on the same ones.
//! It ends with the test; when the test fails, what it wrote to stderr is printed.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take that is not measured: far beyond what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(240);
/// The same for a request that says how long its sender waits.
pub const PATIENCE_MS: i32 = 240_000;
/// How often a broker is given other ports when somebody took those that were free a moment ago.
const OTHER_PORTS: usize = 10;
const PORT_TAKEN: &str = "Address already in use";

pub struct Broker {
    address: SocketAddr,
    /// None when the broker was there before the test.
    process: Option<Process>,
}

struct Process {
    child: Option<Child>,
    home: TempDir,
    settings: Vec<String>,
    admin: SocketAddr,
}

impl Broker {
    pub fn start() -> Broker {
        Broker::start_with(&[])
    }

    /// With `key=value` settings beside those of the harness. An external broker keeps its own.
    pub fn start_with(settings: &[&str]) -> Broker {
        match std::env::var("RINGMILL_TEST_BOOTSTRAP") {
            Ok(address) => Broker::at(address.parse().expect("RINGMILL_TEST_BOOTSTRAP is address:port")),
            Err(_) => Broker::start_process(settings),
        }
    }

    fn start_process(settings: &[&str]) -> Broker {
        let (address, admin) = (free_address(), free_address());
        let home = tempfile::tempdir().expect("a directory for the broker");
        let settings = settings.iter().map(|setting| setting.to_string()).collect();
        let mut broker = Broker { address, process: Some(Process { child: None, home, settings, admin }) };
        for _ in 0..OTHER_PORTS {
            let logged = broker.spawn();
            if broker.comes_to_answer(logged) {
                break;
            }
            broker.address = free_address();
            broker.process_mut().admin = free_address();
        }
        assert!(broker.process().child.is_some(), "no free ports\n{}", broker.log());
        broker
    }

    /// A broker that something else started and ends.
    pub fn at(address: SocketAddr) -> Broker {
        Broker { address, process: None }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    pub fn admin(&self) -> SocketAddr {
        self.process().admin
    }

    pub fn data_dir(&self) -> PathBuf {
        self.process().home.path().join("data")
    }

    /// Bytes of memory that the process holds.
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most it ever held.
    pub fn resident_bytes_max(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, label: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("status of the broker");
        let line = status.lines().find(|line| line.starts_with(label)).expect("a line of the status");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    pub fn id(&self) -> u32 {
        self.process().child.as_ref().expect("the broker runs").id()
    }

    /// What the process wrote to stderr so far, all of its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.process().home.path().join("log")).unwrap_or_default()
    }

    /// A setting for the next start.
    pub fn set(&mut self, setting: &str) {
        self.process_mut().settings.push(setting.to_string());
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.process_mut().child.take().expect("the broker runs");
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    /// SIGTERM; how it ended and after what time.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.process_mut().child.take().expect("the broker runs");
        let began = Instant::now();
        signal(&child, libc::SIGTERM);
        let status = wait(&mut child).unwrap_or_else(|| panic!("did not stop in {PATIENCE:?}"));
        (status, began.elapsed())
    }

    /// Starts on the same directory and ports, and waits until it answers.
    pub fn start_again(&mut self) {
        let began = Instant::now();
        loop {
            let logged = self.spawn();
            if self.comes_to_answer(logged) {
                return;
            }
            // An outgoing connection of somebody else may have the port for a while.
            assert!(began.elapsed() < PATIENCE, "a port stays taken\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Bytes of the log of earlier lives.
    fn spawn(&mut self) -> usize {
        let (address, logged) = (self.address, self.log().len());
        let process = self.process_mut();
        assert!(process.child.is_none(), "the broker runs already");
        let settings: Vec<&str> = process.settings.iter().map(String::as_str).collect();
        let mut command = serve(address, process.admin, &process.home.path().join("data"), &settings);
        let log = fs::File::options().create(true).append(true).open(process.home.path().join("log")).expect("log");
        process.child = Some(command.stderr(log).spawn().expect("start ringmill"));
        logged
    }

    /// Waits for its first answer; false when it ended because somebody else has its port.
    fn comes_to_answer(&mut self, logged: usize) -> bool {
        let began = Instant::now();
        loop {
            // Before it is asked: on a port that it could not get somebody else may answer.
            if let Some(status) = self.process_mut().child.as_mut().expect("started").try_wait().expect("try_wait") {
                self.process_mut().child = None;
                assert!(self.log()[logged..].contains(PORT_TAKEN), "the broker ended at start: {status:?}\n{}", self.log());
                return false;
            }
            if answers(self.address) {
                return true;
            }
            assert!(began.elapsed() < PATIENCE, "the broker does not answer\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("this test needs a broker of its own, not RINGMILL_TEST_BOOTSTRAP")
    }

    fn process_mut(&mut self) -> &mut Process {
        self.process.as_mut().expect("this test needs a broker of its own, not RINGMILL_TEST_BOOTSTRAP")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        if let Some(child) = &mut process.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- stderr of the broker ---\n{}", self.log());
        }
    }
}

/// Whether an ApiVersions request is answered there. To connect says little: the broker listens before it has recovered.
pub fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff")?;
        stream.read_exact(&mut [0; 14])
    };
    ask().is_ok()
}

/// The command that serves there; it ends with the thread that starts it.
pub fn serve(address: SocketAddr, admin: SocketAddr, data_dir: &Path, settings: &[&str]) -> Command {
    let binary = std::env::var("RINGMILL_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringmill").to_string());
    let mut command = Command::new(binary);
    command.arg("serve");
    for setting in [
        format!("listeners=PLAINTEXT://{address}"),
        format!("ringmill.admin.listener={admin}"),
        format!("log.dirs={}", data_dir.display()),
        "ringmill.shards=2".to_string(),
    ] {
        command.args(["--set", &setting]);
    }
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: prctl is async-signal-safe and touches nothing of the parent.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // Memory is counted in small pages, however this machine has its large ones configured.
            libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
            Ok(())
        })
    };
    command
}

/// Runs a command that must end by itself: its exit status and what it wrote to stderr.
pub fn run_to_end(mut command: Command) -> (ExitStatus, String) {
    let output = tempfile::NamedTempFile::new().expect("a file for stderr");
    let mut child = command.stderr(output.reopen().expect("reopen")).spawn().expect("start");
    let status = wait(&mut child);
    if status.is_none() {
        child.kill().expect("kill");
        child.wait().expect("wait");
    }
    let stderr = fs::read_to_string(output.path()).expect("stderr");
    (status.unwrap_or_else(|| panic!("did not end by itself:\n{stderr}")), stderr)
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("try_wait") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: the child has not been waited for, so the id is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// An address that nothing listens on, below the ports that the kernel gives to outgoing connections; no two calls get the same.
pub fn free_address() -> SocketAddr {
    free_addresses(1)
}

/// The first of so many addresses with ports in a row.
pub fn free_addresses(count: u16) -> SocketAddr {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(count, Ordering::Relaxed);
        let place = (std::process::id() * 64 + u32::from(step)) % PORTS;
        let port = (FIRST + place) as u16;
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if place + u32::from(count) <= PORTS && (port..port + count).all(is_free) {
            return SocketAddr::from(([127, 0, 0, 1], port));
        }
    }
}

/// A topic name that no earlier run on an external broker has used.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    format!("{name}-{now}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
