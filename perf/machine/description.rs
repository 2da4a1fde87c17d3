//! What the machine is: CPU, memory, kernel, and the file system and device of a directory. Out of `/proc` and `/sys`; "unknown" where those do not say.

use std::fs;
use std::path::Path;

pub fn of(dir: &Path) -> Vec<(&'static str, String)> {
    let (mount, source, file_system) = mount_of(dir).unwrap_or_else(|| ("unknown".into(), "unknown".into(), "unknown".into()));
    vec![
        ("cpu", value_of("/proc/cpuinfo", "model name")),
        ("cores", std::thread::available_parallelism().map_or(0, |n| n.get()).to_string()),
        ("memory", value_of("/proc/meminfo", "MemTotal")),
        ("kernel", text_of("/proc/sys/kernel/osrelease")),
        ("directory", dir.display().to_string()),
        ("file_system", format!("{file_system} at {mount}")),
        ("device", format!("{source}{}", queue_of(&source))),
        ("load_before", text_of("/proc/loadavg")),
    ]
}

fn text_of(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map_or("unknown".into(), |text| text.trim().to_owned())
}

fn value_of(file: &str, key: &str) -> String {
    let text = text_of(file);
    let value = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split(':').nth(1));
    value.map_or("unknown".into(), |value| value.trim().to_owned())
}

/// Mount point, source and type of the file system that `dir` is on.
fn mount_of(dir: &Path) -> Option<(String, String, String)> {
    let dir = dir.canonicalize().ok()?;
    let mounts = text_of("/proc/self/mounts");
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').map(str::to_owned);
        let (source, mount, kind) = (fields.next()?, fields.next()?, fields.next()?);
        dir.starts_with(&mount).then_some((mount, source, kind))
    });
    // Of two mounted at one place the later one is seen.
    fields.max_by_key(|(mount, ..)| mount.len())
}

/// The scheduler and cache of a block device's queue.
fn queue_of(source: &str) -> String {
    let Some(name) = source.strip_prefix("/dev/") else { return String::new() };
    // A partition's queue is its disk's.
    let of = |file: &str| {
        let direct = Path::new("/sys/class/block").join(name);
        [direct.join("queue").join(file), direct.join("../queue").join(file)].into_iter().find_map(|path| fs::read_to_string(path).ok())
    };
    let [scheduler, cache] = ["scheduler", "write_cache"].map(|file| of(file).map_or("unknown".into(), |text| text.trim().to_owned()));
    format!(", scheduler {scheduler}, {cache}")
}
