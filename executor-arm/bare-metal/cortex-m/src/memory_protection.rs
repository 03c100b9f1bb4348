//! The memory protection unit: memory is written or run, never both, and what a board does not list is not touched.
//!
//! Native code is a region of its own within a listed one: run, and, while a module is loaded, written instead. Between the two
//! the caches are put right, since the processor's are two that do not know of each other: what was written is cleaned from the
//! data cache, and what was run before is thrown out of the instruction cache.
//!
//! A region of a higher number wins. [B3.5]

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::MPU;

/// What may be done with memory, and how the processor goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The program, and what is baked into it: read, run.
    Program,
    /// Read, write.
    Data,
    /// Read and write past the cache: a device's own engine reads and writes it, too.
    Uncached,
    /// Registers: read, write, in order.
    Device,
}

/// A stretch of memory: its first address, its length, and what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Region(pub usize, pub usize, pub Use);

const READ_ONLY: u32 = 0b110 << 24;
const READ_WRITE: u32 = 0b011 << 24;
const NEVER_RUN: u32 = 1 << 28;
/// Normal memory, written back, allocated on read and write.
const CACHED: u32 = (0b001 << 19) | (1 << 17) | (1 << 16);
/// Normal memory, shared, not cached.
const UNCACHED: u32 = (0b001 << 19) | (1 << 18);
/// A device: shared, in order.
const DEVICE: u32 = 1 << 16;
const ENABLE: u32 = 1;

/// Native code. There are eight regions at least.
const CODE_REGION: u32 = 7;

static IS_ON: AtomicBool = AtomicBool::new(false);

impl Region {
    /// A mistake in a board's list ends its build: the unit takes a region for one of a power of two of bytes, which begins at a
    /// multiple of that.
    ///
    /// # Panics
    /// If it is not so.
    #[must_use]
    pub const fn checked<const N: usize>(regions: [Region; N]) -> [Region; N] {
        assert!(N <= CODE_REGION as usize, "one region is that of native code");
        let mut number = 0;
        while number < N {
            let Region(start, bytes, _) = regions[number];
            assert!(bytes.is_power_of_two() && bytes >= 32 && start.is_multiple_of(bytes));
            number += 1;
        }
        regions
    }
}

impl Use {
    fn attributes(self) -> u32 {
        match self {
            Use::Program => READ_ONLY | CACHED,
            Use::Data => READ_WRITE | NEVER_RUN | CACHED,
            Use::Uncached => READ_WRITE | NEVER_RUN | UNCACHED,
            Use::Device => READ_WRITE | NEVER_RUN | DEVICE,
        }
    }
}

/// The size of a region, in the words of RASR: it has 2^(n+1) bytes.
fn size(bytes: usize) -> u32 {
    (bytes.trailing_zeros() - 1) << 1
}

fn set(mpu: &mut MPU, number: u32, start: usize, bytes: usize, attributes: u32) {
    // SAFETY: selects a region.
    unsafe { mpu.rnr.write(number) };
    #[expect(clippy::cast_possible_truncation, reason = "32 bits of address")]
    // SAFETY: its start; the board's list says what lies there.
    unsafe {
        mpu.rbar.write(start as u32)
    };
    // SAFETY: its rights, by the same list.
    unsafe { mpu.rasr.write(attributes | size(bytes) | ENABLE) };
}

fn set_code(mpu: &mut MPU, (start, bytes): (usize, usize), is_writable: bool) {
    let of = if is_writable { Use::Data } else { Use::Program };
    set(mpu, CODE_REGION, start, bytes, of.attributes());
}

/// Switch it on. What it refuses is a hard fault. `code`: where native code lies, a power of two of bytes.
pub fn start(mpu: &mut MPU, regions: &[Region], code: (usize, usize)) {
    for (number, Region(start, bytes, of)) in (0..).zip(regions) {
        set(mpu, number, *start, *bytes, of.attributes());
    }
    set_code(mpu, code, false);
    dsb();
    // SAFETY: all that the program uses is listed; the private peripheral bus needs no region [B3.5.1]. In faults and NMI the
    // unit stays on.
    unsafe { mpu.ctrl.write(ENABLE | (1 << 1)) };
    dsb();
    isb();
    IS_ON.store(true, Ordering::Relaxed);
}

/// Change the rights of the region of native code.
pub fn code_is_writable(code: (usize, usize), is_writable: bool) {
    if !IS_ON.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: one thread; handlers leave the memory protection unit alone, and cleaning the cache twice does no harm.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    if !is_writable {
        // What was written reaches memory, and what was there before is not run.
        core.SCB.clean_dcache_by_address(code.0, code.1);
    }
    set_code(&mut core.MPU, code, is_writable);
    dsb();
    isb();
    if !is_writable {
        core.SCB.invalidate_icache();
    }
}
