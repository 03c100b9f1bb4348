//! A loaded module: what `wasm_runtime_load` gives, and what it needs to stay valid.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::ops::Range;
use core::ptr::{self, NonNull};

use action_bundle::Kind;
use wamr_sys as sys;

use super::super::budget::{Budget, Share};
use super::{ErrorText, Message};
use crate::runtime::{Body, OutOfMemory};

/// The bytes of an `/init`: on the heap, so that they stay where they are when their owner moves.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// What the bytes take of the engine's budget, for as long as they are there.
    share: Share,
}

impl Buffer {
    /// `len` bytes, zero.
    ///
    /// # Errors
    /// [`OutOfMemory`]: the budget is spent, or the allocator has no room.
    pub fn new(budget: &Arc<Budget>, len: usize) -> Result<Self, OutOfMemory> {
        let share = budget.take(len)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
        bytes.resize(len, 0);
        Ok(Buffer { bytes, share })
    }

    /// Make it `len` bytes long; what is new is zero. The C libraries' `realloc` moves the pages of a large block, not its
    /// bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`]: the budget is spent, or the allocator has no room. The buffer is as it was.
    pub fn resize(&mut self, len: usize) -> Result<(), OutOfMemory> {
        let Some(more) = len.checked_sub(self.bytes.len()) else {
            self.cut_off(len);
            return Ok(());
        };
        self.share.grow(more)?;
        if self.bytes.try_reserve_exact(more).is_err() {
            self.share.shrink_to(self.bytes.len());
            return Err(OutOfMemory);
        }
        self.bytes.resize(len, 0);
        Ok(())
    }

    /// Keep the first `len` bytes only, and give the rest back.
    fn cut_off(&mut self, len: usize) {
        self.bytes.truncate(len);
        // The C libraries' `realloc` shrinks a large block where it lies (by whole pages), which does not fail.
        self.bytes.shrink_to_fit();
        self.share.shrink_to(self.bytes.capacity());
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

/// Why there is no module.
#[derive(Debug)]
pub enum NotLoaded {
    /// WAMR's own words.
    Module(Message),
    /// No room for the bytes that are to be kept.
    OutOfMemory,
}

/// A loaded module. Instances share it.
pub struct Module {
    handle: NonNull<sys::Module>,
    /// Kept while the engine points into it: the classic interpreter's code.
    _bytes: Option<Buffer>,
}

// SAFETY: a loaded module is read-only to WAMR (instances hold what changes); unloading happens once, in `drop`.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

/// One export of a module.
pub struct Export<'m> {
    /// Its name.
    pub name: &'m CStr,
    /// `"(params)results"` in letters i, I, f, F of a function; `None` for anything else.
    pub signature: Option<heapless::String<16>>,
    /// It is a memory.
    pub is_memory: bool,
}

impl Module {
    /// Load `range` of `bytes`: a Wasm or an AOT module, which WAMR tells apart by their magic numbers. If the engine has to
    /// keep them, they are kept where they are or, if they are in place, copied, at the budget's expense. (Native code is only
    /// read, and so taken from permanent memory as it is.)
    ///
    /// # Errors
    /// [`NotLoaded`]
    pub fn load(
        bytes: Body<'_, Buffer>,
        range: Range<usize>,
        kind: Kind,
        budget: &Arc<Budget>,
    ) -> Result<Self, NotLoaded> {
        let code = bytes.as_ref().get(range.clone()).unwrap_or_default();
        let size = u32::try_from(code.len()).unwrap_or(u32::MAX);
        // SAFETY: border.c: reads `size` bytes.
        let keeps_bytes = unsafe { sys::wamr_sys_keeps_bytes(code.as_ptr(), size) };
        let copied = || {
            let mut copy = Buffer::new(budget, code.len()).map_err(|OutOfMemory| NotLoaded::OutOfMemory)?;
            copy.as_mut().copy_from_slice(code);
            Ok((Body::Owned(copy), 0..code.len()))
        };
        let (mut bytes, range) = match bytes {
            Body::InPlace(_) if keeps_bytes => copied()?,
            // WAMR may write to a module.
            Body::Permanent(_) if kind == Kind::Wasm => copied()?,
            Body::Owned(mut buffer) if keeps_bytes => {
                // What follows the artifact (in a bundle, the portable module) is not kept with it.
                buffer.cut_off(range.end);
                (Body::Owned(buffer), range)
            }
            bytes => (bytes, range),
        };
        let code = match &mut bytes {
            Body::Permanent(bytes) => bytes.get(range).unwrap_or_default().as_ptr().cast_mut(),
            bytes => bytes
                .writable()
                .and_then(|bytes| bytes.get_mut(range))
                .unwrap_or_default()
                .as_mut_ptr(),
        };
        let mut error = ErrorText::new();
        let (error_text, error_size) = error.pointer_and_size();
        // SAFETY: border.c: `size` bytes at `code` are valid for reading and, but for native code in permanent memory, which
        // WAMR only reads, for writing during the call; they stay where they are, and are kept below, or for good, for as long
        // as WAMR points into them.
        let handle = unsafe { sys::wamr_sys_load(code, size, error_text, error_size) };
        let handle = NonNull::new(handle).ok_or_else(|| NotLoaded::Module(error.message()))?;
        let kept = match bytes {
            Body::Owned(buffer) if keeps_bytes => Some(buffer),
            _ => None,
        };
        Ok(Module { handle, _bytes: kept })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::Module {
        self.handle.as_ptr()
    }

    /// How many elements the tables of one instance may have in all.
    pub fn table_elements(&self) -> u64 {
        // SAFETY: border.c: asks a loaded module.
        unsafe { sys::wamr_sys_table_elements(self.as_ptr()) }
    }

    /// The module's exports, in its order.
    pub fn exports(&self) -> impl Iterator<Item = Export<'_>> {
        // SAFETY: wasm_export.h: asks a loaded module.
        let count = unsafe { sys::wasm_runtime_get_export_count(self.as_ptr()) };
        (0..count).filter_map(|index| self.export(index))
    }

    fn export(&self, index: i32) -> Option<Export<'_>> {
        let mut kind = -1;
        let mut text: [c_char; 17] = [0; 17];
        // SAFETY: border.c: `index` is below the count; writes a terminated text of at most 17 bytes.
        let name = unsafe { sys::wamr_sys_export(self.as_ptr(), index, &raw mut kind, text.as_mut_ptr(), 17) };
        let name = self.text(name)?;
        let signature = if kind == sys::KIND_FUNCTION {
            // SAFETY: terminated by the call above, within the array.
            let text = unsafe { CStr::from_ptr(text.as_ptr()) };
            heapless::String::try_from(text.to_str().ok()?).ok()
        } else {
            None
        };
        Some(Export {
            name,
            signature,
            is_memory: kind == sys::KIND_MEMORY,
        })
    }

    /// Names of the imports, each with the name of the module it is wanted from, and whether this runtime supplies it.
    pub fn imports(&self) -> impl Iterator<Item = (&CStr, &CStr, bool)> {
        // SAFETY: wasm_export.h: asks a loaded module.
        let count = unsafe { sys::wasm_runtime_get_import_count(self.as_ptr()) };
        (0..count).filter_map(|index| {
            let (mut module, mut kind, mut is_linked) = (ptr::null(), -1, false);
            // SAFETY: border.c: `index` is below the count; the three places are valid for writing.
            let name = unsafe {
                sys::wamr_sys_import(self.as_ptr(), index, &raw mut module, &raw mut kind, &raw mut is_linked)
            };
            Some((self.text(module)?, self.text(name)?, is_linked))
        })
    }

    /// A name that the module owns.
    fn text(&self, name: *const c_char) -> Option<&CStr> {
        if name.is_null() {
            return None;
        }
        // SAFETY: names of a loaded module are NUL-terminated and live as long as it does, which `self` outlives not.
        Some(unsafe { CStr::from_ptr(name) })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: wasm_export.h: the module is loaded, and no instance is left: each holds a reference to it.
        unsafe { sys::wasm_runtime_unload(self.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_takes_what_it_holds_of_the_budget() {
        let budget = Arc::new(Budget::new(1000));
        let Ok(mut buffer) = Buffer::new(&budget, 800) else {
            panic!("it fits")
        };
        assert_eq!(Buffer::new(&budget, 300).err(), Some(OutOfMemory));
        buffer.cut_off(100);
        assert_eq!(buffer.as_ref().len(), 100);
        assert!(Buffer::new(&budget, 300).is_ok(), "the rest was given back");
        drop(buffer);
        assert!(Buffer::new(&budget, 1000).is_ok());
    }

    #[test]
    fn what_the_allocator_has_not_is_an_error_and_costs_nothing() {
        let budget = Arc::new(Budget::new(usize::MAX));
        assert_eq!(Buffer::new(&budget, usize::MAX / 2 + 1).err(), Some(OutOfMemory));
        assert!(budget.take(usize::MAX).is_ok());
    }
}
