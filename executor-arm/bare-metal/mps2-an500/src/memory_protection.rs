//! The memory protection unit: memory is written or run, never both, and what is not listed here is not touched.
//!
//! | region | what | rights |
//! | --- | --- | --- |
//! | 0 | flash: the program, and what is baked into it | read, run |
//! | 1 | static memory and stacks | read, write |
//! | 2 | memory for guests | read, write |
//! | 3 | in it: native code | read, run; while a module is loaded, read, write |
//! | 4 | peripherals | read, write, as a device |
//! | 5 | Ethernet | read, write, as a device |
//!
//! A region of a higher number wins. Source: Armv7-M Architecture Reference Manual, B3.5.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::MPU;

use crate::{ETHERNET, description};

const READ_ONLY: u32 = 0b110 << 24;
const READ_WRITE: u32 = 0b011 << 24;
const NEVER_RUN: u32 = 1 << 28;
/// Normal memory, written back, allocated on read and write.
const CACHED: u32 = (0b001 << 19) | (1 << 17) | (1 << 16);
/// A device: shared, in order.
const DEVICE: u32 = 1 << 16;
const ENABLE: u32 = 1;

const CODE_REGION: u32 = 3;

static IS_ON: AtomicBool = AtomicBool::new(false);

/// The size of a region, in the words of RASR: it has 2^(n+1) bytes.
fn size(bytes: usize) -> u32 {
    (bytes.next_power_of_two().trailing_zeros() - 1) << 1
}

fn set(mpu: &mut MPU, number: u32, start: usize, attributes: u32) {
    // SAFETY: selects a region.
    unsafe { mpu.rnr.write(number) };
    #[expect(clippy::cast_possible_truncation, reason = "32 bits of address")]
    // SAFETY: its start; the caller's list says what lies there.
    unsafe {
        mpu.rbar.write(start as u32)
    };
    // SAFETY: its rights, by the same list.
    unsafe { mpu.rasr.write(attributes | ENABLE) };
}

fn code_rights(is_writable: bool) -> u32 {
    let rights = if is_writable { READ_WRITE | NEVER_RUN } else { READ_ONLY };
    rights | CACHED | size(description::CODE.1)
}

/// Switch it on. What it refuses is a hard fault.
pub(crate) fn start(mpu: &mut MPU) {
    let (flash, ram, guests) = (description::FLASH, description::RAM, description::GUESTS);
    set(mpu, 0, flash.0, READ_ONLY | CACHED | size(flash.1));
    set(mpu, 1, ram.0, READ_WRITE | NEVER_RUN | CACHED | size(ram.1));
    set(mpu, 2, guests.0, READ_WRITE | NEVER_RUN | CACHED | size(guests.1));
    set(mpu, CODE_REGION, description::CODE.0, code_rights(false));
    set(mpu, 4, 0x4000_0000, READ_WRITE | NEVER_RUN | DEVICE | size(0x2000_0000));
    set(mpu, 5, ETHERNET, READ_WRITE | NEVER_RUN | DEVICE | size(0x10_0000));
    dsb();
    // SAFETY: all that the program uses is listed; the private peripheral bus needs no region (B3.5.1). In faults and NMI the
    // unit stays on.
    unsafe { mpu.ctrl.write(ENABLE | (1 << 1)) };
    dsb();
    isb();
    IS_ON.store(true, Ordering::Relaxed);
}

/// Change the rights of the region of native code.
pub(crate) fn code_is_writable(is_writable: bool) {
    if !IS_ON.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: one thread; the handlers use none of these peripherals.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    let (start, bytes) = description::CODE;
    if !is_writable {
        // What was written reaches memory, and what was there before is not run.
        core.SCB.clean_dcache_by_address(start, bytes);
    }
    set(&mut core.MPU, CODE_REGION, start, code_rights(is_writable));
    dsb();
    isb();
    if !is_writable {
        core.SCB.invalidate_icache();
    }
}
