//! A heap for guests that live for one call: size classes over a bump pointer.
//!
//! After each run the executor puts the whole linear memory back, so most actions never need a freed byte again, and what
//! counts is code size (each KiB of it is loaded at every cold start) and few instructions. But a long-running action must
//! not explode either: a freed block goes to the list of its class and is the next one handed out there. Classes are
//! quarters of a power of two, so rounding up costs a block at most a quarter of its size. The block at the end of the heap
//! grows and shrinks in place, which is how `Vec` writes an answer without copying it.
//!
//! Invariants: every block starts at a multiple of [`BLOCK_ALIGN`] and spans its layout's [`Class`]; a block is in use, or on
//! its class's list, or beyond `next`; lists are not merged or split.

use core::alloc::Layout;
use core::ptr;

/// What a heap grows by.
pub trait Source {
    /// More memory: `wanted_bytes` if that is up to the source, and never nothing. If the new stretch starts where the old one
    /// ends, both are one.
    fn more(&mut self, wanted_bytes: usize) -> Option<Stretch>;
}

/// Memory that nobody else uses.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub start: *mut u8,
    pub bytes: usize,
}

/// Room for a link, and the alignment that most types are content with.
const BLOCK_ALIGN: usize = 8;
const SMALLEST_SHIFT: u32 = BLOCK_ALIGN.trailing_zeros();
/// Classes for the sizes that a 32-bit address space can hold: the index of `isize::MAX` plus one.
const CLASSES: usize = 4 * (28 - SMALLEST_SHIFT as usize) + 8;

/// A size that blocks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    index: usize,
    bytes: usize,
}

impl Class {
    /// The smallest class that holds `size` bytes: steps of 8 up to 64, then four steps to each power of two.
    fn of(size: usize) -> Option<Self> {
        let last = size.saturating_sub(1);
        let shift = (usize::BITS - last.leading_zeros())
            .saturating_sub(3)
            .max(SMALLEST_SHIFT);
        let step = last >> shift;
        let bytes = (step + 1).checked_shl(shift)?;
        let index = 4 * (shift - SMALLEST_SHIFT) as usize + step;
        (index < CLASSES).then_some(Self { index, bytes })
    }
}

/// The heap's state.
pub struct Heap<S> {
    source: S,
    next: *mut u8,
    room: usize,
    free: [*mut u8; CLASSES],
}

impl<S> Heap<S> {
    pub const fn new(source: S) -> Self {
        Self {
            source,
            next: ptr::null_mut(),
            room: 0,
            free: [ptr::null_mut(); CLASSES],
        }
    }
}

impl<S: Source> Heap<S> {
    /// A block for `layout`, or null.
    pub fn allocate(&mut self, layout: Layout) -> *mut u8 {
        let Some(class) = Class::of(layout.size()) else {
            return ptr::null_mut();
        };
        let Some(head) = self.free.get_mut(class.index) else {
            return ptr::null_mut();
        };
        // A block that an unusual alignment does not fit stays for the next one.
        if !head.is_null() && head.addr().is_multiple_of(layout.align()) {
            let block = *head;
            // SAFETY: a block on a list is not in use, is aligned for a pointer, and starts with the link to the next.
            *head = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        self.bump(class, layout.align())
    }

    fn bump(&mut self, class: Class, align: usize) -> *mut u8 {
        let align = align.max(BLOCK_ALIGN);
        loop {
            let padding = self.next.addr().wrapping_neg() & (align - 1);
            let Some(taken) = padding.checked_add(class.bytes) else {
                return ptr::null_mut();
            };
            if taken <= self.room {
                let block = self.next.wrapping_add(padding);
                self.advance(taken);
                return block;
            }
            if !self.extend(taken - self.room) {
                return ptr::null_mut();
            }
        }
    }

    /// Put a block back.
    ///
    /// # Safety
    /// `block` is in use and was allocated for `layout`.
    pub unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        let Some(class) = Class::of(layout.size()) else { return };
        if block.wrapping_add(class.bytes) == self.next {
            self.next = block;
            self.room += class.bytes;
        } else if let Some(head) = self.free.get_mut(class.index) {
            // SAFETY: the block is ours again, aligned for a pointer, and no class is smaller than one.
            unsafe { block.cast::<*mut u8>().write(*head) };
            *head = block;
        }
    }

    /// Resize a block where it lies. `false`: it has to move; nothing has changed.
    ///
    /// # Safety
    /// As for [`Self::free`].
    pub unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> bool {
        let (Some(old), Some(new)) = (Class::of(layout.size()), Class::of(size)) else {
            return false;
        };
        if old == new {
            return true;
        }
        while block.wrapping_add(old.bytes) == self.next {
            let room = old.bytes + self.room;
            if new.bytes <= room {
                self.next = block.wrapping_add(new.bytes);
                self.room = room - new.bytes;
                return true;
            }
            if !self.extend(new.bytes - room) {
                break;
            }
        }
        false
    }

    fn advance(&mut self, bytes: usize) {
        self.next = self.next.wrapping_add(bytes);
        self.room -= bytes;
    }

    /// Ask the source. What is left of a stretch that does not go on is given up.
    fn extend(&mut self, wanted_bytes: usize) -> bool {
        let Some(more) = self.source.more(wanted_bytes) else {
            return false;
        };
        if self.next.wrapping_add(self.room) == more.start {
            self.room += more.bytes;
        } else {
            self.next = more.start;
            self.room = more.bytes;
        }
        true
    }
}

#[cfg(test)]
mod tests;
