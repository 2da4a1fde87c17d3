//! The journals of a log directory, read as replay reads them: twice, first to know which frames count, then what they hold.

use crate::log::inspect::JournalInspection;
use crate::log::journal::chain::{Chain, FramePlace, chain, scan_file};
use crate::log::journal::files::{JournalState, parse_name, parse_state, ring_path, state_path};
use crate::log::journal::frame::{Frame, salvage};
use crate::types::ShardId;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// One shard's.
pub struct Journal {
    pub shard: ShardId,
    /// What the file with the epoch says, or what is wrong with it.
    pub state: Result<JournalState, String>,
    pub state_path: PathBuf,
    pub ring: Vec<PathBuf>,
    pub bytes: u64,
}

/// The journals among a directory's entries.
pub fn list_journals(dir: &Path, entries: &[(String, bool, u64)]) -> Vec<Journal> {
    let mut rings: BTreeMap<ShardId, BTreeMap<usize, u64>> = BTreeMap::new();
    for (name, is_dir, len) in entries {
        if let Some((shard, number)) = parse_name(name).filter(|_| !is_dir) {
            let ring = rings.entry(shard).or_default();
            ring.extend(number.map(|number| (number, *len)));
        }
    }
    let journal = |(shard, ring): (ShardId, BTreeMap<usize, u64>)| {
        let state_path = state_path(dir, shard);
        let text = fs::read_to_string(&state_path).map_err(|error| error.to_string());
        let state = text.and_then(|text| parse_state(&text).ok_or_else(|| "the journal's epoch cannot be read".into()));
        let bytes = ring.values().sum();
        Journal { shard, state, state_path, ring: ring.keys().map(|number| ring_path(dir, shard, *number)).collect(), bytes }
    };
    rings.into_iter().map(journal).collect()
}

/// A journal whose frames were found.
pub struct OpenJournal<'a> {
    journal: &'a Journal,
    files: Vec<File>,
    epoch: u64,
    pub chain: Chain,
}

impl Journal {
    /// Finds the frames that count; `None` if the last start or stop has brought all of them into segments.
    pub fn open(&self) -> io::Result<Option<OpenJournal<'_>>> {
        let Some(state) = self.state.as_ref().ok().filter(|state| !state.replayed) else { return Ok(None) };
        let (mut places, mut files) = (Vec::new(), Vec::new());
        for (index, path) in self.ring.iter().enumerate() {
            places.extend(scan_file(index, &fs::read(path)?, state.epoch));
            files.push(File::open(path)?);
        }
        Ok(Some(OpenJournal { journal: self, files, epoch: state.epoch, chain: chain(places) }))
    }
}

impl OpenJournal<'_> {
    pub fn path_of(&self, place: FramePlace) -> &Path {
        &self.journal.ring[place.file]
    }

    /// `None` if it does not verify any more.
    pub fn frame(&self, place: FramePlace) -> io::Result<Option<Frame>> {
        let mut bytes = vec![0; place.len];
        self.files[place.file].read_exact_at(&mut bytes, place.offset)?;
        Ok(Frame::read(&Bytes::from(bytes), self.epoch))
    }

    /// Adds it to the inspection; what is wrong, with its file.
    pub fn inspect(&self, inspection: &mut JournalInspection) -> io::Result<Vec<(PathBuf, String)>> {
        let mut faults = Vec::new();
        inspection.begin();
        for place in &self.chain.frames {
            let path = self.path_of(*place);
            let told =
                |what: String| (path.to_path_buf(), format!("at position {}: frame {}: {what}", place.offset, place.header.sequence));
            match self.frame(*place)? {
                Some(frame) => faults.extend(inspection.add(&frame).into_iter().map(told)),
                None => faults.push(told("its entries do not verify".into())),
            }
        }
        faults.extend(self.inspect_hole(inspection)?);
        Ok(faults)
    }

    fn inspect_hole(&self, inspection: &mut JournalInspection) -> io::Result<Option<(PathBuf, String)>> {
        let Some(hole) = self.chain.damage else { return Ok(None) };
        let what = format!("frame {} had been durable and does not verify any more", hole.sequence);
        let Some((file, offset)) = hole.place else { return Ok(Some((self.journal.state_path.clone(), what))) };
        let len = self.files[file].metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; len as usize];
        self.files[file].read_exact_at(&mut bytes, offset)?;
        inspection.add_lost(&salvage(&Bytes::from(bytes)), hole.sequence);
        Ok(Some((self.journal.ring[file].clone(), format!("at position {offset}: {what}"))))
    }
}
