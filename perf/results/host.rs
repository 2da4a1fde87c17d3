//! The machine that a result is of: a figure without it says little.

use serde::Serialize;
use std::fs;
use std::path::Path;

#[derive(Clone, Serialize)]
pub struct Host {
    pub cpu: String,
    pub cpus: usize,
    pub memory_gib: f64,
    pub kernel: String,
    /// Where the data is.
    pub file_system: String,
    pub mount_options: String,
    pub device: String,
    /// The device's I/O scheduler and whether it spins, as the kernel says.
    pub scheduler: String,
    /// Of the last minute, when this was asked.
    pub load: String,
}

impl Host {
    /// This machine, with the disk that `data` is on.
    pub fn here(data: &Path) -> Host {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory_kib: f64 = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
        let data = fs::canonicalize(data).unwrap_or_else(|_| "/".into());
        let (device, file_system, mount_options) = mount(&read("/proc/self/mounts"), &data);
        let block = device.rsplit('/').next().unwrap_or_default().to_owned();
        Host {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cpus: std::thread::available_parallelism().map_or(0, |count| count.get()),
            memory_gib: memory_kib / 1024.0 / 1024.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system,
            mount_options,
            scheduler: read(&format!("/sys/block/{block}/queue/scheduler")).trim().to_owned(),
            device,
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// A sentence for tables.
    pub fn describe(&self) -> String {
        let Host { cpu, cpus, memory_gib, kernel, file_system, mount_options, device, scheduler, load } = self;
        format!(
            "{cpus} x {cpu}, {memory_gib:.0} GiB; Linux {kernel}; {file_system} ({mount_options}) on {device} ({scheduler}); load {load} at the start"
        )
    }
}

/// Device, file system and options of the mount that a path lies on: the longest that is its beginning.
fn mount(mounts: &str, path: &Path) -> (String, String, String) {
    let lines = mounts.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [device, at, kind, options, ..] = fields[..] else { return None };
        path.starts_with(at).then(|| (at.len(), (device.to_owned(), kind.to_owned(), options.to_owned())))
    });
    // The last of equals lies over the others.
    lines.max_by_key(|(length, _)| *length).map(|(_, found)| found).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_on_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw 0 0\n/dev/b /data xfs rw,noatime 0 0\n/dev/c /database ext4 rw 0 0\n";
        assert_eq!(mount(mounts, Path::new("/data/x")).0, "/dev/b");
        assert_eq!(mount(mounts, Path::new("/dat")).1, "ext4");
        assert_eq!(mount("", Path::new("/data")), Default::default());
    }
}
