//! The CMSDK's watchdog: a counter that resets the board when it has run out twice. In between there is a non-maskable
//! interrupt, in which the cause can be noted.

use core::ptr;

use crate::machine::CLOCK_HZ;

const BASE: usize = 0x4000_8000;
const LOAD: usize = 0x000;
const CONTROL: usize = 0x008;
const CLEAR: usize = 0x00c;
const LOCK: usize = 0xc00;

const UNLOCKED: u32 = 0x1acc_e551;
/// Count, and reset when it has run out twice.
const ENABLE: u32 = 0b11;

/// Twice this without being fed, and the board is reset.
const PERIOD_S: u32 = 2;

fn write(offset: usize, value: u32) {
    let place: *mut u32 = ptr::with_exposed_provenance_mut(BASE + offset);
    // SAFETY: AN500: a register of the watchdog, which only this module uses.
    unsafe { place.write_volatile(value) };
}

pub(crate) fn start() {
    write(LOCK, UNLOCKED);
    write(LOAD, CLOCK_HZ * PERIOD_S);
    write(CONTROL, ENABLE);
    // Whatever else goes wrong does not write here.
    write(LOCK, 0);
}

/// Begin a new period.
pub(crate) fn feed() {
    write(LOCK, UNLOCKED);
    write(CLEAR, 1);
    write(LOCK, 0);
}
