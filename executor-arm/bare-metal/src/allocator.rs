//! The memory that Rust allocates: bodies, code while it is loaded, and the small pieces that belong to containers.
//!
//! Two pools (TLSF: constant time, blocks are resized where they lie). What may be large is asked for with `try_reserve`
//! (`executor-core` and its crates see to it), and gets an error if the large pool has no room: a 500 or 502. What is small is
//! asked for as if there always were memory; so it has a pool of its own, which no body can fill, and the large pool's room
//! beyond that. The containers' number bounds how many small pieces there are.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use rlsf::Tlsf;

use crate::board::Region;
use crate::one_core::Mutex;

/// Up to this size a piece is small.
const SMALL_MAX_BYTES: usize = 512;

/// The small pieces' pool.
const SMALL_POOL_BYTES: usize = 64 * 1024;

/// 24 classes of sizes from 16 bytes on: up to 256 MiB; each of 8 steps.
type Pool = Tlsf<'static, u32, u8, 24, 8>;

struct Allocator(Mutex<Pools>);

struct Pools {
    small: Pool,
    large: Pool,
    is_given: bool,
    /// What was asked for and not given back.
    taken_bytes: usize,
}

/// How much is allocated, in bytes.
pub(crate) fn taken_bytes() -> usize {
    ALLOCATOR.0.lock().taken_bytes
}

// SAFETY: the pools' memory is a static and a region that nobody else uses: it may be handed out from any context.
unsafe impl Send for Pools {}

#[cfg_attr(target_os = "none", global_allocator)]
static ALLOCATOR: Allocator = Allocator(Mutex::new(Pools {
    small: Pool::new(),
    large: Pool::new(),
    is_given: false,
    taken_bytes: 0,
}));

static mut SMALL_POOL: [MaybeUninit<u8>; SMALL_POOL_BYTES] = [MaybeUninit::uninit(); SMALL_POOL_BYTES];

/// Hand out this region from now on. Only the first call counts.
pub(crate) fn give(region: Region) {
    let mut pools = ALLOCATOR.0.lock();
    if core::mem::replace(&mut pools.is_given, true) {
        return;
    }
    let small = NonNull::slice_from_raw_parts(
        NonNull::new((&raw mut SMALL_POOL).cast()).unwrap_or(NonNull::dangling()),
        SMALL_POOL_BYTES,
    );
    // SAFETY: the static is named here only, and this line runs once.
    unsafe { pools.small.insert_free_block_ptr(small) };
    if let Some(start) = NonNull::new(region.start()) {
        let large = NonNull::slice_from_raw_parts(start, region.bytes());
        // SAFETY: a `Region` is nobody else's, and this line runs once.
        unsafe { pools.large.insert_free_block_ptr(large) };
    }
}

impl Pools {
    fn is_small(pointer: NonNull<u8>) -> bool {
        let start = (&raw const SMALL_POOL).addr();
        (start..start + SMALL_POOL_BYTES).contains(&pointer.addr().get())
    }

    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let small = (layout.size() <= SMALL_MAX_BYTES).then(|| self.small.allocate(layout));
        let block = small.flatten().or_else(|| self.large.allocate(layout))?;
        self.taken_bytes += layout.size();
        Some(block)
    }

    fn pool_of(&mut self, pointer: NonNull<u8>) -> &mut Pool {
        if Self::is_small(pointer) {
            &mut self.small
        } else {
            &mut self.large
        }
    }
}

// SAFETY: TLSF hands out blocks that do not overlap, of the layout that was asked for; the lock keeps two callers apart, of
// which there is one (interrupt handlers allocate nothing).
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            let mut pools = self.0.lock();
            // SAFETY: the caller's promise: a block of `alloc`, with its layout; the pool is the one that it came from.
            unsafe { pools.pool_of(pointer).deallocate(pointer, layout.align()) };
            pools.taken_bytes -= layout.size();
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (Some(old), Ok(new_layout)) = (NonNull::new(pointer), Layout::from_size_align(new_size, layout.align()))
        else {
            return null_mut();
        };
        let mut pools = self.0.lock();
        if !Pools::is_small(old) || new_size <= SMALL_MAX_BYTES {
            // SAFETY: the caller's promise: a block of `alloc`, with its layout; the pool is the one that it came from.
            let moved = unsafe { pools.pool_of(old).reallocate(old, new_layout) };
            if let Some(moved) = moved {
                pools.taken_bytes = pools.taken_bytes - layout.size() + new_size;
                return moved.as_ptr();
            }
            if !Pools::is_small(old) {
                return null_mut();
            }
        }
        // It has outgrown the small pool.
        let Some(new) = pools.large.allocate(new_layout) else {
            return null_mut();
        };
        // SAFETY: two blocks, each as long as the shorter layout at least.
        unsafe { new.copy_from_nonoverlapping(old, layout.size().min(new_size)) };
        // SAFETY: as above; its content has moved.
        unsafe { pools.small.deallocate(old, layout.align()) };
        pools.taken_bytes = pools.taken_bytes - layout.size() + new_size;
        new.as_ptr()
    }
}
