//! The consoles: two of the CMSDK's UARTs, written to and waited for.

use core::ptr;

use executor_bare_metal::board::Console;

const ERRORS: usize = 0x4000_4000;
const OUTPUT: usize = 0x4000_5000;

const DATA: usize = 0x0;
const STATE: usize = 0x4;
const CONTROL: usize = 0x8;
const BAUD_DIVISOR: usize = 0x10;

/// 25 MHz by 217: 115,207 baud.
const DIVISOR: u32 = 217;

const FULL: u32 = 1;
const SEND: u32 = 1;

fn register(base: usize, offset: usize) -> *mut u32 {
    ptr::with_exposed_provenance_mut(base + offset)
}

pub(crate) fn start() {
    for base in [ERRORS, OUTPUT] {
        // SAFETY: AN500: a register of a UART that only this module uses.
        unsafe { register(base, BAUD_DIVISOR).write_volatile(DIVISOR) };
        // SAFETY: as above.
        unsafe { register(base, CONTROL).write_volatile(SEND) };
    }
}

pub(crate) fn write(console: Console, bytes: &[u8]) {
    let base = match console {
        Console::Output => OUTPUT,
        Console::Errors => ERRORS,
    };
    for byte in bytes {
        // SAFETY: AN500: a register of a UART that only this module uses.
        while unsafe { register(base, STATE).read_volatile() } & FULL != 0 {}
        // SAFETY: as above.
        unsafe { register(base, DATA).write_volatile(u32::from(*byte)) };
    }
}
