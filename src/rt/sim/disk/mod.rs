//! One machine's disk: a file system over a device that keeps, at a power failure, what was synced and any part of the rest.
//!
//! Promised after a crash: data and sizes by `sync` and durable writes, names by `sync_dir`, all by `sync_all`. Not promised:
//! any 512-byte sector, size or name beyond that, each kept or lost by itself. A killed process loses nothing that completed.
//! Each directory of the root is a file system of its own. A sync that fails drops what it was to save, and is reported as Linux reports
//! it: to whoever asked, once more to each [`Watcher`] of the file system, and a failed `sync_all` to the next `sync` of each file it hit.

mod content;
mod inode;
mod names;
#[cfg(test)]
mod tests;

use super::options::DiskFaults;
use super::rng::Rng;
use crate::rt::fs::DirEntry;
use content::PAGE;
use inode::Inode;
use names::Directory;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

pub type NodeId = u32;

const ROOT: NodeId = 0;

pub struct Disk {
    nodes: BTreeMap<NodeId, Node>,
    next_node: NodeId,
    writes: BTreeMap<u64, WriteUnderWay>,
    next_write: u64,
    locks: BTreeSet<String>,
    /// Handles of an earlier process mean nothing.
    incarnation: u32,
    pages_used: u64,
    /// By file system: failed syncs so far, and whether somebody was told of the last.
    errors: BTreeMap<String, SyncErrors>,
    pub alignment: usize,
    pub faults: DiskFaults,
}

#[derive(Clone, Copy, Default)]
struct SyncErrors {
    count: u64,
    reported: bool,
}

/// Somebody who syncs a file system again and again, and is told of every failure since he began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watcher {
    file_system: String,
    /// Failed syncs that he knows of.
    seen: u64,
}

struct Node {
    kind: Kind,
    handles: u32,
    /// Has a name.
    linked: bool,
    /// The directory of the root that it was made in; empty for the root.
    file_system: String,
}

enum Kind {
    File(Inode),
    Directory(Directory),
}

/// An open file; counted, so that an unlinked file lives as long as it is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle {
    node: NodeId,
    incarnation: u32,
}

struct WriteUnderWay {
    node: NodeId,
    offset: u64,
    bytes: Vec<u8>,
    durable: bool,
    /// With O_DIRECT: once it is on its way to the device, no end of its process calls it back.
    direct: bool,
}

pub fn eio() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk {
    pub fn new(alignment: usize) -> Disk {
        let root = Node { kind: Kind::Directory(Directory::default()), handles: 0, linked: true, file_system: String::new() };
        Disk {
            nodes: BTreeMap::from([(ROOT, root)]),
            next_node: ROOT + 1,
            writes: BTreeMap::new(),
            next_write: 0,
            locks: BTreeSet::new(),
            incarnation: 0,
            pages_used: 0,
            errors: BTreeMap::new(),
            alignment,
            faults: DiskFaults::default(),
        }
    }

    // ---- files ---------------------------------------------------------------------------------------------------------

    pub fn open(&mut self, path: &Path, create: bool) -> io::Result<Handle> {
        let node = match self.look_up(path) {
            Ok(node) => node,
            Err(e) if e.kind() == io::ErrorKind::NotFound && create => self.make(path, Kind::File(Inode::default()))?,
            Err(e) => return Err(e),
        };
        if !matches!(self.nodes[&node].kind, Kind::File(_)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.hold(node);
        Ok(Handle { node, incarnation: self.incarnation })
    }

    pub fn duplicate(&mut self, handle: Handle) {
        if handle.incarnation == self.incarnation {
            self.hold(handle.node);
        }
    }

    fn hold(&mut self, node: NodeId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.handles += 1;
        }
    }

    pub fn close(&mut self, handle: Handle) {
        if handle.incarnation != self.incarnation {
            return;
        }
        if let Some(node) = self.nodes.get_mut(&handle.node) {
            node.handles -= 1;
            self.free_if_unused(handle.node);
        }
    }

    pub fn read(&mut self, handle: Handle, offset: u64, len: usize, rng: &mut Rng) -> io::Result<Vec<u8>> {
        if rng.one_in(self.faults_of(handle.node).read_error_one_in) {
            return Err(eio());
        }
        Ok(self.file(handle)?.read(offset, len))
    }

    pub fn len(&mut self, handle: Handle) -> io::Result<u64> {
        Ok(self.file(handle)?.len())
    }

    /// A write is on its way to the device; [`Disk::end_write`] completes it.
    pub fn begin_write(&mut self, handle: Handle, offset: u64, bytes: Vec<u8>, durable: bool) -> u64 {
        self.next_write += 1;
        self.writes.insert(self.next_write, WriteUnderWay { node: handle.node, offset, bytes, durable, direct: false });
        self.next_write
    }

    /// As [`Disk::begin_write`], with O_DIRECT.
    pub fn begin_direct_write(&mut self, handle: Handle, offset: u64, bytes: Vec<u8>, durable: bool) -> u64 {
        let id = self.begin_write(handle, offset, bytes, durable);
        if let Some(write) = self.writes.get_mut(&id) {
            write.direct = true;
        }
        id
    }

    /// Direct writes to the file that are under way, a dead process's too, are through.
    pub fn drain(&mut self, handle: Handle, rng: &mut Rng) -> io::Result<()> {
        self.file(handle)?;
        let mut ids: Vec<u64> =
            self.writes.iter().filter(|(_, write)| write.node == handle.node && write.direct).map(|(id, _)| *id).collect();
        while !ids.is_empty() {
            let id = ids.swap_remove(rng.index(ids.len()));
            // Whoever asked for it is gone.
            let _ = self.end_write(id, rng);
        }
        Ok(())
    }

    pub fn end_write(&mut self, id: u64, rng: &mut Rng) -> io::Result<()> {
        let Some(write) = self.writes.remove(&id) else { return Err(eio()) };
        let fails = rng.one_in(self.faults_of(write.node).write_error_one_in);
        let Ok(file) = self.inode(write.node) else { return Err(eio()) };
        let (before, wanted) = (file.page_count(), file.missing_pages(write.offset, write.bytes.len() as u64));
        self.check_space(wanted)?;
        let file = self.inode(write.node)?;
        if fails {
            file.write_torn(write.offset, &write.bytes, rng);
            // The part of it that is a sync failed: reads see what no later sync saves.
            if write.durable && rng.coin() {
                file.sync_failed(u64::MAX, rng);
            }
        } else {
            file.write(write.offset, &write.bytes, write.durable);
        }
        let after = file.page_count();
        self.pages_used = self.pages_used + after - before;
        if fails { Err(eio()) } else { Ok(()) }
    }

    pub fn writes_under_way(&self) -> usize {
        self.writes.len()
    }

    pub fn sync_mark(&mut self, handle: Handle) -> u64 {
        self.file(handle).map_or(0, |f| f.sync_mark())
    }

    pub fn sync(&mut self, handle: Handle, mark: u64, rng: &mut Rng) -> io::Result<()> {
        let fails = rng.one_in(self.faults_of(handle.node).sync_error_one_in);
        let file = self.file(handle)?;
        if fails {
            file.sync_failed(mark, rng);
            let file_system = self.nodes[&handle.node].file_system.clone();
            self.note_error(&file_system, false);
            return Err(eio());
        }
        let unreported = file.take_unreported();
        file.sync(mark);
        if unreported { Err(eio()) } else { Ok(()) }
    }

    pub fn allocate(&mut self, handle: Handle, offset: u64, len: u64) -> io::Result<()> {
        let wanted = self.file(handle)?.missing_pages(offset, len);
        self.check_space(wanted)?;
        self.file(handle)?.allocate(offset, len);
        self.pages_used += wanted;
        Ok(())
    }

    pub fn truncate(&mut self, handle: Handle, len: u64) -> io::Result<()> {
        let file = self.file(handle)?;
        let before = file.page_count();
        file.truncate(len);
        let after = file.page_count();
        self.pages_used = self.pages_used + after - before;
        Ok(())
    }

    // ---- names ---------------------------------------------------------------------------------------------------------

    pub fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        match self.look_up(path) {
            Ok(node) if matches!(self.nodes[&node].kind, Kind::Directory(_)) => Ok(()),
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => self.make(path, Kind::Directory(Directory::default())).map(drop),
        }
    }

    pub fn list(&mut self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let names: Vec<(String, NodeId)> = self.directory(path)?.names.iter().map(|(name, node)| (name.clone(), *node)).collect();
        let entry = |(name, node): (String, NodeId)| match &self.nodes[&node].kind {
            Kind::File(file) => DirEntry { name, is_dir: false, len: file.len() },
            Kind::Directory(_) => DirEntry { name, is_dir: true, len: 0 },
        };
        Ok(names.into_iter().map(entry).collect())
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.look_up(from)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (split(from)?, split(to)?);
        let replaced = self.look_up(to).ok().filter(|replaced| *replaced != node);
        if let Some(replaced) = replaced {
            self.check_replaceable(node, replaced)?;
        }
        if from_dir == to_dir {
            self.directory(&from_dir)?.rename(&from_name, &to_name);
        } else {
            // What both held before becomes durable with it: a file system's journal has one order.
            self.directory(&to_dir)?.sync();
            self.directory(&from_dir)?.sync();
            self.directory(&to_dir)?.insert(&to_name, node);
            self.directory(&from_dir)?.remove(&from_name);
            self.directory(&to_dir)?.sync();
            self.directory(&from_dir)?.sync();
        }
        if let Some(replaced) = replaced {
            self.unlink(replaced);
        }
        Ok(())
    }

    fn check_replaceable(&self, node: NodeId, replaced: NodeId) -> io::Result<()> {
        match (&self.nodes[&node].kind, &self.nodes[&replaced].kind) {
            (Kind::File(_), Kind::File(_)) => Ok(()),
            (Kind::Directory(_), Kind::Directory(d)) if d.names.is_empty() => Ok(()),
            (Kind::Directory(_), Kind::Directory(_)) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            (Kind::File(_), Kind::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            (Kind::Directory(_), Kind::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let node = self.look_up(path)?;
        if matches!(self.nodes[&node].kind, Kind::Directory(_)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.remove_name(path, node)
    }

    pub fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        for entry in self.list(path)? {
            let child = path.join(&entry.name);
            if entry.is_dir {
                self.remove_dir_all(&child)?;
            } else {
                self.remove_file(&child)?;
            }
        }
        let node = self.look_up(path)?;
        self.remove_name(path, node)
    }

    fn remove_name(&mut self, path: &Path, node: NodeId) -> io::Result<()> {
        let (parent, name) = split(path)?;
        self.directory(&parent)?.remove(&name);
        self.unlink(node);
        Ok(())
    }

    pub fn sync_dir(&mut self, path: &Path, rng: &mut Rng) -> io::Result<()> {
        let node = self.look_up(path)?;
        if rng.one_in(self.faults_of(node).sync_error_one_in) {
            return Err(eio());
        }
        self.directory(path)?.sync();
        self.forget_unreachable();
        Ok(())
    }

    /// Watches the file system that holds `path`. What failed before and was told nobody, this one is told.
    pub fn watch(&mut self, path: &Path) -> io::Result<Watcher> {
        let node = self.look_up(path)?;
        let file_system = self.nodes[&node].file_system.clone();
        let errors = self.errors.get(&file_system).copied().unwrap_or_default();
        let seen = if errors.reported { errors.count } else { errors.count.saturating_sub(1) };
        Ok(Watcher { file_system, seen })
    }

    fn note_error(&mut self, file_system: &str, reported: bool) {
        let errors = self.errors.entry(file_system.to_owned()).or_default();
        *errors = SyncErrors { count: errors.count + 1, reported };
    }

    /// Everything in the watcher's file system that was written before this began (`marks`, see [`Disk::sync_all_marks`]) becomes durable.
    /// Fails, too, if a sync failed since the watcher was last told.
    pub fn sync_all(&mut self, watcher: &mut Watcher, marks: &BTreeMap<NodeId, u64>, rng: &mut Rng) -> io::Result<()> {
        let fails = rng.one_in(self.faults_in(&watcher.file_system).sync_error_one_in);
        for (id, node) in &mut self.nodes {
            if !node.file_system.is_empty() && node.file_system != watcher.file_system {
                continue;
            }
            match &mut node.kind {
                Kind::File(file) if fails => file.sync_all_failed(marks.get(id).copied().unwrap_or(0), rng),
                Kind::File(file) => file.sync(marks.get(id).copied().unwrap_or(0)),
                Kind::Directory(directory) => directory.sync(),
            }
        }
        self.forget_unreachable();
        if fails {
            self.note_error(&watcher.file_system, true);
        }
        let errors = self.errors.entry(watcher.file_system.clone()).or_default();
        let told = errors.count > watcher.seen;
        (errors.reported, watcher.seen) = (true, errors.count);
        if told { Err(eio()) } else { Ok(()) }
    }

    pub fn sync_all_marks(&self) -> BTreeMap<NodeId, u64> {
        let mark = |(id, node): (&NodeId, &Node)| match &node.kind {
            Kind::File(file) => Some((*id, file.sync_mark())),
            Kind::Directory(_) => None,
        };
        self.nodes.iter().filter_map(mark).collect()
    }

    pub fn free_space(&self) -> u64 {
        let capacity = self.faults.capacity.unwrap_or(1 << 40);
        capacity.saturating_sub(self.used_space())
    }

    pub fn used_space(&self) -> u64 {
        self.pages_used * PAGE as u64
    }

    /// False if it is locked already.
    pub fn lock(&mut self, path: &Path) -> io::Result<bool> {
        let handle = self.open(path, true)?;
        self.close(handle);
        Ok(self.locks.insert(path.to_string_lossy().into_owned()))
    }

    pub fn unlock(&mut self, path: &Path, incarnation: u32) {
        if incarnation == self.incarnation {
            self.locks.remove(path.to_string_lossy().as_ref());
        }
    }

    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    // ---- ends of a process ---------------------------------------------------------------------------------------------

    /// The process is killed: writes under way happen or do not; everything else stays. Those that come back happen later, in the next
    /// process's time.
    pub fn kill(&mut self, rng: &mut Rng) -> Vec<u64> {
        let mut late = Vec::new();
        for (id, write) in std::mem::take(&mut self.writes) {
            if write.direct && rng.coin() {
                self.writes.insert(id, write);
                late.push(id);
            } else if rng.coin()
                && let Ok(file) = self.inode(write.node)
            {
                file.write(write.offset, &write.bytes, write.durable);
            }
        }
        self.end_process();
        late
    }

    /// The power fails.
    pub fn crash(&mut self, rng: &mut Rng) {
        let mut writes: Vec<WriteUnderWay> = std::mem::take(&mut self.writes).into_values().collect();
        while !writes.is_empty() {
            let write = writes.swap_remove(rng.index(writes.len()));
            if let Ok(file) = self.inode(write.node) {
                file.write_torn(write.offset, &write.bytes, rng);
            }
        }
        for node in self.nodes.values_mut() {
            match &mut node.kind {
                Kind::File(file) => file.crash(rng),
                Kind::Directory(directory) => directory.crash(rng),
            }
        }
        self.errors.clear();
        self.end_process();
    }

    fn end_process(&mut self) {
        self.incarnation += 1;
        self.locks.clear();
        for node in self.nodes.values_mut() {
            node.handles = 0;
        }
        self.forget_unreachable();
        let reachable = self.reachable();
        self.pages_used = 0;
        for (id, node) in &mut self.nodes {
            node.linked = reachable.contains(id);
            if let (true, Kind::File(file)) = (node.linked, &node.kind) {
                self.pages_used += file.page_count();
            }
        }
    }

    // ---- within --------------------------------------------------------------------------------------------------------

    fn faults_of(&self, node: NodeId) -> DiskFaults {
        self.nodes.get(&node).map_or(DiskFaults::default(), |node| self.faults_in(&node.file_system))
    }

    fn faults_in(&self, file_system: &str) -> DiskFaults {
        match self.faults.only_in {
            Some(only) if only != file_system => DiskFaults::default(),
            _ => self.faults,
        }
    }

    fn check_space(&self, wanted_pages: u64) -> io::Result<()> {
        match self.faults.capacity {
            Some(_) if wanted_pages * PAGE as u64 > self.free_space() => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            _ => Ok(()),
        }
    }

    fn make(&mut self, path: &Path, kind: Kind) -> io::Result<NodeId> {
        let (parent, name) = split(path)?;
        let node = self.next_node;
        self.directory(&parent)?.insert(&name, node);
        self.next_node += 1;
        let file_system = names_of(path)?.into_iter().next().unwrap_or_default();
        self.nodes.insert(node, Node { kind, handles: 0, linked: true, file_system });
        Ok(node)
    }

    fn unlink(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.linked = false;
            self.free_if_unused(id);
        }
    }

    fn free_if_unused(&mut self, id: NodeId) {
        if let Some(Node { kind: Kind::File(file), handles: 0, linked: false, .. }) = self.nodes.get(&id) {
            self.pages_used -= file.page_count();
        }
    }

    /// Nodes that have a name now.
    fn reachable(&self) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::from([ROOT]);
        let mut unseen = vec![ROOT];
        while let Some(id) = unseen.pop() {
            if let Some(Node { kind: Kind::Directory(directory), .. }) = self.nodes.get(&id) {
                unseen.extend(directory.names.values().copied().filter(|child| found.insert(*child)));
            }
        }
        found
    }

    /// Drops the nodes that neither a name, nor a handle, nor a crash can bring back.
    fn forget_unreachable(&mut self) {
        let mut found = BTreeSet::from([ROOT]);
        let mut unseen = vec![ROOT];
        while let Some(id) = unseen.pop() {
            if let Some(Node { kind: Kind::Directory(directory), .. }) = self.nodes.get(&id) {
                unseen.extend(directory.nodes().filter(|child| found.insert(*child)));
            }
        }
        self.nodes.retain(|id, node| node.handles > 0 || found.contains(id));
    }

    fn inode(&mut self, node: NodeId) -> io::Result<&mut Inode> {
        match self.nodes.get_mut(&node).map(|n| &mut n.kind) {
            Some(Kind::File(file)) => Ok(file),
            _ => Err(not_found()),
        }
    }

    fn file(&mut self, handle: Handle) -> io::Result<&mut Inode> {
        assert_eq!(handle.incarnation, self.incarnation, "a file handle outlived its process");
        self.inode(handle.node)
    }

    fn directory(&mut self, path: &Path) -> io::Result<&mut Directory> {
        let node = self.look_up(path)?;
        match self.nodes.get_mut(&node).map(|n| &mut n.kind) {
            Some(Kind::Directory(directory)) => Ok(directory),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn look_up(&self, path: &Path) -> io::Result<NodeId> {
        let mut at = ROOT;
        for name in names_of(path)? {
            match &self.nodes[&at].kind {
                Kind::Directory(directory) => at = *directory.names.get(&name).ok_or_else(not_found)?,
                Kind::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Ok(at)
    }
}

fn names_of(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    Ok(names)
}

fn split(path: &Path) -> io::Result<(std::path::PathBuf, String)> {
    let mut names = names_of(path)?;
    let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((names.iter().collect(), name))
}
