//! The clock, sleep and reset: the Cortex-M7's own.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m_rt::exception;
use executor_bare_metal::Board;
use executor_bare_metal::board::Console;

use crate::{BOOT_RECORD, MACHINE, description, memory_protection, uart, watchdog};

/// AN500: the clock of the processor and its system timer.
pub(crate) const CLOCK_HZ: u32 = 25_000_000;
const TICKS_PER_SECOND: u32 = 100;
const CYCLES_PER_TICK: u32 = CLOCK_HZ / TICKS_PER_SECOND;

/// AN500: a counter of the FPGA's registers, which begins again after 2^32, and by how much its clock is divided.
const COUNTER: usize = 0x4002_8018;
const PRESCALE: usize = 0x4002_801c;

fn counter() -> u32 {
    let place: *const u32 = core::ptr::with_exposed_provenance(COUNTER);
    // SAFETY: AN500: a register that can be read at any time.
    unsafe { place.read_volatile() }
}

/// Let the counter count microseconds.
fn start_counter() {
    let place: *mut u32 = core::ptr::with_exposed_provenance_mut(PRESCALE);
    // SAFETY: AN500: a register that only this line writes.
    unsafe { place.write_volatile(CLOCK_HZ / 1_000_000 - 1) };
    let place: *mut u32 = core::ptr::with_exposed_provenance_mut(COUNTER);
    // SAFETY: as above.
    unsafe { place.write_volatile(0) };
}

/// What the Cortex-M7 of this board has beyond Armv7E-M, by `rustc`'s names.
pub(crate) const CPU_FEATURES: &[&str] = &["fp-armv8d16"];

/// AN500's interrupts that are used.
#[derive(Clone, Copy)]
enum Interrupt {
    Ethernet = 13,
}

// SAFETY: the number is that of AN500's table.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// The board.
pub(crate) struct Machine {
    /// The counter of microseconds at the last tick, and how often it had begun again by then. (Ticks are not counted: one that
    /// comes before the last was taken is lost, and under an emulator that happens.)
    last: AtomicU32,
    wraps: AtomicU32,
    /// The network device's interrupt has come, and is masked since.
    has_frame: AtomicBool,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Machine {
            last: AtomicU32::new(0),
            wraps: AtomicU32::new(0),
            has_frame: AtomicBool::new(false),
        }
    }

    /// Make everything ready but the timer's interrupt.
    pub(crate) fn start(&self, mut core: cortex_m::Peripherals) {
        uart::start();
        memory_protection::start(&mut core.MPU);
        core.SCB.enable_icache();
        core.SCB.enable_dcache(&mut core.CPUID);
        watchdog::start();
        start_counter();
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(CYCLES_PER_TICK - 1);
        core.SYST.clear_current();
        core.SYST.enable_counter();
    }

    /// Let ticks come from now on.
    pub(crate) fn enable_timer(&self) {
        // SAFETY: the crate's own type has no other way to share it; a single write to a register that only this line writes.
        let mut core = unsafe { cortex_m::Peripherals::steal() };
        core.SYST.enable_interrupt();
    }
}

impl Board for Machine {
    fn uptime_us(&self) -> u64 {
        loop {
            let (wraps, last) = (self.wraps.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
            let now = counter();
            // The timer's handler may have come in between.
            if self.last.load(Ordering::Relaxed) == last {
                let wraps = u64::from(wraps) + u64::from(now < last);
                return (wraps << 32) + u64::from(now);
            }
        }
    }

    fn write(&self, console: Console, bytes: &[u8]) {
        uart::write(console, bytes);
    }

    fn wait_for_interrupt(&self) {
        cortex_m::interrupt::disable();
        // Masked interrupts wake, too, when they become pending: none is slept over that has come since the last look.
        if !self.has_frame.load(Ordering::Relaxed) {
            // SAFETY: its handler masks it again, and does nothing else.
            unsafe { NVIC::unmask(Interrupt::Ethernet) };
            cortex_m::asm::wfi();
        }
        // SAFETY: they were enabled: this is called by the thread, outside of critical sections.
        unsafe { cortex_m::interrupt::enable() };
        cortex_m::asm::isb();
        // What has come will be seen by whoever polls now; what comes from here on is noted anew.
        self.has_frame.store(false, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { NVIC::unmask(Interrupt::Ethernet) };
    }

    fn feed_watchdog(&self) {
        watchdog::feed();
    }

    fn reset(&self) -> ! {
        SCB::sys_reset()
    }

    fn code_is_writable(&self, is_writable: bool) {
        memory_protection::code_is_writable(is_writable);
    }

    fn epoch_s(&self) -> Option<u64> {
        if !description::SEMIHOSTING {
            return None;
        }
        semihosting::sys::arm_compat::sys_time()
            .ok()
            .map(|seconds| seconds as u64)
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        description::SEMIHOSTING && semihosting::experimental::random::fill_bytes(bytes).is_ok()
    }
}

/// The numbers of the table that are not the processor's own.
pub(crate) fn interrupt(number: i16) -> bool {
    let is_ethernet = number == Interrupt::Ethernet as i16;
    if is_ethernet {
        NVIC::mask(Interrupt::Ethernet);
        MACHINE.has_frame.store(true, Ordering::Relaxed);
    }
    is_ethernet
}

#[exception]
fn SysTick() {
    let now = counter();
    if now < MACHINE.last.load(Ordering::Relaxed) {
        MACHINE.wraps.fetch_add(1, Ordering::Relaxed);
    }
    MACHINE.last.store(now, Ordering::Relaxed);
    executor_bare_metal::tick(&MACHINE, &BOOT_RECORD);
}
