//! A machine whose clock goes only while a guest sleeps, and whose files are vectors.

use std::borrow::ToOwned;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::format;
use std::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::host::{DirectoryEntry, Kind, Open, Opened, SetTime, Status, Times};
use crate::{Directory, Errno, File, Host, Interrupted, Preopened};

pub(super) const REALTIME_START_NS: u64 = 1_700_000_000_000_000_000;
pub(super) const MONOTONIC_START_NS: u64 = 5_000;

pub(super) struct Machine {
    pub(super) slept_ns: Cell<u64>,
    pub(super) sleeps: Cell<u32>,
    pub(super) yields: Cell<u32>,
    /// Interrupt the sleep that begins when so many have been slept.
    pub(super) interrupt_at_sleep: Cell<Option<u32>>,
    pub(super) preopened: Vec<Preopened<Folder>>,
    pub(super) store: Rc<Store>,
}

/// All paths and what is there.
#[derive(Debug, Default)]
pub(super) struct Store {
    nodes: RefCell<BTreeMap<String, Node>>,
    /// Open handles of any sort.
    pub(super) open: Cell<usize>,
    pub(super) syncs: Cell<usize>,
}

#[derive(Clone, Debug)]
enum Node {
    File(Rc<RefCell<Data>>),
    Directory(Rc<RefCell<Times>>),
    Link(String),
}

#[derive(Debug, Default)]
struct Data {
    bytes: Vec<u8>,
    times: Times,
}

#[derive(Debug)]
pub(super) struct Folder {
    store: Rc<Store>,
    path: String,
}

#[derive(Debug)]
pub(super) struct Text {
    store: Rc<Store>,
    data: Rc<RefCell<Data>>,
}

impl Machine {
    /// Without directories.
    pub(super) fn bare() -> Self {
        Self::with(&[])
    }

    /// With these directories preopened, empty; read-only or not.
    pub(super) fn with(names: &[(&str, bool)]) -> Self {
        let store = Rc::new(Store::default());
        let preopened = names
            .iter()
            .map(|(name, read_only)| {
                store
                    .nodes
                    .borrow_mut()
                    .insert((*name).to_owned(), Node::Directory(Rc::default()));
                store.open.set(store.open.get() + 1);
                Preopened {
                    name: (*name).to_owned(),
                    directory: Folder {
                        store: Rc::clone(&store),
                        path: (*name).to_owned(),
                    },
                    read_only: *read_only,
                }
            })
            .collect();
        Self {
            slept_ns: Cell::new(0),
            sleeps: Cell::new(0),
            yields: Cell::new(0),
            interrupt_at_sleep: Cell::new(None),
            preopened,
            store,
        }
    }

    /// A file with this content.
    pub(super) fn put_file(&self, path: &str, bytes: &[u8]) {
        let data = Data {
            bytes: bytes.to_owned(),
            times: Times::default(),
        };
        let node = Node::File(Rc::new(RefCell::new(data)));
        self.store.nodes.borrow_mut().insert(path.to_owned(), node);
    }

    /// The content of a file.
    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        match self.store.nodes.borrow().get(path) {
            Some(Node::File(data)) => Some(data.borrow().bytes.clone()),
            _ => None,
        }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.store.nodes.borrow().contains_key(path)
    }
}

impl Host for Machine {
    type Directory = Folder;
    type File = Text;

    fn realtime_ns(&self) -> Option<u64> {
        Some(REALTIME_START_NS + self.slept_ns.get())
    }

    fn monotonic_ns(&self) -> u64 {
        MONOTONIC_START_NS + self.slept_ns.get()
    }

    fn clock_resolution_ns(&self) -> u64 {
        1_000
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        bytes.fill(0x5A);
        Ok(())
    }

    fn sleep_ns(&self, duration_ns: u64) -> Result<(), Interrupted> {
        if self.interrupt_at_sleep.get() == Some(self.sleeps.get()) {
            return Err(Interrupted);
        }
        self.sleeps.set(self.sleeps.get() + 1);
        self.slept_ns
            .set(self.slept_ns.get().saturating_add(duration_ns).min(u64::MAX / 4));
        Ok(())
    }

    fn yield_now(&self) {
        self.yields.set(self.yields.get() + 1);
    }

    fn preopened(&self) -> &[Preopened<Folder>] {
        &self.preopened
    }
}

impl Folder {
    /// The path in the store. The machine's promise: nothing leads out.
    fn resolve(&self, path: &str) -> Result<String, Errno> {
        if path.is_empty() {
            return Err(Errno::Noent);
        }
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(Errno::Notcapable);
        }
        match path {
            "." => Ok(self.path.clone()),
            _ => Ok(format!("{}/{path}", self.path)),
        }
    }

    fn node(&self, path: &str, follow: bool) -> Result<Node, Errno> {
        let node = self.store.nodes.borrow().get(&self.resolve(path)?).cloned();
        match node.ok_or(Errno::Noent)? {
            Node::Link(target) if follow => self.node(&target, false),
            node => Ok(node),
        }
    }

    fn add(&self, path: &str, node: Node) -> Result<(), Errno> {
        let path = self.resolve(path)?;
        let mut nodes = self.store.nodes.borrow_mut();
        if nodes.contains_key(&path) {
            return Err(Errno::Exist);
        }
        nodes.insert(path, node);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), Errno> {
        self.store
            .nodes
            .borrow_mut()
            .remove(&self.resolve(path)?)
            .map(drop)
            .ok_or(Errno::Noent)
    }
}

impl Directory for Folder {
    type File = Text;

    fn open(&self, path: &str, how: Open) -> Result<Opened<Self, Text>, Errno> {
        if how.create && !self.store.nodes.borrow().contains_key(&self.resolve(path)?) {
            self.add(path, Node::File(Rc::default()))?;
        } else if how.create && how.exclusive {
            return Err(Errno::Exist);
        }
        let node = self.node(path, how.follow)?;
        self.store.open.set(self.store.open.get() + 1);
        let store = Rc::clone(&self.store);
        match node {
            Node::Directory(_) => Ok(Opened::Directory(Folder {
                store,
                path: self.resolve(path)?,
            })),
            Node::File(data) => {
                let file = Text { store, data };
                if how.directory {
                    return Err(Errno::Notdir);
                }
                if how.truncate {
                    file.data.borrow_mut().bytes.clear();
                }
                Ok(Opened::File(file))
            }
            Node::Link(_) => Err(Errno::Loop),
        }
    }

    fn list(&self) -> Result<Vec<DirectoryEntry>, Errno> {
        let prefix = format!("{}/", self.path);
        let nodes = self.store.nodes.borrow();
        let entries = (100..).zip(nodes.iter()).filter_map(|(inode, (path, node))| {
            let name = path.strip_prefix(&prefix)?;
            let entry = DirectoryEntry {
                name: name.to_string(),
                inode,
                kind: kind(node),
            };
            (!name.contains('/')).then_some(entry)
        });
        Ok(entries.collect())
    }

    fn status(&self) -> Result<Status, Errno> {
        self.status_at(".", true)
    }

    fn status_at(&self, path: &str, follow: bool) -> Result<Status, Errno> {
        let node = self.node(path, follow)?;
        Ok(match &node {
            Node::File(data) => status(&data.borrow()),
            Node::Directory(times) => Status {
                kind: Kind::Directory,
                inode: 77,
                modified_ns: at(times.borrow().modified),
                ..Status::default()
            },
            Node::Link(target) => Status {
                kind: Kind::SymbolicLink,
                size: target.len() as u64,
                ..Status::default()
            },
        })
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        self.set_times_at(".", true, times)
    }

    fn set_times_at(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno> {
        match self.node(path, follow)? {
            Node::File(data) => data.borrow_mut().times = times,
            Node::Directory(of_directory) => *of_directory.borrow_mut() = times,
            Node::Link(_) => {}
        }
        Ok(())
    }

    fn create_directory(&self, path: &str) -> Result<(), Errno> {
        self.add(path, Node::Directory(Rc::default()))
    }

    fn remove_directory(&self, path: &str) -> Result<(), Errno> {
        match self.node(path, false)? {
            Node::Directory(_) => self.remove(path),
            _ => Err(Errno::Notdir),
        }
    }

    fn unlink_file(&self, path: &str) -> Result<(), Errno> {
        match self.node(path, false)? {
            Node::Directory(_) => Err(Errno::Isdir),
            _ => self.remove(path),
        }
    }

    fn rename(&self, old_path: &str, new_directory: &Self, new_path: &str) -> Result<(), Errno> {
        let node = self.node(old_path, false)?;
        new_directory.add(new_path, node)?;
        self.remove(old_path)
    }

    fn link(&self, old_path: &str, new_directory: &Self, new_path: &str) -> Result<(), Errno> {
        new_directory.add(new_path, self.node(old_path, false)?)
    }

    fn symlink(&self, target: &str, path: &str) -> Result<(), Errno> {
        self.add(path, Node::Link(target.to_owned()))
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        match self.node(path, false)? {
            Node::Link(target) => Ok(target),
            _ => Err(Errno::Inval),
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        self.store.syncs.set(self.store.syncs.get() + 1);
        Ok(())
    }
}

impl File for Text {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize, Errno> {
        let data = self.data.borrow();
        let rest = data.bytes.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(bytes.len());
        bytes[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<usize, Errno> {
        // A small medium: random calls must not fill the memory of the test.
        let end = usize::try_from(position)
            .unwrap()
            .checked_add(bytes.len())
            .filter(|end| *end <= 1 << 20);
        let end = end.ok_or(Errno::Fbig)?;
        let mut data = self.data.borrow_mut();
        if data.bytes.len() < end {
            data.bytes.resize(end, 0);
        }
        data.bytes[position as usize..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn append(&self, bytes: &[u8]) -> Result<(usize, u64), Errno> {
        let end = self.data.borrow().bytes.len() as u64;
        let written = self.write_at(bytes, end)?;
        Ok((written, end + written as u64))
    }

    fn status(&self) -> Result<Status, Errno> {
        Ok(status(&self.data.borrow()))
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= 1 << 20)
            .ok_or(Errno::Fbig)?;
        self.data.borrow_mut().bytes.resize(size, 0);
        Ok(())
    }

    fn allocate(&self, offset: u64, length: u64) -> Result<(), Errno> {
        let size = self.data.borrow().bytes.len() as u64;
        self.set_size(size.max(offset + length))
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        self.data.borrow_mut().times = times;
        Ok(())
    }

    fn sync(&self, _: bool) -> Result<(), Errno> {
        self.store.syncs.set(self.store.syncs.get() + 1);
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.store.open.set(self.store.open.get() - 1);
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.store.open.set(self.store.open.get() - 1);
    }
}

fn kind(node: &Node) -> Kind {
    match node {
        Node::File(_) => Kind::RegularFile,
        Node::Directory(_) => Kind::Directory,
        Node::Link(_) => Kind::SymbolicLink,
    }
}

fn status(data: &Data) -> Status {
    Status {
        device: 1,
        inode: 2,
        kind: Kind::RegularFile,
        links: 1,
        size: data.bytes.len() as u64,
        accessed_ns: at(data.times.accessed),
        modified_ns: at(data.times.modified),
        changed_ns: 9,
    }
}

fn at(time: SetTime) -> u64 {
    match time {
        SetTime::Keep => 0,
        SetTime::Now => 1,
        SetTime::At(ns) => ns,
    }
}
