//! What the machine supplies to a guest: time, chance, sleep, and directories if an operator allows any.
//!
//! **Invariants.** A [`Directory`] is a capability: no path that it is given, with any `..`, any absolute path or any
//! symbolic link on the way, may reach outside it; an attempt is [`Errno::Notcapable`]. A [`File`] is a regular file: it is
//! read and written at positions, the position itself is [`crate::Context`]'s. Paths are UTF-8, without NUL, and may be
//! empty.

use alloc::string::String;
use alloc::vec::Vec;

use crate::errno::Errno;

/// The machine, as one run sees it.
pub trait Host {
    /// A directory that this machine opened.
    type Directory: Directory<File = Self::File>;
    /// A file that this machine opened.
    type File: File;

    /// Nanoseconds since the Unix epoch. `None`: this machine does not know the date.
    fn realtime_ns(&self) -> Option<u64>;

    /// Nanoseconds since an arbitrary start; never goes back.
    fn monotonic_ns(&self) -> u64;

    /// The step of both clocks, in nanoseconds; never 0.
    fn clock_resolution_ns(&self) -> u64 {
        1
    }

    /// Fill `bytes` with random numbers that are fit for keys.
    ///
    /// # Errors
    /// An errno if this machine has none: a guest must not get weak ones instead.
    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno>;

    /// Block the calling thread that long.
    ///
    /// # Errors
    /// [`Interrupted`]: the run is to be stopped (its deadline is over, its client has gone). The sleep may end early only
    /// so.
    fn sleep_ns(&self, duration_ns: u64) -> Result<(), Interrupted>;

    /// Let other threads run.
    fn yield_now(&self) {}

    /// The directories that every run has open from its start, as descriptors 3, 4, ….
    fn preopened(&self) -> &[Preopened<Self::Directory>] {
        &[]
    }
}

/// The run is to be stopped: the engine gets [`crate::Stop::Interrupted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// A directory that an operator lets guests use.
#[derive(Debug)]
pub struct Preopened<D> {
    /// The path by which the guest knows it, as `/data`.
    pub name: String,
    /// The directory.
    pub directory: D,
    /// Whether everything that would change it is refused with [`Errno::Rofs`].
    pub read_only: bool,
}

/// An open directory.
pub trait Directory: Sized {
    /// A file that was opened in it.
    type File: File;

    /// Open a file or a directory.
    ///
    /// # Errors
    /// The errno for the guest; [`Errno::Notsup`] for what is neither a regular file nor a directory.
    fn open(&self, path: &str, how: Open) -> Result<Opened<Self, Self::File>, Errno>;

    /// Everything in this directory, without `.` and `..`.
    ///
    /// # Errors
    /// The errno for the guest.
    fn list(&self) -> Result<Vec<DirectoryEntry>, Errno>;

    /// The status of this directory itself.
    ///
    /// # Errors
    /// The errno for the guest.
    fn status(&self) -> Result<Status, Errno>;

    /// The status of what is at `path`. `follow`: of what a symbolic link there leads to.
    ///
    /// # Errors
    /// The errno for the guest.
    fn status_at(&self, path: &str, follow: bool) -> Result<Status, Errno>;

    /// Set the times of this directory itself.
    ///
    /// # Errors
    /// The errno for the guest.
    fn set_times(&self, times: Times) -> Result<(), Errno>;

    /// Set the times of what is at `path`.
    ///
    /// # Errors
    /// The errno for the guest.
    fn set_times_at(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno>;

    /// Create a directory.
    ///
    /// # Errors
    /// The errno for the guest.
    fn create_directory(&self, path: &str) -> Result<(), Errno>;

    /// Remove an empty directory.
    ///
    /// # Errors
    /// The errno for the guest.
    fn remove_directory(&self, path: &str) -> Result<(), Errno>;

    /// Remove what is not a directory.
    ///
    /// # Errors
    /// The errno for the guest.
    fn unlink_file(&self, path: &str) -> Result<(), Errno>;

    /// Rename or move.
    ///
    /// # Errors
    /// The errno for the guest.
    fn rename(&self, old_path: &str, new_directory: &Self, new_path: &str) -> Result<(), Errno>;

    /// Create a hard link at `new_path` to the file at `old_path`, whose last component is not followed.
    ///
    /// # Errors
    /// The errno for the guest.
    fn link(&self, old_path: &str, new_directory: &Self, new_path: &str) -> Result<(), Errno>;

    /// Create a symbolic link at `path` that holds `target`.
    ///
    /// # Errors
    /// The errno for the guest; [`Errno::Notcapable`] for an absolute target.
    fn symlink(&self, target: &str, path: &str) -> Result<(), Errno>;

    /// What the symbolic link at `path` holds.
    ///
    /// # Errors
    /// The errno for the guest.
    fn read_link(&self, path: &str) -> Result<String, Errno>;

    /// Bring what was written to this directory onto the medium.
    ///
    /// # Errors
    /// The errno for the guest.
    fn sync(&self) -> Result<(), Errno>;
}

/// An open regular file.
pub trait File {
    /// Read at a position; 0 bytes are read only at the end or into nothing.
    ///
    /// # Errors
    /// The errno for the guest.
    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize, Errno>;

    /// Write at a position; what lies between the end and there reads as zeros.
    ///
    /// # Errors
    /// The errno for the guest.
    fn write_at(&self, bytes: &[u8], position: u64) -> Result<usize, Errno>;

    /// Write at the end. Gives the number of bytes, and the position after them.
    ///
    /// # Errors
    /// The errno for the guest.
    fn append(&self, bytes: &[u8]) -> Result<(usize, u64), Errno>;

    /// The file's status.
    ///
    /// # Errors
    /// The errno for the guest.
    fn status(&self) -> Result<Status, Errno>;

    /// Cut or lengthen the file to `size` bytes.
    ///
    /// # Errors
    /// The errno for the guest.
    fn set_size(&self, size: u64) -> Result<(), Errno>;

    /// Make the file at least `offset + length` bytes long, with room on the medium.
    ///
    /// # Errors
    /// The errno for the guest.
    fn allocate(&self, offset: u64, length: u64) -> Result<(), Errno>;

    /// Set the file's times.
    ///
    /// # Errors
    /// The errno for the guest.
    fn set_times(&self, times: Times) -> Result<(), Errno>;

    /// Bring what was written onto the medium; `data_only`: without times and the like.
    ///
    /// # Errors
    /// The errno for the guest.
    fn sync(&self, data_only: bool) -> Result<(), Errno>;
}

/// How to open a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of path_open")]
pub struct Open {
    /// To read from the file.
    pub read: bool,
    /// To write to the file.
    pub write: bool,
    /// Create the file if it is not there (also without `write`).
    pub create: bool,
    /// With `create`: fail if it is there.
    pub exclusive: bool,
    /// Empty the file (also without `write`).
    pub truncate: bool,
    /// Fail if it is not a directory.
    pub directory: bool,
    /// Follow a symbolic link in the last component.
    pub follow: bool,
}

/// What a path led to.
#[derive(Debug)]
pub enum Opened<D, F> {
    /// A directory.
    Directory(D),
    /// A regular file.
    File(F),
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// Its serial number.
    pub inode: u64,
    /// What it is; a symbolic link is not followed.
    pub kind: Kind,
}

/// `filetype`: what a descriptor or a path stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Not known, or not one of the others.
    #[default]
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A datagram socket.
    SocketDatagram = 5,
    /// A stream socket.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

/// `filestat`: the status of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The device that holds the file.
    pub device: u64,
    /// The file's serial number.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// The number of hard links.
    pub links: u64,
    /// The size in bytes.
    pub size: u64,
    /// The last access, in nanoseconds since the Unix epoch.
    pub accessed_ns: u64,
    /// The last change of the data, likewise.
    pub modified_ns: u64,
    /// The last change of the status, likewise.
    pub changed_ns: u64,
}

/// Which times to set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The last access.
    pub accessed: SetTime,
    /// The last change of the data.
    pub modified: SetTime,
}

/// One time to set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetTime {
    /// Leave it.
    #[default]
    Keep,
    /// To the present.
    Now,
    /// To this many nanoseconds since the Unix epoch.
    At(u64),
}

/// For a machine without files: [`Host::Directory`] and [`Host::File`] of which there are none.
#[derive(Clone, Copy, Debug)]
pub enum NoFiles {}

impl Directory for NoFiles {
    type File = NoFiles;

    fn open(&self, _: &str, _: Open) -> Result<Opened<Self, Self>, Errno> {
        match *self {}
    }

    fn list(&self) -> Result<Vec<DirectoryEntry>, Errno> {
        match *self {}
    }

    fn status(&self) -> Result<Status, Errno> {
        match *self {}
    }

    fn status_at(&self, _: &str, _: bool) -> Result<Status, Errno> {
        match *self {}
    }

    fn set_times(&self, _: Times) -> Result<(), Errno> {
        match *self {}
    }

    fn set_times_at(&self, _: &str, _: bool, _: Times) -> Result<(), Errno> {
        match *self {}
    }

    fn create_directory(&self, _: &str) -> Result<(), Errno> {
        match *self {}
    }

    fn remove_directory(&self, _: &str) -> Result<(), Errno> {
        match *self {}
    }

    fn unlink_file(&self, _: &str) -> Result<(), Errno> {
        match *self {}
    }

    fn rename(&self, _: &str, _: &Self, _: &str) -> Result<(), Errno> {
        match *self {}
    }

    fn link(&self, _: &str, _: &Self, _: &str) -> Result<(), Errno> {
        match *self {}
    }

    fn symlink(&self, _: &str, _: &str) -> Result<(), Errno> {
        match *self {}
    }

    fn read_link(&self, _: &str) -> Result<String, Errno> {
        match *self {}
    }

    fn sync(&self) -> Result<(), Errno> {
        match *self {}
    }
}

impl File for NoFiles {
    fn read_at(&self, _: &mut [u8], _: u64) -> Result<usize, Errno> {
        match *self {}
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<usize, Errno> {
        match *self {}
    }

    fn append(&self, _: &[u8]) -> Result<(usize, u64), Errno> {
        match *self {}
    }

    fn status(&self) -> Result<Status, Errno> {
        match *self {}
    }

    fn set_size(&self, _: u64) -> Result<(), Errno> {
        match *self {}
    }

    fn allocate(&self, _: u64, _: u64) -> Result<(), Errno> {
        match *self {}
    }

    fn set_times(&self, _: Times) -> Result<(), Errno> {
        match *self {}
    }

    fn sync(&self, _: bool) -> Result<(), Errno> {
        match *self {}
    }
}
