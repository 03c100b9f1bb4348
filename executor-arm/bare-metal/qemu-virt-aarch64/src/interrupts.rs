//! The interrupt controller: a GICv2 without security extensions, with two groups. Group 1 is signalled as IRQ; group 0, which
//! holds the watchdog's interrupt alone, as FIQ.
//!
//! Source: IHI 0048, chapters 4.3 and 4.4.

use crate::registers::Device;

// SAFETY: `virt`: the distributor lies there, which only this module uses.
const DISTRIBUTOR: Device = unsafe { Device::at(0x0800_0000) };
// SAFETY: `virt`: the processor's interface lies there, likewise.
const INTERFACE: Device = unsafe { Device::at(0x0801_0000) };

const CONTROL: usize = 0x000;
const GROUPS: usize = 0x080;
const SET_ENABLE: usize = 0x100;
const PRIORITIES: usize = 0x400;
const TARGETS: usize = 0x800;

const PRIORITY_MASK: usize = 0x04;
const ACKNOWLEDGE: usize = 0x0c;
const END: usize = 0x10;
/// Which priorities are being handled: four registers for group 0, four for group 1.
const ACTIVE_PRIORITIES: usize = 0xd0;

const BOTH_GROUPS: u32 = 0b11;
/// One pair of registers acknowledges and ends both groups' interrupts: QEMU lacks group 1's own.
const ACKNOWLEDGE_BOTH: u32 = 1 << 2;
const GROUP_0_IS_FIQ: u32 = 1 << 3;

/// The physical timer of EL1.
pub(crate) const WATCHDOG: u32 = 30;
/// The virtual timer of EL1.
pub(crate) const TIMER: u32 = 27;
/// The first of the 32 virtio transports.
pub(crate) const VIRTIO: u32 = 32 + 16;

/// Numbers that are none: nothing is pending.
const SPURIOUS: u32 = 1020;

/// 288 interrupts: those of one processor, and `virt`'s 256.
const COUNT: usize = 288;

/// Switch it on, with the timers' interrupts enabled.
pub(crate) fn start() {
    DISTRIBUTOR.write(CONTROL, 0);
    for offset in (0..COUNT / 8).step_by(4) {
        DISTRIBUTOR.write(GROUPS + offset, u32::MAX);
    }
    DISTRIBUTOR.write(GROUPS, !(1 << WATCHDOG));
    for offset in (0..COUNT).step_by(4) {
        DISTRIBUTOR.write(PRIORITIES + offset, 0x8080_8080);
    }
    // 28 to 31: the watchdog's before all others.
    DISTRIBUTOR.write(PRIORITIES + 28, 0x8000_8080);
    for offset in (32..COUNT).step_by(4) {
        DISTRIBUTOR.write(TARGETS + offset, 0x0101_0101);
    }
    enable(TIMER);
    enable(WATCHDOG);
    // A reset in the middle of a handler may have left its priority there, which would mask all others.
    for offset in (0..32).step_by(4) {
        INTERFACE.write(ACTIVE_PRIORITIES + offset, 0);
    }
    INTERFACE.write(PRIORITY_MASK, 0xff);
    INTERFACE.write(CONTROL, BOTH_GROUPS | ACKNOWLEDGE_BOTH | GROUP_0_IS_FIQ);
    DISTRIBUTOR.write(CONTROL, BOTH_GROUPS);
}

pub(crate) fn enable(number: u32) {
    DISTRIBUTOR.write(SET_ENABLE + (number / 32) as usize * 4, 1 << (number % 32));
}

/// Handle the most urgent interrupt that is pending. Whether there was one.
pub(crate) fn take(handle: impl FnOnce(u32)) -> bool {
    let word = INTERFACE.read(ACKNOWLEDGE);
    let number = word & 0x3ff;
    if number >= SPURIOUS {
        return false;
    }
    handle(number);
    INTERFACE.write(END, word);
    true
}
