//! Between two lives somebody spoils files beside the segments: indexes, leader epochs, snapshots of producers. The next life must not notice.

use ringmill::rt::{fs, random_u64};
use std::path::{Path, PathBuf};

const SPOILED: [&str; 4] = [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint"];

fn below(bound: u64) -> u64 {
    random_u64() % bound
}

/// Spoils a few files of every partition; how many.
pub async fn spoil(log_dirs: Vec<PathBuf>) -> u64 {
    let mut count = 0;
    for root in log_dirs {
        let entries = fs::list_dir(&root).await.unwrap_or_default();
        for partition in entries.iter().filter(|entry| entry.is_dir) {
            let dir = root.join(&partition.name);
            for file in fs::list_dir(&dir).await.unwrap_or_default() {
                if SPOILED.iter().any(|ending| file.name.ends_with(ending)) && below(3) == 0 {
                    change(&dir.join(&file.name)).await;
                    count += 1;
                }
            }
        }
    }
    count
}

async fn change(path: &Path) {
    let mut bytes = fs::read_file(path, 1 << 30).await.expect("a small file").to_vec();
    match below(5) {
        0 => return fs::remove_file(path).await.expect("it was there"),
        1 => bytes.clear(),
        2 => bytes.truncate(below(bytes.len() as u64 + 1) as usize),
        3 => bytes.iter_mut().for_each(|byte| *byte = below(256) as u8),
        _ => {
            let len = bytes.len().max(1) as u64;
            bytes.resize(len as usize, 0);
            (0..1 + below(3)).for_each(|_| bytes[below(len) as usize] ^= 1 << below(8));
        }
    }
    fs::write_file(path, &bytes).await.expect("there is space");
}
