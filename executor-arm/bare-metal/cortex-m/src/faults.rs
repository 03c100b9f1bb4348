//! What a fault says of itself: [B3.2.15] and on.

use core::fmt;

use cortex_m::peripheral::SCB;
use cortex_m_rt::ExceptionFrame;

/// A hard fault, for the log.
#[derive(Debug)]
pub struct HardFault<'f>(pub &'f ExceptionFrame);

/// An exception or interrupt that nobody expects, by its number in the table of vectors ([B1.5.2]; interrupts from 0 on).
#[derive(Debug)]
pub struct Unexpected(pub i16);

/// The registers that tell of faults.
fn status() -> SCB {
    // SAFETY: they are only read.
    unsafe { cortex_m::Peripherals::steal() }.SCB
}

impl fmt::Display for HardFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (frame, status) = (self.0, status());
        write!(
            f,
            "fault at {:#010x}: CFSR {:#010x}, HFSR {:#010x}, MMFAR {:#010x}, BFAR {:#010x}, LR {:#010x}",
            frame.pc(),
            status.cfsr.read(),
            status.hfsr.read(),
            status.mmfar.read(),
            status.bfar.read(),
            frame.lr()
        )
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = status();
        write!(
            f,
            "exception {}: CFSR {:#010x}, MMFAR {:#010x}, BFAR {:#010x}",
            self.0,
            status.cfsr.read(),
            status.mmfar.read(),
            status.bfar.read()
        )
    }
}
