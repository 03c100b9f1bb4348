//! Reading and writing through arrays of buffers.
//!
//! A call moves at most [`TRANSFER_MAX_BYTES`] and says how much it moved, as POSIX allows: buffers may overlap, so that an
//! array in a small memory can allege terabytes, and between two calls a guest can be stopped. (What a slow disk makes of one
//! call is the kernel's.) Once something was moved, a later failure is reported by the next call.

use crate::context::Context;
use crate::descriptors::{Descriptor, OpenFile};
use crate::errno::Errno;
use crate::host::{File, Host};
use crate::layout::fdflags;
use crate::memory::{GuestMemory, IOVECS_MAX, index, length};

/// What one call moves at most: what a kernel copies from or to its cache in a fraction of a millisecond. C's and Rust's libraries
/// read and write in pieces that are much smaller, or ask again for the rest.
pub(crate) const TRANSFER_MAX_BYTES: u32 = 1024 * 1024;

impl<H: Host> Context<'_, H> {
    pub(crate) fn fd_read(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        nread: u32,
    ) -> Result<(), Errno> {
        check(memory, iovs, iovs_len, nread)?;
        let read = match self.descriptors.get_mut(fd)? {
            Descriptor::Stdin => {
                let rest = &mut self.stdin_rest;
                scatter(memory, iovs, iovs_len, |buffer, _| {
                    let (head, tail) = rest.split_at_checked(buffer.len()).unwrap_or((rest, &[]));
                    // `head` is no longer than `buffer`: one of the two ends first.
                    for (to, from) in buffer.iter_mut().zip(head) {
                        *to = *from;
                    }
                    *rest = tail;
                    Ok(head.len())
                })?
            }
            Descriptor::Stdout | Descriptor::Stderr => return Err(Errno::Notcapable),
            Descriptor::Directory(_) => return Err(Errno::Isdir),
            Descriptor::File(file) => {
                let read = read_file(file, memory, iovs, iovs_len, file.position)?;
                file.position = file.position.saturating_add(u64::from(read));
                read
            }
        };
        memory.write_u32(nread, read)
    }

    pub(crate) fn fd_pread(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        nread: u32,
    ) -> Result<(), Errno> {
        check(memory, iovs, iovs_len, nread)?;
        let read = read_file(self.descriptors.file_mut(fd)?, memory, iovs, iovs_len, offset)?;
        memory.write_u32(nread, read)
    }

    pub(crate) fn fd_write(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        nwritten: u32,
    ) -> Result<(), Errno> {
        check(memory, iovs, iovs_len, nwritten)?;
        let output = &mut *self.output;
        let written = match self.descriptors.get_mut(fd)? {
            Descriptor::Stdin => return Err(Errno::Notcapable),
            Descriptor::Stdout => gather(memory, iovs, iovs_len, |bytes, _| {
                output.write_stdout(bytes).map(|()| bytes.len())
            })?,
            Descriptor::Stderr => gather(memory, iovs, iovs_len, |bytes, _| {
                output.write_stderr(bytes).map(|()| bytes.len())
            })?,
            Descriptor::Directory(_) => return Err(Errno::Isdir),
            Descriptor::File(file) if file.flags & fdflags::APPEND != 0 => {
                let mut end = file.position;
                let written = write_file(file, memory, iovs, iovs_len, |file, bytes, _| {
                    let (written, position) = file.append(bytes)?;
                    end = position;
                    Ok(written)
                })?;
                file.position = end;
                written
            }
            Descriptor::File(file) => {
                let start = file.position;
                let written = write_file(file, memory, iovs, iovs_len, |file, bytes, done| {
                    file.write_at(bytes, position(start, done)?)
                })?;
                file.position = start.saturating_add(u64::from(written));
                written
            }
        };
        memory.write_u32(nwritten, written)
    }

    pub(crate) fn fd_pwrite(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        nwritten: u32,
    ) -> Result<(), Errno> {
        check(memory, iovs, iovs_len, nwritten)?;
        let file = self.descriptors.file_mut(fd)?;
        let written = write_file(file, memory, iovs, iovs_len, |file, bytes, done| {
            file.write_at(bytes, position(offset, done)?)
        })?;
        memory.write_u32(nwritten, written)
    }
}

/// Read from a file, from `offset` on.
fn read_file<F: File>(
    file: &OpenFile<F>,
    memory: &mut GuestMemory<'_>,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
) -> Result<u32, Errno> {
    if !file.readable {
        return Err(Errno::Notcapable);
    }
    position(offset, 0)?;
    scatter(memory, iovs, iovs_len, |buffer, done| {
        file.file.read_at(buffer, position(offset, done)?)
    })
}

/// Write to a file, and bring it onto the medium if it was opened so.
fn write_file<F: File>(
    file: &OpenFile<F>,
    memory: &GuestMemory<'_>,
    iovs: u32,
    iovs_len: u32,
    mut write: impl FnMut(&F, &[u8], u32) -> Result<usize, Errno>,
) -> Result<u32, Errno> {
    if !file.writable {
        return Err(Errno::Notcapable);
    }
    let written = gather(memory, iovs, iovs_len, |bytes, done| write(&file.file, bytes, done))?;
    if file.flags & fdflags::SYNC != 0 {
        file.file.sync(false)?;
    } else if file.flags & fdflags::DSYNC != 0 {
        file.file.sync(true)?;
    }
    Ok(written)
}

/// `done` bytes after `offset`. Positions are signed in every other interface, so a later one is no position.
fn position(offset: u64, done: u32) -> Result<u64, Errno> {
    let position = offset.checked_add(u64::from(done)).ok_or(Errno::Inval)?;
    if i64::try_from(position).is_ok() {
        Ok(position)
    } else {
        Err(Errno::Inval)
    }
}

/// Whether the array, every buffer in it and the place for the result lie in memory, before anything is moved.
fn check(memory: &GuestMemory<'_>, iovs: u32, iovs_len: u32, result: u32) -> Result<(), Errno> {
    if iovs_len > IOVECS_MAX {
        return Err(Errno::Inval);
    }
    for number in 0..iovs_len {
        let entry = memory.iovec(iovs, number)?;
        memory.slice(entry.address, entry.length)?;
    }
    memory.slice(result, 4).map(|_| ())
}

/// Hand each buffer to `read`, with the number of bytes that were read before; until one is not filled.
fn scatter(
    memory: &mut GuestMemory<'_>,
    iovs: u32,
    iovs_len: u32,
    mut read: impl FnMut(&mut [u8], u32) -> Result<usize, Errno>,
) -> Result<u32, Errno> {
    transfer(iovs_len, |number, done| {
        let entry = memory.iovec(iovs, number)?;
        let wanted = entry.length.min(TRANSFER_MAX_BYTES.saturating_sub(done));
        Ok((wanted, read(memory.slice_mut(entry.address, wanted)?, done)?))
    })
}

/// Hand each buffer to `write`, with the number of bytes that were written before; until one is not taken whole.
fn gather(
    memory: &GuestMemory<'_>,
    iovs: u32,
    iovs_len: u32,
    mut write: impl FnMut(&[u8], u32) -> Result<usize, Errno>,
) -> Result<u32, Errno> {
    transfer(iovs_len, |number, done| {
        let entry = memory.iovec(iovs, number)?;
        let wanted = entry.length.min(TRANSFER_MAX_BYTES.saturating_sub(done));
        Ok((wanted, write(memory.slice(entry.address, wanted)?, done)?))
    })
}

/// Move one buffer after the other. `one` says how much was wanted and how much was moved.
fn transfer(iovs_len: u32, mut one: impl FnMut(u32, u32) -> Result<(u32, usize), Errno>) -> Result<u32, Errno> {
    let mut done = 0_u32;
    for number in 0..iovs_len {
        let (wanted, moved) = match one(number, done) {
            Ok(moved) => moved,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        };
        done = done.saturating_add(length(moved)?);
        if moved < index(wanted)? || done >= TRANSFER_MAX_BYTES {
            break;
        }
    }
    Ok(done)
}
