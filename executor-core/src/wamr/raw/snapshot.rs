//! The state of a fresh instance, and how a used one gets it back.
//!
//! What a guest can write is listed in `wamr-sys/c/state.c`. All of it but the linear memory is a few bytes and is copied
//! back whole. Of the linear memory, the snapshot keeps the pages that are not zero.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use wamr_sys as sys;

use super::Instance;

/// The machine's page size, or a multiple of it: Linux on Arm may use 16 or 64 KiB, where fewer zero pages are left out.
const PAGE_BYTES: usize = 4096;

/// Up to this size a used memory is compared with the snapshot page by page, which costs no system call. A larger one is
/// given back to the system, which brings zero pages: a call and a page fault for each page that is touched again.
const COMPARED_MAX_BYTES: usize = 256 * 1024;

/// The state of an instance right after its instantiation.
pub struct Snapshot {
    /// Globals, tables, dropped segments.
    state: Vec<u8>,
    memory_bytes: usize,
    memory_pages: u32,
    /// Where the pages of `contents` lie in memory, in ascending order.
    offsets: Vec<u32>,
    contents: Vec<u8>,
}

/// As much of a memory as is read between two looks at the stop flag: reading touches pages that were never there.
const READ_AT_ONCE_BYTES: usize = 256 * 1024;

/// Why there is no snapshot.
pub enum TakeError {
    /// No memory for it.
    OutOfMemory,
    /// The run that it was taken for is to be stopped.
    Stopped,
}

impl From<TryReserveError> for TakeError {
    fn from(_: TryReserveError) -> Self {
        TakeError::OutOfMemory
    }
}

/// The instance cannot be made fresh again: drop it.
pub struct CannotRestore;

impl Snapshot {
    /// Note the state of a fresh instance, unless `is_stopped`.
    ///
    /// # Errors
    /// [`TakeError`]
    pub fn take(instance: &Instance, is_stopped: impl Fn() -> bool) -> Result<Self, TakeError> {
        // SAFETY: state.c: the instance is alive.
        let bytes = unsafe { sys::wamr_sys_state_bytes(instance.as_ptr()) };
        let mut state = Vec::new();
        state.try_reserve_exact(bytes)?;
        state.resize(bytes, 0);
        // SAFETY: state.c: writes as many bytes as it just said.
        unsafe { sys::wamr_sys_state_save(instance.as_ptr(), state.as_mut_ptr()) };

        let memory = instance.memory();
        let mut offsets = Vec::new();
        for (number, part) in memory.chunks(READ_AT_ONCE_BYTES).enumerate() {
            if is_stopped() {
                return Err(TakeError::Stopped);
            }
            let start = number * READ_AT_ONCE_BYTES;
            for (index, _) in part.chunks(PAGE_BYTES).enumerate().filter(|(_, page)| !is_zero(page)) {
                offsets.try_reserve(1)?;
                offsets.push(u32::try_from(start + index * PAGE_BYTES).map_err(|_| TakeError::OutOfMemory)?);
            }
        }
        // These stay for as long as the module does: no byte more than it takes.
        offsets.shrink_to_fit();
        let pages = || {
            offsets
                .iter()
                .filter_map(|offset| memory.get(*offset as usize..)?.chunks(PAGE_BYTES).next())
        };
        let mut contents = Vec::new();
        contents.try_reserve_exact(pages().map(<[u8]>::len).sum())?;
        pages().for_each(|page| contents.extend_from_slice(page));
        let memory_bytes = memory.len();
        Ok(Snapshot {
            state,
            memory_bytes,
            memory_pages: instance.memory_pages(),
            offsets,
            contents,
        })
    }

    /// Give an instance of the same module, whose calls have all returned, the state of a fresh one.
    ///
    /// # Errors
    /// [`CannotRestore`]
    pub fn restore(&self, instance: &mut Instance) -> Result<(), CannotRestore> {
        if instance.memory().len() != self.memory_bytes {
            // SAFETY: state.c: the instance is alive and not called.
            let is_shrunk =
                unsafe { sys::wamr_sys_memory_shrink(instance.as_ptr(), self.memory_pages, self.memory_bytes) };
            if !is_shrunk {
                return Err(CannotRestore);
            }
        }
        // SAFETY: state.c: reads as many bytes as `take` saved of an instance of the same module. (A table that has grown
        // is given its first size, and its first elements.)
        unsafe { sys::wamr_sys_state_restore(instance.as_ptr(), self.state.as_ptr()) };
        if self.memory_bytes <= COMPARED_MAX_BYTES {
            self.rewrite_changed_pages(instance.memory_mut());
            Ok(())
        } else {
            self.discard_and_rewrite(instance.memory_mut())
        }
    }

    fn rewrite_changed_pages(&self, memory: &mut [u8]) {
        let mut kept = self
            .offsets
            .iter()
            .copied()
            .zip(self.contents.chunks(PAGE_BYTES))
            .peekable();
        for (index, page) in memory.chunks_mut(PAGE_BYTES).enumerate() {
            match kept.next_if(|(offset, _)| *offset as usize == index * PAGE_BYTES) {
                Some((_, content)) => page.copy_from_slice(content),
                None if is_zero(page) => {}
                None => page.fill(0),
            }
        }
    }

    fn discard_and_rewrite(&self, memory: &mut [u8]) -> Result<(), CannotRestore> {
        // SAFETY: state.c: the memory is a mapping of its own, of whole pages.
        if !unsafe { sys::wamr_sys_memory_discard(memory.as_mut_ptr(), memory.len()) } {
            return Err(CannotRestore);
        }
        for (offset, content) in self.offsets.iter().zip(self.contents.chunks(PAGE_BYTES)) {
            let start = *offset as usize;
            match memory.get_mut(start..start + content.len()) {
                Some(page) => page.copy_from_slice(content),
                None => return Err(CannotRestore),
            }
        }
        Ok(())
    }
}

/// Read in pieces of 256 bytes, so that the check runs at the speed of the memory; each in aligned words, for where there are no
/// vector instructions, or none that read what is not aligned.
fn is_zero(page: &[u8]) -> bool {
    // SAFETY: any eight bytes are a number.
    let (before, words, after) = unsafe { page.align_to::<u64>() };
    let (pieces, rest) = words.as_chunks::<32>();
    let are_zero = |words: &[u64]| words.iter().fold(0, |all, word| all | word) == 0;
    pieces.iter().all(|piece| are_zero(piece)) && are_zero(rest) && before.iter().chain(after).all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_is_found_wherever_it_is() {
        let mut bytes = [0; 700];
        for start in 0..16 {
            for end in [start, start + 7, start + 100, 700] {
                assert!(is_zero(&bytes[start..end]));
                for place in start..end {
                    bytes[place] = 0x80;
                    assert!(!is_zero(&bytes[start..end]), "{place} of {start}..{end}");
                    bytes[place] = 0;
                }
            }
        }
    }
}
