//! The one console: USART3, which the ST-LINK passes on as a serial port of its USB. It is written to and waited for, by handlers,
//! too: so registers are written here, and nothing is locked.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_stm32::pac::USART3;
use embassy_stm32::usart::{Config, UartTx};
use embassy_stm32::{Peri, peripherals};

/// So that the log of a run keeps nobody waiting for long: some 90 bytes in a millisecond.
const BAUD: u32 = 921_600;

/// What is written before the port has a clock goes nowhere, and must not be waited for.
static IS_STARTED: AtomicBool = AtomicBool::new(false);

/// Start the port.
pub(crate) fn start(port: Peri<'static, peripherals::USART3>, pin: Peri<'static, peripherals::PD8>) {
    let mut config = Config::default();
    config.baudrate = BAUD;
    if let Ok(uart) = UartTx::new_blocking(port, pin, config) {
        // It stays as it is for good: dropped, it would be switched off.
        core::mem::forget(uart);
        IS_STARTED.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn write(bytes: &[u8]) {
    if !IS_STARTED.load(Ordering::Relaxed) {
        return;
    }
    for byte in bytes {
        while !USART3.isr().read().txe() {}
        USART3.tdr().write(|word| word.set_dr(u16::from(*byte)));
    }
}

/// Wait until the last byte has left.
pub(crate) fn flush() {
    while IS_STARTED.load(Ordering::Relaxed) && !USART3.isr().read().tc() {
        core::hint::spin_loop();
    }
}
