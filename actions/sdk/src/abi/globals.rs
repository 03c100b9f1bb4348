//! What a crate without std lacks on the lean ABI: a global allocator and a panic handler.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::UnsafeCell;
use core::ptr;

use super::heap::{Heap, Source, Stretch};

#[cfg(target_feature = "atomics")]
compile_error!("the allocator is for guests of one thread");

const PAGE_BYTES: usize = 64 * 1024;

unsafe extern "C" {
    /// The linker's: the first address after the stack and the data. Its address counts, it has no value.
    static __heap_base: u8;
}

/// Linear memory: first what is left of the pages that the linker asked for, then `memory.grow`.
struct LinearMemory {
    started: bool,
}

impl Source for LinearMemory {
    fn more(&mut self, wanted_bytes: usize) -> Option<Stretch> {
        let pages = wasm32::memory_size::<0>();
        if !self.started {
            self.started = true;
            let start = (&raw const __heap_base).addr();
            let bytes = pages.checked_mul(PAGE_BYTES)?.saturating_sub(start);
            if bytes > 0 {
                return Some(Stretch {
                    start: ptr::with_exposed_provenance_mut(start),
                    bytes,
                });
            }
        }
        // An engine may have to copy the memory to enlarge it: do it seldom. Where that is too much, take what is needed.
        let needed = wanted_bytes.div_ceil(PAGE_BYTES);
        [needed.max(pages / 4), needed].into_iter().find_map(|more_pages| {
            let old_pages = wasm32::memory_grow::<0>(more_pages);
            let start = old_pages.checked_mul(PAGE_BYTES)?; // `usize::MAX`: refused
            Some(Stretch {
                start: ptr::with_exposed_provenance_mut(start),
                bytes: more_pages.checked_mul(PAGE_BYTES)?,
            })
        })
    }
}

struct Global(UnsafeCell<Heap<LinearMemory>>);

// SAFETY: a guest without the atomics feature has one thread.
unsafe impl Sync for Global {}

// SAFETY: the heap gives blocks that are aligned, as large as asked, and nobody else's until they are freed.
unsafe impl GlobalAlloc for Global {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and the heap calls nothing that allocates: this is the only reference.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise is the same.
        unsafe { heap.free(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise is the same.
        if unsafe { heap.resize(block, layout, size) } {
            return block;
        }
        let Ok(new_layout) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        let moved = heap.allocate(new_layout);
        if !moved.is_null() {
            // SAFETY: both blocks are in use, differ, and hold at least the smaller of both sizes.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            // SAFETY: the caller's promise; the block is not used again.
            unsafe { heap.free(block, layout) };
        }
        moved
    }
}

#[cfg(feature = "allocator")]
#[global_allocator]
static GLOBAL: Global = Global(UnsafeCell::new(Heap::new(LinearMemory { started: false })));

/// There is nobody to tell: the lean ABI has no log. `unreachable` is the trap that the executor reports.
#[cfg(feature = "panic-handler")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
