//! One file: what reads see, what is on stable storage, and the changes in between, any part of which a crash may keep.

use super::content::Content;
use crate::rt::sim::rng::Rng;

/// The unit a device writes whole or not at all.
pub const SECTOR: usize = 512;

/// The size and content that reads see, and those that a crash cannot take.
#[derive(Default)]
pub struct Inode {
    visible: Content,
    size: u64,
    durable: Content,
    durable_size: u64,
    /// In the order they were made.
    pending: Vec<Pending>,
    next_sequence: u64,
    /// A failed sync dropped changes: reads see what no sync will save.
    diverged: bool,
    /// That sync was not of this file: the next one of it says so, once, as Linux does.
    unreported: bool,
}

struct Pending {
    sequence: u64,
    change: Change,
}

enum Change {
    /// Whole sectors as reads saw them after the write.
    Data { offset: u64, sectors: Vec<u8> },
    /// The file grew or was cut to this size. Sizes reach the disk in order, as file systems' journals have it.
    Size(u64),
}

/// How much of what is pending a crash keeps.
#[derive(Clone, Copy)]
enum Mood {
    Nothing,
    Everything,
    Some,
}

impl Mood {
    fn draw(rng: &mut Rng) -> Mood {
        match rng.below(4) {
            0 => Mood::Nothing,
            1 => Mood::Everything,
            _ => Mood::Some,
        }
    }

    fn keeps(self, rng: &mut Rng) -> bool {
        match self {
            Mood::Nothing => false,
            Mood::Everything => true,
            Mood::Some => rng.coin(),
        }
    }
}

impl Inode {
    pub fn len(&self) -> u64 {
        self.size
    }

    pub fn page_count(&self) -> u64 {
        self.visible.page_count()
    }

    pub fn missing_pages(&self, offset: u64, len: u64) -> u64 {
        self.visible.missing_pages(offset, len)
    }

    pub fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let available = self.size.saturating_sub(offset);
        self.visible.read(offset, available.min(len as u64) as usize)
    }

    /// A write that completes now. `durable`: on stable storage, with the size it needs.
    pub fn write(&mut self, offset: u64, bytes: &[u8], durable: bool) {
        let end = offset + bytes.len() as u64;
        self.visible.write(offset, bytes);
        if end > self.size {
            self.size = end;
            self.push(Change::Size(end));
        }
        if !durable {
            return self.push_data(offset, bytes.len());
        }
        self.flush_sizes(u64::MAX);
        if self.pending.is_empty() && !self.diverged {
            self.durable.share(&self.visible, offset, bytes.len() as u64);
        } else {
            self.durable.write(offset, bytes);
            for older in &mut self.pending {
                older.overwrite(offset, bytes);
            }
        }
    }

    /// A write of which any subset of sectors is applied: one that failed, or was under way at a crash.
    pub fn write_torn(&mut self, offset: u64, bytes: &[u8], rng: &mut Rng) {
        let mood = Mood::draw(rng);
        let mut at = 0;
        while at < bytes.len() {
            let count = (SECTOR - (offset as usize + at) % SECTOR).min(bytes.len() - at);
            if mood.keeps(rng) {
                self.write(offset + at as u64, &bytes[at..at + count], false);
            }
            at += count;
        }
    }

    pub fn allocate(&mut self, offset: u64, len: u64) {
        self.visible.allocate(offset, len);
        if offset + len > self.size {
            self.size = offset + len;
            self.push(Change::Size(self.size));
        }
    }

    pub fn truncate(&mut self, len: u64) {
        self.visible.cut(len);
        self.size = len;
        self.push(Change::Size(len));
    }

    /// What a sync that starts now will save.
    pub fn sync_mark(&self) -> u64 {
        self.next_sequence
    }

    /// A sync that began at `mark` completes.
    pub fn sync(&mut self, mark: u64) {
        self.flush_sizes(mark);
        let share = !self.diverged && self.pending.iter().all(|p| p.sequence < mark);
        for pending in std::mem::take(&mut self.pending) {
            match pending.change {
                Change::Data { offset, sectors } if pending.sequence < mark => {
                    if share {
                        self.durable.share(&self.visible, offset, sectors.len() as u64);
                    } else {
                        self.durable.write(offset, &sectors);
                    }
                }
                _ => self.pending.push(pending),
            }
        }
        self.durable.cut(self.durable_size);
    }

    /// A sync that began at `mark` fails: some of what it was to save is saved, the rest never will be.
    pub fn sync_failed(&mut self, mark: u64, rng: &mut Rng) {
        if rng.coin() {
            self.flush_sizes(mark);
        }
        for pending in std::mem::take(&mut self.pending) {
            match pending.change {
                Change::Data { offset, sectors } if pending.sequence < mark => {
                    keep_some(&mut self.durable, offset, &sectors, Mood::draw(rng), rng);
                    self.diverged = true;
                }
                _ => self.pending.push(pending),
            }
        }
    }

    /// A sync of the whole file system that began at `mark` fails for this file.
    pub fn sync_all_failed(&mut self, mark: u64, rng: &mut Rng) {
        self.sync_failed(mark, rng);
        self.unreported |= self.diverged;
    }

    /// Whether a sync of this file must fail for what an earlier one of the file system lost. Asked once.
    pub fn take_unreported(&mut self) -> bool {
        std::mem::take(&mut self.unreported)
    }

    /// The power fails: the file becomes its durable version with any part of what was pending.
    pub fn crash(&mut self, rng: &mut Rng) {
        let (data_mood, size_mood) = (Mood::draw(rng), Mood::draw(rng));
        let mut sizes_kept = true;
        for pending in std::mem::take(&mut self.pending) {
            match pending.change {
                Change::Data { offset, sectors } => keep_some(&mut self.durable, offset, &sectors, data_mood, rng),
                Change::Size(len) => {
                    sizes_kept = sizes_kept && size_mood.keeps(rng);
                    if sizes_kept {
                        self.set_durable_size(len);
                    }
                }
            }
        }
        self.durable.cut(self.durable_size);
        self.visible = self.durable.clone();
        self.size = self.durable_size;
        (self.diverged, self.unreported) = (false, false);
    }

    fn push(&mut self, change: Change) {
        self.pending.push(Pending { sequence: self.next_sequence, change });
        self.next_sequence += 1;
    }

    fn push_data(&mut self, offset: u64, len: usize) {
        let start = offset / SECTOR as u64 * SECTOR as u64;
        let end = (offset + len as u64).next_multiple_of(SECTOR as u64);
        let sectors = self.visible.read(start, (end - start) as usize);
        self.push(Change::Data { offset: start, sectors });
    }

    /// Makes the sizes set before `mark` durable; older data beyond a cut is gone for good.
    fn flush_sizes(&mut self, mark: u64) {
        if !self.pending.iter().any(|p| matches!(p.change, Change::Size(_))) {
            return;
        }
        let mut kept: Vec<Pending> = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            match pending.change {
                Change::Size(len) if pending.sequence < mark => {
                    self.set_durable_size(len);
                    for older in &mut kept {
                        older.cut(len);
                    }
                }
                _ => kept.push(pending),
            }
        }
        self.pending = kept;
    }

    fn set_durable_size(&mut self, len: u64) {
        if len < self.durable_size {
            self.durable.cut(len);
        }
        self.durable_size = len;
    }
}

impl Pending {
    fn cut(&mut self, len: u64) {
        if let Change::Data { offset, sectors } = &mut self.change {
            let kept = len.saturating_sub(*offset).min(sectors.len() as u64) as usize;
            sectors[kept..].fill(0);
        }
    }

    /// A durable write came after: whatever is kept of this one, that stands.
    fn overwrite(&mut self, write_offset: u64, bytes: &[u8]) {
        let Change::Data { offset, sectors } = &mut self.change else { return };
        let start = write_offset.max(*offset);
        let end = (write_offset + bytes.len() as u64).min(*offset + sectors.len() as u64);
        if start < end {
            let range = |base: u64| (start - base) as usize..(end - base) as usize;
            sectors[range(*offset)].copy_from_slice(&bytes[range(write_offset)]);
        }
    }
}

fn keep_some(content: &mut Content, offset: u64, sectors: &[u8], mood: Mood, rng: &mut Rng) {
    if let Mood::Everything = mood {
        return content.write(offset, sectors);
    }
    for (index, sector) in sectors.chunks(SECTOR).enumerate() {
        if mood.keeps(rng) {
            content.write(offset + (index * SECTOR) as u64, sector);
        }
    }
}
