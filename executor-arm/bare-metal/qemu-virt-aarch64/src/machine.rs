//! The clock, sleep, interrupts and reset: the processor's own.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use executor_bare_metal::Board;
use executor_bare_metal::board::Console;

use crate::registers::{Device, instruction, read, write};
use crate::virtio::{self, Devices};
use crate::{BOOT_RECORD, MACHINE, interrupts, translation, uart, watchdog};

const TICKS_PER_SECOND: u64 = 100;

/// What the Cortex-A72 has beyond Armv8-A, by `rustc`'s names.
pub(crate) const CPU_FEATURES: &[&str] = &["aes", "crc", "neon", "sha2"];

// SAFETY: `virt`: a PL031 lies there, which is only read.
const CLOCK: Device = unsafe { Device::at(0x0901_0000) };

/// The board.
pub(crate) struct Machine {
    /// The counter at the start: it goes on counting through a reset.
    start: AtomicU64,
    /// Counts in a second.
    frequency: AtomicU64,
    /// The network device's interrupt; 0: it is not known yet.
    network: AtomicU32,
    /// It has come.
    has_frame: AtomicBool,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Machine {
            start: AtomicU64::new(0),
            frequency: AtomicU64::new(1),
            network: AtomicU32::new(0),
            has_frame: AtomicBool::new(false),
        }
    }

    /// Make everything ready but the timer's interrupt.
    pub(crate) fn start(&self, devices: &Devices) {
        self.start.store(read!("cntvct_el0"), Ordering::Relaxed);
        self.frequency
            .store(read!("cntfrq_el0").max(TICKS_PER_SECOND), Ordering::Relaxed);
        interrupts::start();
        if devices.ethernet.is_some() {
            self.network.store(devices.ethernet_interrupt, Ordering::Relaxed);
            interrupts::enable(devices.ethernet_interrupt);
        }
        watchdog::start();
        // The watchdog's interrupt.
        instruction!("msr daifclr, #1");
    }

    /// Let ticks come from now on.
    pub(crate) fn enable_timer(&self) {
        write!("cntv_cval_el0", read!("cntvct_el0"));
        write!("cntv_ctl_el0", 1);
        instruction!("msr daifclr, #2");
    }

    /// The timer's interrupt.
    fn tick(&self) {
        let period = self.frequency.load(Ordering::Relaxed) / TICKS_PER_SECOND;
        let now = read!("cntvct_el0");
        // A tick that has been missed is not made up for.
        let next = (read!("cntv_cval_el0") + period).max(now + period / 2);
        write!("cntv_cval_el0", next);
        executor_bare_metal::tick(self, &BOOT_RECORD);
    }
}

impl Board for Machine {
    fn uptime_us(&self) -> u64 {
        instruction!("isb");
        let counts = read!("cntvct_el0").saturating_sub(self.start.load(Ordering::Relaxed));
        let frequency = self.frequency.load(Ordering::Relaxed);
        counts / frequency * 1_000_000 + counts % frequency * 1_000_000 / frequency
    }

    fn write(&self, console: Console, bytes: &[u8]) {
        if console == Console::Errors || !virtio::write_output(bytes) {
            uart::write(bytes);
        }
    }

    fn wait_for_interrupt(&self) {
        instruction!("msr daifset, #2");
        // Masked interrupts wake, too, when they become pending: none is slept over that has come since the last look.
        if !self.has_frame.load(Ordering::Relaxed) {
            instruction!("dsb sy", "wfi");
        }
        instruction!("msr daifclr, #2", "isb");
        // What has come will be seen by whoever polls now; what comes from here on is noted anew.
        self.has_frame.store(false, Ordering::Relaxed);
    }

    fn feed_watchdog(&self) {
        watchdog::feed();
    }

    fn reset(&self) -> ! {
        reset()
    }

    fn code_is_writable(&self, is_writable: bool) {
        translation::code_is_writable(is_writable);
    }

    fn epoch_s(&self) -> Option<u64> {
        Some(u64::from(CLOCK.read(0)))
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        virtio::random(bytes)
    }
}

/// IRQ.
pub(crate) extern "C" fn interrupt() {
    // The watchdog sees a handler that does not end.
    instruction!("msr daifclr, #1");
    while interrupts::take(|number| {
        if number == interrupts::TIMER {
            MACHINE.tick();
        } else if number == interrupts::WATCHDOG {
            watchdog::bark();
        } else if number == MACHINE.network.load(Ordering::Relaxed) {
            virtio::acknowledge(number);
            MACHINE.has_frame.store(true, Ordering::Relaxed);
        }
    }) {}
}

/// FIQ. It comes where IRQ is masked, too: no other interrupt than the watchdog's is handled.
pub(crate) extern "C" fn fast_interrupt() {
    interrupts::take(|number| {
        if number == interrupts::WATCHDOG {
            watchdog::bark();
        }
    });
}

/// PSCI's SYSTEM_RESET.
pub(crate) fn reset() -> ! {
    const SYSTEM_RESET: u64 = 0x8400_0009;

    let record = (&raw const BOOT_RECORD).addr();
    for line in (record..record + size_of_val(&BOOT_RECORD)).step_by(16) {
        // SAFETY: cleans what this program has written: the next boot reads it from memory.
        unsafe { asm!("dc civac, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    instruction!("dsb sy");
    loop {
        // SAFETY: PSCI: it does not return; if nobody answers, the loop waits for the watchdog.
        unsafe { asm!("hvc #0", in("x0") SYSTEM_RESET, options(nostack)) };
    }
}
