//! A directory that guests may use.

use std::time::{Duration, UNIX_EPOCH};

use cap_fs_ext::{
    DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt, OpenOptionsSyncExt, SystemTimeSpec,
};
use cap_std::fs::{Dir, FileType, FileTypeExt, Metadata, MetadataExt, OpenOptions};
use cap_std::time::SystemTime;
use executor_wasi::host::{DirectoryEntry, Kind, Open, Opened, SetTime, Status, Times};
use executor_wasi::{Directory, Errno};

use super::errno::from_io;
use super::file::RegularFile;

/// A directory, as a capability.
#[derive(Debug)]
pub struct Folder {
    directory: Dir,
}

impl Folder {
    pub(super) fn new(directory: Dir) -> Self {
        Self { directory }
    }

    fn open_with(&self, path: &str, options: &mut OpenOptions) -> Result<cap_std::fs::File, Errno> {
        // A pipe must not hold up the thread that looks at it.
        options.maybe_dir(true).nonblock(true);
        self.directory.open_with(path, options).map_err(|e| from_io(&e))
    }
}

impl Directory for Folder {
    type File = RegularFile;

    fn open(&self, path: &str, how: Open) -> Result<Opened<Self, RegularFile>, Errno> {
        // The kernel wants write access from whoever creates or empties a file, and some access from everyone.
        let write = how.write || how.create || how.truncate;
        let mut options = OpenOptions::new();
        options
            .read(how.read || !write)
            .write(write)
            .create(how.create)
            .create_new(how.create && how.exclusive)
            .truncate(how.truncate)
            .follow(if how.follow {
                FollowSymlinks::Yes
            } else {
                FollowSymlinks::No
            });
        let file = self.open_with(path, &mut options)?;
        let kind = file.metadata().map_err(|e| from_io(&e))?.file_type();
        if kind.is_dir() {
            Ok(Opened::Directory(Self::new(Dir::from_std_file(file.into_std()))))
        } else if how.directory {
            Err(Errno::Notdir)
        } else if kind.is_file() {
            Ok(Opened::File(RegularFile::new(file)))
        } else {
            Err(Errno::Notsup)
        }
    }

    fn list(&self) -> Result<Vec<DirectoryEntry>, Errno> {
        let mut listing = Vec::new();
        for entry in self.directory.entries().map_err(|e| from_io(&e))? {
            let entry = entry.map_err(|e| from_io(&e))?;
            // A name that is not UTF-8 cannot be told to a guest, nor could the guest use it.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // What was removed meanwhile is not listed.
            let Ok(metadata) = entry.metadata() else { continue };
            listing.try_reserve(1).map_err(|_| Errno::Nomem)?;
            listing.push(DirectoryEntry {
                name,
                inode: metadata.ino(),
                kind: kind(metadata.file_type()),
            });
        }
        Ok(listing)
    }

    fn status(&self) -> Result<Status, Errno> {
        self.directory
            .dir_metadata()
            .map(|metadata| status(&metadata))
            .map_err(|e| from_io(&e))
    }

    fn status_at(&self, path: &str, follow: bool) -> Result<Status, Errno> {
        let metadata = if follow {
            self.directory.metadata(path)
        } else {
            self.directory.symlink_metadata(path)
        };
        metadata.map(|metadata| status(&metadata)).map_err(|e| from_io(&e))
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        self.set_times_at(".", true, times)
    }

    fn set_times_at(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno> {
        let (accessed, modified) = (time_to_set(times.accessed)?, time_to_set(times.modified)?);
        let set = if follow {
            DirExt::set_times(&self.directory, path, accessed, modified)
        } else {
            self.directory.set_symlink_times(path, accessed, modified)
        };
        set.map_err(|e| from_io(&e))
    }

    fn create_directory(&self, path: &str) -> Result<(), Errno> {
        self.directory.create_dir(path).map_err(|e| from_io(&e))
    }

    fn remove_directory(&self, path: &str) -> Result<(), Errno> {
        self.directory.remove_dir(path).map_err(|e| from_io(&e))
    }

    fn unlink_file(&self, path: &str) -> Result<(), Errno> {
        self.directory.remove_file(path).map_err(|e| from_io(&e))
    }

    fn rename(&self, old_path: &str, new_directory: &Self, new_path: &str) -> Result<(), Errno> {
        self.directory
            .rename(old_path, &new_directory.directory, new_path)
            .map_err(|e| from_io(&e))
    }

    fn link(&self, old_path: &str, new_directory: &Self, new_path: &str) -> Result<(), Errno> {
        self.directory
            .hard_link(old_path, &new_directory.directory, new_path)
            .map_err(|e| from_io(&e))
    }

    fn symlink(&self, target: &str, path: &str) -> Result<(), Errno> {
        self.directory.symlink(target, path).map_err(|e| from_io(&e))
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        let target = self.directory.read_link(path).map_err(|e| from_io(&e))?;
        target.into_os_string().into_string().map_err(|_| Errno::Ilseq)
    }

    fn sync(&self) -> Result<(), Errno> {
        // The capability itself may be one that only names the directory.
        let directory = self.open_with(".", OpenOptions::new().read(true))?;
        directory.sync_all().map_err(|e| from_io(&e))
    }
}

/// The status as WASI has it; times before 1970 are 1970.
pub(super) fn status(metadata: &Metadata) -> Status {
    let time_ns = |seconds: i64, rest: i64| {
        let seconds_ns = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?;
        seconds_ns.checked_add(u64::try_from(rest).ok()?)
    };
    Status {
        device: metadata.dev(),
        inode: metadata.ino(),
        kind: kind(metadata.file_type()),
        links: metadata.nlink(),
        size: metadata.len(),
        accessed_ns: time_ns(metadata.atime(), metadata.atime_nsec()).unwrap_or(0),
        modified_ns: time_ns(metadata.mtime(), metadata.mtime_nsec()).unwrap_or(0),
        changed_ns: time_ns(metadata.ctime(), metadata.ctime_nsec()).unwrap_or(0),
    }
}

fn kind(file_type: FileType) -> Kind {
    if file_type.is_file() {
        Kind::RegularFile
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        Kind::SymbolicLink
    } else if file_type.is_block_device() {
        Kind::BlockDevice
    } else if file_type.is_char_device() {
        Kind::CharacterDevice
    } else if file_type.is_socket() {
        Kind::SocketStream
    } else {
        Kind::Unknown
    }
}

fn time_to_set(time: SetTime) -> Result<Option<SystemTimeSpec>, Errno> {
    Ok(match time {
        SetTime::Keep => None,
        SetTime::Now => Some(SystemTimeSpec::SymbolicNow),
        SetTime::At(ns) => {
            let time = UNIX_EPOCH
                .checked_add(Duration::from_nanos(ns))
                .ok_or(Errno::Overflow)?;
            Some(SystemTimeSpec::Absolute(SystemTime::from_std(time)))
        }
    })
}
