//! The console of errors: a PL011, written to and waited for.

use crate::registers::Device;

// SAFETY: `virt`: a PL011 lies there, which only this module uses.
const UART: Device = unsafe { Device::at(0x0900_0000) };

const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const BAUD_WHOLE: usize = 0x24;
const BAUD_FRACTION: usize = 0x28;
const LINE: usize = 0x2c;
const CONTROL: usize = 0x30;

const FULL: u32 = 1 << 5;
/// Words of 8 bits, FIFOs.
const WORDS_OF_8: u32 = (0b11 << 5) | (1 << 4);
/// Enabled, for sending.
const SEND: u32 = (1 << 8) | 1;

pub(crate) fn start() {
    UART.write(CONTROL, 0);
    // 24 MHz by 16 by (13 + 1/64): 115,200 baud.
    UART.write(BAUD_WHOLE, 13);
    UART.write(BAUD_FRACTION, 1);
    UART.write(LINE, WORDS_OF_8);
    UART.write(CONTROL, SEND);
}

pub(crate) fn write(bytes: &[u8]) {
    for byte in bytes {
        while UART.read(FLAGS) & FULL != 0 {}
        UART.write(DATA, u32::from(*byte));
    }
}
