//! The descriptor table of one run.
//!
//! Descriptors 0, 1 and 2 are the standard streams, 3 and up the preopened directories, then what the guest opens, always at
//! the lowest free number from 3 on.

use alloc::vec::Vec;

use crate::errno::Errno;
use crate::host::{DirectoryEntry, Host, Preopened};

/// Descriptors that one run may have open: bounds what a guest can hold of the machine's.
pub(crate) const DESCRIPTORS_MAX: usize = 64;

/// The standard streams.
const STDIO: usize = 3;

/// What an open descriptor stands for.
pub(crate) enum Descriptor<'r, H: Host> {
    Stdin,
    Stdout,
    Stderr,
    Directory(OpenDirectory<'r, H>),
    File(OpenFile<H::File>),
}

/// A directory.
pub(crate) struct OpenDirectory<'r, H: Host> {
    handle: Handle<'r, H>,
    /// Nothing in it may be changed, nor in the directories that are opened through it.
    pub(crate) read_only: bool,
    /// What `fd_readdir` goes through: taken when it starts, so that its cookies keep their meaning.
    pub(crate) listing: Option<Vec<DirectoryEntry>>,
}

enum Handle<'r, H: Host> {
    Preopened(&'r Preopened<H::Directory>),
    Opened(H::Directory),
}

/// A regular file.
pub(crate) struct OpenFile<F> {
    pub(crate) file: F,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// It lies in a read-only directory: not even its times may be changed.
    pub(crate) read_only: bool,
    /// `fdflags`.
    pub(crate) flags: u16,
    /// Where the next read or write is; at most `i64::MAX`.
    pub(crate) position: u64,
}

/// The table.
pub(crate) struct Descriptors<'r, H: Host> {
    /// Apart from the others, so that a run that opens nothing allocates nothing.
    stdio: [Option<Descriptor<'r, H>>; STDIO],
    opened: Vec<Option<Descriptor<'r, H>>>,
}

impl<'r, H: Host> OpenDirectory<'r, H> {
    pub(crate) fn opened(directory: H::Directory, read_only: bool) -> Self {
        Self {
            handle: Handle::Opened(directory),
            read_only,
            listing: None,
        }
    }

    pub(crate) fn directory(&self) -> &H::Directory {
        match &self.handle {
            Handle::Preopened(preopened) => &preopened.directory,
            Handle::Opened(directory) => directory,
        }
    }

    /// The directory, to be changed.
    pub(crate) fn writable(&self) -> Result<&H::Directory, Errno> {
        if self.read_only {
            Err(Errno::Rofs)
        } else {
            Ok(self.directory())
        }
    }
}

impl<'r, H: Host> Descriptors<'r, H> {
    /// What every run has open from its start.
    pub(crate) fn new(preopened: &'r [Preopened<H::Directory>]) -> Self {
        let directories = preopened.iter().take(DESCRIPTORS_MAX - STDIO).map(|preopened| {
            Some(Descriptor::Directory(OpenDirectory {
                handle: Handle::Preopened(preopened),
                read_only: preopened.read_only,
                listing: None,
            }))
        });
        Self {
            stdio: [
                Some(Descriptor::Stdin),
                Some(Descriptor::Stdout),
                Some(Descriptor::Stderr),
            ],
            opened: directories.collect(),
        }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor<'r, H>, Errno> {
        let number = number(fd)?;
        let slot = match number.checked_sub(STDIO) {
            None => self.stdio.get(number),
            Some(index) => self.opened.get(index),
        };
        slot.and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor<'r, H>, Errno> {
        self.slot(fd)?.as_mut().ok_or(Errno::Badf)
    }

    /// The name of a preopened directory, whatever its number is now.
    pub(crate) fn preopened_name(&self, fd: u32) -> Result<&'r str, Errno> {
        match self.get(fd)? {
            Descriptor::Directory(OpenDirectory {
                handle: Handle::Preopened(preopened),
                ..
            }) => Ok(&preopened.name),
            // What wasi-libc waits for when it goes through the preopened directories from 3 on.
            _ => Err(Errno::Badf),
        }
    }

    pub(crate) fn directory(&self, fd: u32) -> Result<&OpenDirectory<'r, H>, Errno> {
        match self.get(fd)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    pub(crate) fn directory_mut(&mut self, fd: u32) -> Result<&mut OpenDirectory<'r, H>, Errno> {
        match self.get_mut(fd)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    /// A file, for what a stream cannot do.
    pub(crate) fn file_mut(&mut self, fd: u32) -> Result<&mut OpenFile<H::File>, Errno> {
        match self.get_mut(fd)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Directory(_) => Err(Errno::Isdir),
            Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => Err(Errno::Spipe),
        }
    }

    /// Whether there is room for one more: asked before something is opened or created.
    pub(crate) fn has_room(&self) -> bool {
        self.opened.len() < DESCRIPTORS_MAX - STDIO || self.opened.iter().any(Option::is_none)
    }

    pub(crate) fn insert(&mut self, descriptor: Descriptor<'r, H>) -> Result<u32, Errno> {
        let free = self.opened.iter().position(Option::is_none);
        let index = free.unwrap_or(self.opened.len());
        if index >= DESCRIPTORS_MAX - STDIO {
            return Err(Errno::Mfile);
        }
        match self.opened.get_mut(index) {
            Some(slot) => *slot = Some(descriptor),
            None => {
                self.opened.try_reserve(1).map_err(|_| Errno::Nomem)?;
                self.opened.push(Some(descriptor));
            }
        }
        u32::try_from(index.saturating_add(STDIO)).map_err(|_| Errno::Mfile)
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.slot(fd)?.take().map(drop).ok_or(Errno::Badf)
    }

    /// Move `from` to `to`, which is closed. Both must be open: a table with holes of the guest's choice is not needed.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.slot(from)?.take();
            *self.slot(to)? = moved;
        }
        Ok(())
    }

    fn slot(&mut self, fd: u32) -> Result<&mut Option<Descriptor<'r, H>>, Errno> {
        let number = number(fd)?;
        let slot = match number.checked_sub(STDIO) {
            None => self.stdio.get_mut(number),
            Some(index) => self.opened.get_mut(index),
        };
        slot.ok_or(Errno::Badf)
    }
}

fn number(fd: u32) -> Result<usize, Errno> {
    usize::try_from(fd).map_err(|_| Errno::Badf)
}
