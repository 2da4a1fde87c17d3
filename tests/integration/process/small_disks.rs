//! A broker whose log directories are file systems of their own: ext4 on loop devices, in a mount namespace of the broker's own. They
//! can be made to fail as a disk fails: every operation ends with EIO. Needs root and loop devices; where a machine has none, a test says so
//! in one line and ends.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::{Broker, PATIENCE, answers, free_address, serve};

/// `EXT4_IOC_SHUTDOWN` with the flag that flushes nothing: the file system fails from then on.
const EXT4_IOC_SHUTDOWN: u64 = 0x8004_587D;
const NOTHING_IS_FLUSHED: u32 = 2;

/// One test at a time: a container has few loop devices, and no more than were there when it was made.
static LOOP_DEVICES: Mutex<()> = Mutex::new(());

pub struct OnSmallDisks {
    child: Option<Child>,
    home: tempfile::TempDir,
    address: std::net::SocketAddr,
    admin: std::net::SocketAddr,
    count: usize,
    settings: Vec<String>,
    _devices: MutexGuard<'static, ()>,
}

impl Drop for OnSmallDisks {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- stderr of the broker ---\n{}", self.log());
        }
    }
}

impl OnSmallDisks {
    /// A broker with as many log directories of so many MiB each; `None` where that cannot be had.
    pub fn start(count: usize, mebibytes: u64, settings: &[&str]) -> Option<OnSmallDisks> {
        let devices = LOOP_DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        let home = tempfile::tempdir().expect("a directory");
        let settings = settings.iter().map(|setting| setting.to_string()).collect();
        let mut disks =
            OnSmallDisks { child: None, home, address: free_address(), admin: free_address(), count, settings, _devices: devices };
        for index in 0..count {
            fs::create_dir(disks.dir(index)).expect("create");
            let image = fs::File::create(disks.image(index)).expect("create");
            image.set_len(mebibytes << 20).expect("a sparse file");
            let made = Command::new("mkfs.ext4").arg("-qF").arg(disks.image(index)).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !made.is_ok_and(|status| status.success()) {
                return disks.not_here("mkfs.ext4");
            }
        }
        let mounts = (0..count).map(|index| format!("mount -o loop '{}' '{}'", disks.image(index).display(), disks.dir(index).display()));
        let tried =
            Command::new("unshare").args(["-m", "sh", "-c", &mounts.collect::<Vec<_>>().join(" && ")]).stderr(Stdio::null()).status();
        if !tried.is_ok_and(|status| status.success()) {
            return disks.not_here("root and loop devices");
        }
        disks.start_again();
        Some(disks)
    }

    fn not_here(&self, what: &str) -> Option<OnSmallDisks> {
        eprintln!("no test on small disks: this machine lacks {what}");
        None
    }

    pub fn dir(&self, index: usize) -> PathBuf {
        self.home.path().join(format!("data-{index}"))
    }

    fn image(&self, index: usize) -> PathBuf {
        self.home.path().join(format!("image-{index}"))
    }

    pub fn broker(&self) -> Broker {
        Broker::at(self.address)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Mounts the file systems anew, as after a repair, and starts the broker on them.
    pub fn start_again(&mut self) {
        let mut script = String::new();
        for index in 0..self.count {
            let (image, dir) = (self.image(index), self.dir(index));
            // The last broker's namespace may not quite be gone, and somebody else may be quicker to take a free device.
            script += &format!(
                "while losetup -j '{0}' | grep -q .; do sleep 0.02; done; until mount -o loop '{0}' '{1}'; do sleep 0.1; done; ",
                image.display(),
                dir.display()
            );
        }
        let dirs: Vec<String> = (0..self.count).map(|index| self.dir(index).display().to_string()).collect();
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let broker = serve(self.address, self.admin, Path::new(&dirs.join(",")), &settings);
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &format!("{script} exec \"$0\" \"$@\"")]).arg(broker.get_program()).args(broker.get_args());
        let log = fs::File::options().create(true).append(true).open(self.home.path().join("log")).expect("log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // SAFETY: prctl is async-signal-safe and touches nothing of the parent.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            })
        };
        let began = Instant::now();
        self.child = Some(command.spawn().expect("start"));
        while !answers(self.address) {
            let ended = self.child.as_mut().expect("started").try_wait().expect("try_wait");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "the broker does not answer: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The directory as the broker sees it.
    pub fn seen(&self, index: usize) -> PathBuf {
        let id = self.child.as_ref().expect("the broker runs").id();
        PathBuf::from(format!("/proc/{id}/root{}", self.dir(index).display()))
    }

    /// From now on every operation in this log directory fails.
    pub fn fail(&self, index: usize) {
        let dir = fs::File::open(self.seen(index)).expect("the directory");
        let flag = NOTHING_IS_FLUSHED;
        // SAFETY: the call reads four bytes of `flag`, which outlives it.
        let done = unsafe { libc::ioctl(dir.as_raw_fd(), EXT4_IOC_SHUTDOWN as _, &flag) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the broker runs");
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    /// SIGTERM, unless it ends by itself; how it ended.
    pub fn wait(&mut self, ends_by_itself: bool) -> ExitStatus {
        let mut child = self.child.take().expect("the broker runs");
        if !ends_by_itself {
            // SAFETY: the child has not been waited for, so the id is still its own.
            assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
        }
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("try_wait") {
                return status;
            }
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the broker does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
