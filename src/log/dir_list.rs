//! Which log directories the broker runs on, noted in the first of them at every start: whoever works on the directories of a stopped broker sees
//! whether all were named. A line for each: its id (`-` where nobody could read it) and its path.

use super::dirs::read_properties;
use super::{LogDirsInfo, OpenError};
use crate::rt::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "ringmill-log-dirs";
const BYTES_MAX: u64 = 1 << 20;
const UNKNOWN: &str = "-";

/// Notes them, unless the note says it already.
pub async fn note(dirs: &LogDirsInfo) -> Result<(), OpenError> {
    let path = dirs.dirs[0].path.join(NAME);
    let before = read(&path).await?.unwrap_or_default();
    let mut lines = Vec::new();
    for dir in dirs.dirs.iter() {
        let online = if dir.offline.is_none() { id_of(&dir.path).await? } else { None };
        let name = dir.path.display().to_string();
        let known = online.or_else(|| before.iter().find(|(_, path)| *path == name).map(|(id, _)| id.clone()));
        lines.push((known.unwrap_or_else(|| UNKNOWN.into()), name));
    }
    if lines == before {
        return Ok(());
    }
    let text: String = lines.iter().map(|(id, path)| format!("{id} {path}\n")).collect();
    fs::write_file(&path, text.as_bytes()).await.map_err(|error| OpenError::Io(path, error))
}

/// What the note names and `dirs`, the first of which has it, are not. `None`: there is no note.
pub async fn missing(dirs: &[PathBuf]) -> Result<Option<Vec<String>>, OpenError> {
    let Some(noted) = read(&dirs[0].join(NAME)).await? else { return Ok(None) };
    let mut ids = Vec::new();
    for dir in dirs {
        ids.extend(id_of(dir).await?);
    }
    let is_named = |(id, path): &(String, String)| ids.contains(id) || id == UNKNOWN && dirs.iter().any(|dir| dir == Path::new(path));
    Ok(Some(noted.into_iter().filter(|entry| !is_named(entry)).map(|(_, path)| path).collect()))
}

async fn id_of(dir: &Path) -> Result<Option<String>, OpenError> {
    Ok(read_properties(dir).await?.and_then(|properties| properties.directory_id).map(|id| id.to_string()))
}

async fn read(path: &Path) -> Result<Option<Vec<(String, String)>>, OpenError> {
    let bytes = match fs::read_file(path, BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::Io(path.to_path_buf(), error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(text.lines().filter_map(|line| line.split_once(' ')).map(|(id, path)| (id.to_owned(), path.to_owned())).collect()))
}
