//! Keeps the rings honest: who may import whom, who may touch the machine, and documents that name all there is.

use ringmill::wire::ApiKey;
use std::fs;
use std::path::{Path, PathBuf};

/// Each folder of `src` with the folders it may import; itself always. Inner rings first.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("config", &["types"]),
    ("wire", &["types", "config"]),
    ("rt", &["types", "config"]),
    ("log", &["types", "config", "wire", "rt"]),
    ("controller", &["types", "config", "wire", "rt"]),
    ("coordinator", &["types", "config", "wire", "rt", "log"]),
    ("kafka", &["types", "config", "wire", "rt", "log", "controller"]),
    ("shard", &["types", "config", "wire", "rt", "log", "controller", "coordinator", "api", "admin"]),
    ("api", &["types", "config", "wire", "rt", "log", "controller", "coordinator", "shard"]),
    // Shards count into `admin::metrics`; admin knows no shard.
    ("admin", &["types", "config", "wire", "rt", "log", "controller"]),
    ("server", &["types", "config", "wire", "rt", "log", "controller", "kafka", "shard", "api", "admin"]),
    ("cli", &["types", "config", "wire", "rt", "log", "controller", "kafka", "shard", "api", "admin", "server"]),
];

/// Folders and files of the pure ring: no task, no clock, no I/O.
const PURE: &[&str] = &[
    "types",
    "config",
    "wire",
    "log/format",
    "log/inspect",
    "log/compaction/dirty.rs",
    "log/compaction/key_hash.rs",
    "log/compaction/offset_map.rs",
    "log/compaction/rewrite.rs",
    "log/compaction/survivors.rs",
    "log/compaction/transactions.rs",
    "controller/record",
    "controller/record.rs",
    "controller/image",
    "controller/image.rs",
    "coordinator/group",
    "coordinator/key_hash.rs",
    "coordinator/machine.rs",
    "coordinator/timers.rs",
    "coordinator/transaction",
    "kafka/cluster.rs",
    "kafka/snapshot.rs",
];

/// Folders that start the process and so may read files and the environment themselves, before or beside the cores.
const WORLD: &[&str] = &["rt", "server", "admin", "cli", "main.rs"];

/// What touches the machine: only the world ring names it.
const MACHINE: &[&str] = &[
    "libc::",
    "std::fs",
    "std::env",
    "std::thread",
    "std::os::",
    "std::process",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "socket2",
    "memmap2",
    "flume",
];

/// What only the seam names.
const SEAM: &[&str] = &["glommio::", "time::Instant", "SystemTime", "thread_rng", "unsafe ", "HashMap::new", "RandomState"];

/// A source file of ours, without its comments and its test module.
struct Source {
    /// Relative to `src`.
    path: PathBuf,
    code: String,
}

impl Source {
    fn is_in(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }

    /// The folder's name directly under `src`; `None` for `lib.rs` and `main.rs`.
    fn folder(&self) -> Option<&str> {
        let mut components = self.path.components();
        let first = components.next()?.as_os_str().to_str()?;
        components.next().map(|_| first)
    }

    /// The lines that hold one of these words.
    fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let hit = |line: &&str| words.iter().any(|word| line.contains(word));
        self.code.lines().filter(hit).map(|line| format!("{}: {}", self.path.display(), line.trim())).collect()
    }
}

fn walk(dir: &Path, found: &mut dyn FnMut(&Path)) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        found(&path);
        if path.is_dir() {
            walk(&path, found);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests" || c.as_os_str() == "tests.rs")
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources = Vec::new();
    walk(&src, &mut |path| {
        let relative = path.strip_prefix(&src).unwrap();
        if path.extension().is_some_and(|e| e == "rs") && !is_test(relative) {
            sources.push(Source { path: relative.into(), code: code_of(&fs::read_to_string(path).unwrap()) });
        }
    });
    assert!(sources.len() > 50, "only {} source files found", sources.len());
    sources
}

fn code_of(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let code = |line: &&str| !line.trim_start().starts_with("//");
    before_tests.lines().filter(code).collect::<Vec<_>>().join("\n")
}

/// Each `crate::name` in the code.
fn imports(code: &str) -> Vec<String> {
    let rest = code.split("crate::").skip(1);
    rest.map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()).collect()
}

#[test]
fn imports_point_inward() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(folder) = source.folder() else { continue };
        let rule = MAY_IMPORT.iter().find(|(name, _)| *name == folder);
        let (_, allowed) = rule.unwrap_or_else(|| panic!("src/{folder} has no row in MAY_IMPORT"));
        for import in imports(&source.code) {
            let is_folder = MAY_IMPORT.iter().any(|(name, _)| *name == import);
            if is_folder && import != folder && !allowed.contains(&import.as_str()) {
                broken.push(format!("{} imports {import}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_pure_ring_waits_for_nothing() {
    let pure = sources().into_iter().filter(|s| PURE.iter().any(|place| s.is_in(place)));
    let broken: Vec<String> = pure.flat_map(|s| s.lines_with(&["crate::rt", "async ", ".await"])).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn only_the_world_ring_touches_the_machine() {
    let neutral = sources().into_iter().filter(|s| !WORLD.iter().any(|place| s.is_in(place)));
    let broken: Vec<String> = neutral.flat_map(|s| s.lines_with(MACHINE)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn only_the_seam_knows_the_runtime_and_the_clock() {
    let (seam, others): (Vec<Source>, Vec<Source>) = sources().into_iter().partition(|s| s.is_in("rt"));
    let broken: Vec<String> = others.iter().flat_map(|s| s.lines_with(SEAM)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let outside_uring: Vec<String> = seam.iter().filter(|s| !s.is_in("rt/uring")).flat_map(|s| s.lines_with(&["glommio"])).collect();
    assert!(outside_uring.is_empty(), "{outside_uring:#?}");
}

#[test]
fn the_simulator_never_asks_the_world() {
    let simulator = sources().into_iter().filter(|s| s.is_in("rt/sim") && !s.is_in("rt/sim/seeds.rs"));
    let words =
        ["std::time::Instant", "SystemTime", "std::thread::spawn", "std::fs", "std::env", "HashMap", "HashSet", "{:p}", "as *const"];
    let broken: Vec<String> = simulator.flat_map(|s| s.lines_with(&words)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_architecture_names_every_folder() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let mut missing = Vec::new();
    walk(&root().join("src"), &mut |path| {
        let name = format!("{}/", path.strip_prefix(root()).unwrap().display());
        if path.is_dir() && !is_test(path) && !text.contains(&format!("`{name}`")) {
            missing.push(name);
        }
    });
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md does not name {missing:?}");
    let named = text.split('`').filter(|word| word.starts_with("src/") && word.ends_with('/'));
    let gone: Vec<&str> = named.filter(|name| !root().join(name).is_dir()).collect();
    assert!(gone.is_empty(), "docs/ARCHITECTURE.md names what is gone: {gone:?}");
}

#[test]
fn the_compatibility_table_has_every_api_with_its_versions() {
    let text = fs::read_to_string(root().join("docs/COMPATIBILITY.md")).unwrap();
    let row_of = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let rows: Vec<Vec<String>> = text.lines().filter(|line| line.starts_with('|')).map(row_of).collect();
    let mut missing = Vec::new();
    for api in ApiKey::ALL {
        let versions = api.spec().versions;
        let start = ["".into(), (*api as i16).to_string(), api.name().to_owned(), format!("{}-{}", versions.min, versions.max)];
        if !rows.iter().any(|row| row.starts_with(&start)) {
            missing.push(format!("| {} | {} | {} |", start[1], start[2], start[3]));
        }
    }
    assert!(missing.is_empty(), "docs/COMPATIBILITY.md lacks these rows, or has other versions:\n{}", missing.join("\n"));
}
