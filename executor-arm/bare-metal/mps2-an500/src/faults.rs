//! What nothing can go on from: it is told, noted for the next boot, and the board is reset.

use core::fmt;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::{BOOT_RECORD, MACHINE, machine};

pub(crate) fn give_up(why: fmt::Arguments<'_>) -> ! {
    BOOT_RECORD.give_up(&MACHINE, why)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    // SAFETY: reads registers that tell of faults.
    let core = unsafe { cortex_m::Peripherals::steal() };
    give_up(format_args!(
        "fault at {:#010x}: CFSR {:#010x}, HFSR {:#010x}, MMFAR {:#010x}, BFAR {:#010x}, LR {:#010x}",
        frame.pc(),
        core.SCB.cfsr.read(),
        core.SCB.hfsr.read(),
        core.SCB.mmfar.read(),
        core.SCB.bfar.read(),
        frame.lr()
    ))
}

/// Interrupts, and whatever else comes without being asked for.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if machine::interrupt(number) {
        return;
    }
    // SAFETY: reads registers that tell of faults.
    let core = unsafe { cortex_m::Peripherals::steal() };
    give_up(format_args!(
        "exception {number}: CFSR {:#010x}, MMFAR {:#010x}, BFAR {:#010x}",
        core.SCB.cfsr.read(),
        core.SCB.mmfar.read(),
        core.SCB.bfar.read()
    ))
}

/// The watchdog has run out once: the timer's interrupt has not come, or has fed it no more.
#[exception]
unsafe fn NonMaskableInt() {
    give_up(format_args!("the watchdog: no interrupt of the timer"));
}
