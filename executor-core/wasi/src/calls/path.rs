//! Paths, each relative to an open directory.
//!
//! That a path does not lead out of its directory is the host's promise ([`crate::host::Directory`]); what a read-only
//! directory refuses is decided here.

use crate::context::Context;
use crate::descriptors::{Descriptor, OpenDirectory, OpenFile};
use crate::errno::Errno;
use crate::host::{Directory, Host, Open, Opened};
use crate::layout::{self, fdflags, oflags, rights};
use crate::memory::{GuestMemory, index, length};

impl<H: Host> Context<'_, H> {
    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    pub(crate) fn path_open(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        oflags: u32,
        base: u64,
        _inheriting: u64,
        fdflags: u32,
        opened: u32,
    ) -> Result<(), Errno> {
        memory.slice(opened, 4)?;
        let oflags = layout::flags(oflags, oflags::ALL)?;
        let flags = layout::flags(fdflags, fdflags::ALL)?;
        let wants = |wanted: u64| base & wanted != 0;
        let how = Open {
            read: wants(rights::FD_READ | rights::FD_READDIR),
            write: wants(rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE)
                && oflags & oflags::DIRECTORY == 0,
            create: oflags & oflags::CREAT != 0,
            exclusive: oflags & oflags::EXCL != 0,
            truncate: oflags & oflags::TRUNC != 0,
            directory: oflags & oflags::DIRECTORY != 0,
            follow: layout::follow(lookup)?,
        };
        if how.directory && (how.create || how.truncate) {
            return Err(Errno::Inval);
        }
        let directory = self.descriptors.directory(fd)?;
        let read_only = directory.read_only;
        if read_only && (how.write || how.create || how.truncate) {
            return Err(Errno::Rofs);
        }
        if !self.descriptors.has_room() {
            return Err(Errno::Mfile);
        }
        let descriptor = match directory.directory().open(memory.path(path, path_len)?, how)? {
            Opened::Directory(directory) => Descriptor::Directory(OpenDirectory::opened(directory, read_only)),
            Opened::File(file) => Descriptor::File(OpenFile {
                file,
                readable: how.read,
                writable: how.write,
                read_only,
                flags,
                position: 0,
            }),
        };
        let number = self.descriptors.insert(descriptor)?;
        memory.write_u32(opened, number)
    }

    pub(crate) fn path_create_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let path = memory.path(path, path_len)?;
        self.descriptors.directory(fd)?.writable()?.create_directory(path)
    }

    pub(crate) fn path_remove_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let path = memory.path(path, path_len)?;
        self.descriptors.directory(fd)?.writable()?.remove_directory(path)
    }

    pub(crate) fn path_unlink_file(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let path = memory.path(path, path_len)?;
        self.descriptors.directory(fd)?.writable()?.unlink_file(path)
    }

    pub(crate) fn path_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        filestat: u32,
    ) -> Result<(), Errno> {
        let follow = layout::follow(lookup)?;
        let path = memory.path(path, path_len)?;
        let status = self.descriptors.directory(fd)?.directory().status_at(path, follow)?;
        memory.write(filestat, &layout::filestat(&status))
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    pub(crate) fn path_filestat_set_times(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Result<(), Errno> {
        let follow = layout::follow(lookup)?;
        let times = layout::times(accessed, modified, flags)?;
        let path = memory.path(path, path_len)?;
        self.descriptors
            .directory(fd)?
            .writable()?
            .set_times_at(path, follow, times)
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    pub(crate) fn path_link(
        &mut self,
        memory: &mut GuestMemory<'_>,
        old_fd: u32,
        lookup: u32,
        old_path: u32,
        old_path_len: u32,
        new_fd: u32,
        new_path: u32,
        new_path_len: u32,
    ) -> Result<(), Errno> {
        // A link to what a symbolic link leads to cannot be made without a race.
        if layout::follow(lookup)? {
            return Err(Errno::Inval);
        }
        let old_path = memory.path(old_path, old_path_len)?;
        let new_path = memory.path(new_path, new_path_len)?;
        // Also the old directory's: a link counts in its file, and the file could be written through the new name.
        let old = self.descriptors.directory(old_fd)?.writable()?;
        let new = self.descriptors.directory(new_fd)?.writable()?;
        old.link(old_path, new, new_path)
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    pub(crate) fn path_rename(
        &mut self,
        memory: &mut GuestMemory<'_>,
        old_fd: u32,
        old_path: u32,
        old_path_len: u32,
        new_fd: u32,
        new_path: u32,
        new_path_len: u32,
    ) -> Result<(), Errno> {
        let old_path = memory.path(old_path, old_path_len)?;
        let new_path = memory.path(new_path, new_path_len)?;
        let old = self.descriptors.directory(old_fd)?.writable()?;
        let new = self.descriptors.directory(new_fd)?.writable()?;
        old.rename(old_path, new, new_path)
    }

    pub(crate) fn path_symlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        target: u32,
        target_len: u32,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let target = memory.path(target, target_len)?;
        let path = memory.path(path, path_len)?;
        self.descriptors.directory(fd)?.writable()?.symlink(target, path)
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    pub(crate) fn path_readlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
        buf: u32,
        buf_len: u32,
        used: u32,
    ) -> Result<(), Errno> {
        memory.slice(used, 4)?;
        memory.slice(buf, buf_len)?;
        let path = memory.path(path, path_len)?;
        let target = self.descriptors.directory(fd)?.directory().read_link(path)?;
        let target = target.as_bytes();
        // What does not fit is cut off, as POSIX does.
        let fits = target.get(..index(buf_len)?).unwrap_or(target);
        memory.write(buf, fits)?;
        memory.write_u32(used, length(fits.len())?)
    }
}
