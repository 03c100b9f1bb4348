//! What nothing can go on from: it is told, noted for the next boot, and the board is reset.

use core::fmt;

use cortex_m_rt::{ExceptionFrame, exception};
use executor_cortex_m::faults::{HardFault, Unexpected};

use crate::{BOOT_RECORD, MACHINE, machine};

pub(crate) fn give_up(why: fmt::Arguments<'_>) -> ! {
    BOOT_RECORD.give_up(&MACHINE, why)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    give_up(format_args!("{}", HardFault(frame)))
}

/// Interrupts, and whatever else comes without being asked for.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if !machine::interrupt(number) {
        give_up(format_args!("{}", Unexpected(number)))
    }
}

/// The watchdog has run out once: the timer's interrupt has not come, or has fed it no more.
#[exception]
unsafe fn NonMaskableInt() {
    give_up(format_args!("the watchdog: no interrupt of the timer"));
}
