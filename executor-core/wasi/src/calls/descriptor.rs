//! Descriptors: what they stand for, their positions, their status.

use crate::context::Context;
use crate::descriptors::Descriptor;
use crate::errno::Errno;
use crate::host::{Directory, File, Host, Kind, Status};
use crate::layout::{self, fdflags, rights};
use crate::memory::{GuestMemory, length};

impl<H: Host> Context<'_, H> {
    pub(crate) fn fd_advise(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        _offset: u64,
        _length: u64,
        advice: u32,
    ) -> Result<(), Errno> {
        self.descriptors.file_mut(fd)?;
        // `advice` has six values; it is advice, so none has an effect.
        if advice > 5 { Err(Errno::Inval) } else { Ok(()) }
    }

    pub(crate) fn fd_allocate(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        length: u64,
    ) -> Result<(), Errno> {
        let file = self.descriptors.file_mut(fd)?;
        if !file.writable {
            return Err(Errno::Notcapable);
        }
        match offset.checked_add(length).map(i64::try_from) {
            Some(Ok(_)) if length > 0 => file.file.allocate(offset, length),
            Some(Ok(_)) => Err(Errno::Inval),
            _ => Err(Errno::Fbig),
        }
    }

    pub(crate) fn fd_close(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
        self.descriptors.close(fd)
    }

    pub(crate) fn fd_renumber(&mut self, _: &mut GuestMemory<'_>, from: u32, to: u32) -> Result<(), Errno> {
        self.descriptors.renumber(from, to)
    }

    pub(crate) fn fd_sync(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
        self.sync(fd, false)
    }

    pub(crate) fn fd_datasync(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
        self.sync(fd, true)
    }

    fn sync(&mut self, fd: u32, data_only: bool) -> Result<(), Errno> {
        match self.descriptors.get(fd)? {
            Descriptor::File(file) => file.file.sync(data_only),
            Descriptor::Directory(directory) => directory.directory().sync(),
            // As POSIX has it for what cannot be synchronised.
            Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => Err(Errno::Inval),
        }
    }

    pub(crate) fn fd_fdstat_get(&mut self, memory: &mut GuestMemory<'_>, fd: u32, fdstat: u32) -> Result<(), Errno> {
        let read = rights::FD_READ | rights::POLL_FD_READWRITE;
        let write = rights::FD_WRITE | rights::POLL_FD_READWRITE;
        // The streams are not character devices: wasi-libc and the programs would take them for a terminal.
        let (kind, flags, base, inheriting) = match self.descriptors.get(fd)? {
            Descriptor::Stdin => (Kind::Unknown, 0, read, 0),
            Descriptor::Stdout | Descriptor::Stderr => (Kind::Unknown, fdflags::APPEND, write, 0),
            Descriptor::Directory(_) => (Kind::Directory, 0, rights::DIRECTORY, rights::INHERITING),
            Descriptor::File(file) => {
                let readable = if file.readable { rights::FD_READ } else { 0 };
                let writable = if file.writable { rights::FILE_WRITE } else { 0 };
                (Kind::RegularFile, file.flags, rights::FILE | readable | writable, 0)
            }
        };
        memory.write(fdstat, &layout::fdstat(kind, flags, base, inheriting))
    }

    pub(crate) fn fd_fdstat_set_flags(&mut self, _: &mut GuestMemory<'_>, fd: u32, flags: u32) -> Result<(), Errno> {
        let flags = layout::flags(flags, fdflags::ALL)?;
        if let Descriptor::File(file) = self.descriptors.get_mut(fd)? {
            file.flags = flags;
        }
        // No operation on a stream or a directory depends on a flag.
        Ok(())
    }

    pub(crate) fn fd_fdstat_set_rights(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        _base: u64,
        _inheriting: u64,
    ) -> Result<(), Errno> {
        self.descriptors.get(fd)?;
        Err(Errno::Notsup)
    }

    pub(crate) fn fd_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        filestat: u32,
    ) -> Result<(), Errno> {
        let status = match self.descriptors.get(fd)? {
            Descriptor::File(file) => file.file.status()?,
            Descriptor::Directory(directory) => directory.directory().status()?,
            Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => Status::default(),
        };
        memory.write(filestat, &layout::filestat(&status))
    }

    pub(crate) fn fd_filestat_set_size(&mut self, _: &mut GuestMemory<'_>, fd: u32, size: u64) -> Result<(), Errno> {
        let file = self.descriptors.file_mut(fd)?;
        if !file.writable {
            return Err(Errno::Notcapable);
        }
        if i64::try_from(size).is_err() {
            return Err(Errno::Inval);
        }
        file.file.set_size(size)
    }

    pub(crate) fn fd_filestat_set_times(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Result<(), Errno> {
        let times = layout::times(accessed, modified, flags)?;
        match self.descriptors.get(fd)? {
            Descriptor::File(file) if file.read_only => Err(Errno::Rofs),
            Descriptor::File(file) => file.file.set_times(times),
            Descriptor::Directory(directory) => directory.writable()?.set_times(times),
            Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => Err(Errno::Inval),
        }
    }

    pub(crate) fn fd_prestat_get(&mut self, memory: &mut GuestMemory<'_>, fd: u32, prestat: u32) -> Result<(), Errno> {
        let name = self.descriptors.preopened_name(fd)?;
        memory.write(prestat, &layout::prestat(length(name.len())?))
    }

    pub(crate) fn fd_prestat_dir_name(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let name = self.descriptors.preopened_name(fd)?;
        if length(name.len())? > path_len {
            return Err(Errno::Nametoolong);
        }
        memory.write(path, name.as_bytes())
    }

    pub(crate) fn fd_seek(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        whence: u32,
        position: u32,
    ) -> Result<(), Errno> {
        let place = memory.slice_mut(position, 8)?;
        let file = self.descriptors.file_mut(fd)?;
        let from = match whence {
            0 => 0,
            1 => file.position,
            2 => file.file.status()?.size,
            _ => return Err(Errno::Inval),
        };
        let sought = from.checked_add_signed(offset.cast_signed()).ok_or(Errno::Inval)?;
        if i64::try_from(sought).is_err() {
            return Err(Errno::Inval);
        }
        file.position = sought;
        place.copy_from_slice(&sought.to_le_bytes());
        Ok(())
    }

    pub(crate) fn fd_tell(&mut self, memory: &mut GuestMemory<'_>, fd: u32, position: u32) -> Result<(), Errno> {
        let file = self.descriptors.file_mut(fd)?;
        memory.write_u64(position, file.position)
    }
}
