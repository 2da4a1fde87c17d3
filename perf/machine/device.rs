//! Durable direct writes over a file that is there already: 1 MiB, one and four at a time, for the rate; 4 KiB for the latency.

use super::{GIB, MachineLimits, quantile, thread_cpu};
use crate::Result;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const FILE_SIZE: u64 = 256 << 20;
const LARGE: usize = 1 << 20;
const SMALL: usize = 4 << 10;
const AT_A_TIME: u64 = 4;
const ALIGNMENT: usize = 4096;

/// A file that has all its bytes on the device, so that writes over them change no metadata. Gone when dropped.
pub struct TestFile {
    path: PathBuf,
}

impl TestFile {
    pub fn create(dir: &Path) -> Result<TestFile> {
        let path = dir.join(format!("ringmill-perf-machine-{}", std::process::id()));
        let named = |error: io::Error| format!("{}: {error}", path.display());
        let test = TestFile { path: path.clone() };
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(named)?;
        let direct = test.direct(0).map_err(named)?;
        let buffer = Aligned::new(LARGE);
        for at in (0..FILE_SIZE).step_by(LARGE) {
            direct.write_all_at(buffer.bytes(), at).map_err(named)?;
        }
        direct.sync_all().map_err(named)?;
        Ok(test)
    }

    fn direct(&self, flags: i32) -> io::Result<File> {
        OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | flags).open(&self.path)
    }

    /// For reading, and all of it in the page cache.
    pub fn cached(&self) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        let mut buffer = vec![0; LARGE];
        while file.read(&mut buffer)? > 0 {}
        Ok(file)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        // Nothing more can be done about a file that does not go.
        let _ = fs::remove_file(&self.path);
    }
}

pub fn measure(each: Duration, file: &TestFile, limits: &mut MachineLimits) -> Result<()> {
    let one = large_writes(each, file, 1)?;
    limits.note("durable 1 MiB writes, 1 at a time, GiB/s", one.gib / one.seconds);
    limits.note("durable 1 MiB writes, 1 at a time, CPU s/GiB", one.cpu / one.gib);
    let four = large_writes(each, file, AT_A_TIME)?;
    limits.note("durable 1 MiB writes, 4 at a time, GiB/s", four.gib / four.seconds);
    limits.note("durable 1 MiB writes, 4 at a time, CPU s/GiB", four.cpu / four.gib);
    let mut samples = small_writes(each, file)?;
    limits.note("durable 4 KiB overwrite p50, ms", quantile(&mut samples, 0.5).as_secs_f64() * 1e3);
    limits.note("durable 4 KiB overwrite p99, ms", quantile(&mut samples, 0.99).as_secs_f64() * 1e3);
    limits.note("durable 4 KiB overwrite p99.9, ms", quantile(&mut samples, 0.999).as_secs_f64() * 1e3);
    Ok(())
}

struct Written {
    gib: f64,
    seconds: f64,
    cpu: f64,
}

/// Each of `threads` goes over a part of its own.
fn large_writes(each: Duration, file: &TestFile, threads: u64) -> Result<Written> {
    let start = Instant::now();
    let part = FILE_SIZE / threads;
    let write = |number: u64| -> io::Result<(u64, f64)> {
        let (direct, buffer) = (file.direct(libc::O_DSYNC)?, Aligned::new(LARGE));
        let (cpu, mut written) = (thread_cpu(), 0);
        while start.elapsed() < each {
            direct.write_all_at(buffer.bytes(), number * part + written % part)?;
            written += LARGE as u64;
        }
        Ok((written, thread_cpu() - cpu))
    };
    let done: io::Result<Vec<(u64, f64)>> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || write(number))).collect();
        running.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let (done, seconds) = (done?, start.elapsed().as_secs_f64());
    let gib = done.iter().map(|(bytes, _)| *bytes as f64).sum::<f64>() / GIB;
    Ok(Written { gib, seconds, cpu: done.iter().map(|(_, cpu)| cpu).sum() })
}

/// One after the other over the first 16 MiB, as a journal's ring does.
fn small_writes(each: Duration, file: &TestFile) -> Result<Vec<Duration>> {
    let (direct, buffer) = (file.direct(libc::O_DSYNC)?, Aligned::new(SMALL));
    let (start, mut samples, mut at) = (Instant::now(), Vec::new(), 0);
    while start.elapsed() < 2 * each {
        let began = Instant::now();
        direct.write_all_at(buffer.bytes(), at % (16 << 20))?;
        samples.push(began.elapsed());
        at += SMALL as u64;
    }
    Ok(samples)
}

/// Memory where direct writes want it.
struct Aligned {
    memory: Vec<u8>,
    from: usize,
    len: usize,
}

impl Aligned {
    fn new(len: usize) -> Aligned {
        let memory = vec![0x5a; len + ALIGNMENT];
        let from = memory.as_ptr().align_offset(ALIGNMENT);
        Aligned { memory, from, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.from..self.from + self.len]
    }
}
