//! What nothing can go on from: it is told, noted for the next boot, and the board is reset.

use core::fmt;

use cortex_m_rt::{ExceptionFrame, exception};
use executor_cortex_m::faults::{HardFault, Unexpected};

use crate::{BOOT_RECORD, MACHINE};

pub(crate) fn give_up(why: fmt::Arguments<'_>) -> ! {
    BOOT_RECORD.give_up(&MACHINE, why)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    give_up(format_args!("{}", HardFault(frame)))
}

/// Whatever comes without being asked for.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    give_up(format_args!("{}", Unexpected(number)))
}
