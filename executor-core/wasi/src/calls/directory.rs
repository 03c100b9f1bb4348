//! `fd_readdir`.
//!
//! The entries are `.`, `..` and a listing that is taken when a guest begins at cookie 0 (or has none yet). A cookie is the
//! number of the next entry, so it keeps its meaning while files come and go.

use crate::context::Context;
use crate::descriptors::OpenDirectory;
use crate::errno::Errno;
use crate::host::{Directory, Host, Kind};
use crate::layout;
use crate::memory::{GuestMemory, index, length};

/// `.` and `..`.
const DOTS: u64 = 2;

impl<H: Host> Context<'_, H> {
    pub(crate) fn fd_readdir(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        buf: u32,
        buf_len: u32,
        cookie: u64,
        used: u32,
    ) -> Result<(), Errno> {
        memory.slice(used, 4)?;
        let buffer = memory.slice_mut(buf, buf_len)?;
        let directory = self.descriptors.directory_mut(fd)?;
        if cookie == 0 || directory.listing.is_none() {
            directory.listing = Some(directory.directory().list()?);
        }
        let filled = fill(directory, cookie, buffer)?;
        memory.write_u32(used, length(filled)?)
    }
}

/// Write entries from `cookie` on, the last one cut off if it does not fit: a full buffer tells the guest that there may be
/// more.
fn fill<H: Host>(directory: &OpenDirectory<'_, H>, cookie: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut rest = buffer;
    let mut filled = 0_usize;
    let mut put = |bytes: &[u8], filled: &mut usize| {
        let taken = bytes.len().min(rest.len());
        let (head, tail) = core::mem::take(&mut rest).split_at_mut(taken);
        for (to, from) in head.iter_mut().zip(bytes) {
            *to = *from;
        }
        rest = tail;
        *filled = filled.saturating_add(taken);
        taken == bytes.len()
    };
    let mut next = cookie;
    while let Some((name, inode, kind)) = entry(directory, next)? {
        next = next.checked_add(1).ok_or(Errno::Overflow)?;
        let head = layout::dirent(next, inode, length(name.len())?, kind);
        if !put(&head, &mut filled) || !put(name.as_bytes(), &mut filled) {
            break;
        }
    }
    Ok(filled)
}

/// Entry `number`: name, serial number, type.
fn entry<'d, H: Host>(directory: &'d OpenDirectory<'_, H>, number: u64) -> Result<Option<(&'d str, u64, Kind)>, Errno> {
    let Some(listed) = number.checked_sub(DOTS) else {
        let name = if number == 0 { "." } else { ".." };
        // The parent's number is nothing for a guest that cannot go there; 0 would make wasi-libc look it up.
        return Ok(Some((name, directory.directory().status()?.inode, Kind::Directory)));
    };
    let listing = directory.listing.as_deref().unwrap_or_default();
    let entry = u32::try_from(listed)
        .ok()
        .and_then(|number| listing.get(index(number).ok()?));
    Ok(entry.map(|entry| (entry.name.as_str(), entry.inode, entry.kind)))
}
