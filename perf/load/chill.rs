//! Puts a topic's segments out of the page cache, where the broker runs on this machine.

use crate::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn chill(data: &Path, topic: &str) -> Result<()> {
    let prefix = format!("{topic}-");
    for directory in fs::read_dir(data)?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
        for file in fs::read_dir(directory.path())?.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "log")) {
            let path = file.path();
            run_quietly(Command::new("sync").arg(&path))?;
            // Reads nothing and advises the kernel that the file's pages are not needed.
            run_quietly(Command::new("dd").arg(format!("if={}", path.display())).args(["iflag=nocache", "count=0", "status=none"]))?;
        }
    }
    Ok(())
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
