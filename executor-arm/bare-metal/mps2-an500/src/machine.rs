//! The clock, sleep and reset: the Cortex-M7's own.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
use executor_bare_metal::Board;
use executor_bare_metal::board::Console;
use executor_cortex_m::clock::Clock;
use executor_cortex_m::memory_protection::{self, Region, Use};
use executor_cortex_m::{reset, ticks};

use crate::{BOOT_RECORD, ETHERNET, MACHINE, description, uart, watchdog};

/// AN500: the clock of the processor and its system timer.
pub(crate) const CLOCK_HZ: u32 = 25_000_000;

/// AN500: where guests and bodies lie, and peripherals.
const PSRAM: Region = Region(0x6000_0000, 16 << 20, Use::Data);
const PERIPHERALS: Region = Region(0x4000_0000, 0x2000_0000, Use::Device);

const REGIONS: [Region; 5] = Region::checked([
    Region(description::FLASH.0, description::FLASH.1, Use::Program),
    Region(description::RAM.0, description::RAM.1, Use::Data),
    PSRAM,
    PERIPHERALS,
    Region(ETHERNET, 0x10_0000, Use::Device),
]);

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
    clock: Clock,
    /// The network device's interrupt has come, and is masked since.
    has_frame: AtomicBool,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Machine {
            clock: Clock::new(counter),
            has_frame: AtomicBool::new(false),
        }
    }

    /// Make everything ready but the timer's interrupt.
    pub(crate) fn start(&self, mut core: cortex_m::Peripherals) {
        uart::start();
        memory_protection::start(&mut core.MPU, &REGIONS, description::CODE);
        core.SCB.enable_icache();
        core.SCB.enable_dcache(&mut core.CPUID);
        watchdog::start();
        start_counter();
        ticks::start(&mut core.SYST, CLOCK_HZ);
    }

    /// Let ticks come from now on.
    pub(crate) fn enable_timer(&self) {
        ticks::enable();
    }
}

impl Board for Machine {
    fn uptime_us(&self) -> u64 {
        self.clock.uptime_us()
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
        reset::reset(&BOOT_RECORD)
    }

    fn code_is_writable(&self, is_writable: bool) {
        memory_protection::code_is_writable(description::CODE, is_writable);
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
    MACHINE.clock.tick();
    executor_bare_metal::tick(&MACHINE, &BOOT_RECORD);
    reset::keep(&BOOT_RECORD);
}
