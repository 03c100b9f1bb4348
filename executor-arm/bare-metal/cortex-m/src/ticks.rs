//! The system timer, whose interrupt is the executor's tick: [B3.3].

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

const TICKS_PER_SECOND: u32 = 100;

/// Let it count, without interrupts.
pub fn start(timer: &mut SYST, processor_hz: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(processor_hz / TICKS_PER_SECOND - 1);
    timer.clear_current();
    timer.enable_counter();
}

/// Let ticks come from now on.
pub fn enable() {
    // SAFETY: the crate's own type has no other way to share it; this is the one place that writes the register now.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    core.SYST.enable_interrupt();
}
