//! The clocks, sleep, random numbers, watchdog and reset.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_stm32::interrupt::typelevel::{self, Handler};
use embassy_stm32::pac::iwdg::vals::Key;
use embassy_stm32::pac::{DBGMCU, IWDG1, RCC, TIM5};
use embassy_stm32::peripherals::{self, RNG};
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::time::Hertz;
use embassy_stm32::timer::low_level::Timer;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Config, Peri, bind_interrupts, eth, rcc};
use executor_bare_metal::Board;
use executor_bare_metal::board::Console;
use executor_bare_metal::one_core::Mutex;
use executor_cortex_m::clock::Clock;
use executor_cortex_m::{memory_protection, reset, ticks};

use crate::ethernet::Wires;
use crate::{BOOT_RECORD, MACHINE, console, description, memory};

/// 64 MHz of the chip's own oscillator, by 4, times 50, by 2. (No jumper has to be right for that; Ethernet's clock is the
/// transceiver's.) All chips of this kind have it, at the second of their voltages.
const PROCESSOR_HZ: u32 = 400_000_000;

/// Without being fed for so long, the board is reset. A boot does not feed it: it waits some 3 s for a transceiver that does not
/// answer, and 4 for the other side of its cable.
const WATCHDOG_US: u32 = 8_000_000;

bind_interrupts!(pub(crate) struct Interrupts {
    ETH => eth::InterruptHandler, NoteFrame;
    RNG => rng::InterruptHandler<RNG>;
});

/// Beside the driver's own handler: what has come is not slept over.
pub(crate) struct NoteFrame;

impl Handler<typelevel::ETH> for NoteFrame {
    unsafe fn on_interrupt() {
        MACHINE.has_frame.store(true, Ordering::Relaxed);
    }
}

/// The board.
pub(crate) struct Machine {
    clock: Clock,
    /// The network device's interrupt has come.
    has_frame: AtomicBool,
    random: Mutex<Option<Rng<'static, RNG>>>,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Machine {
            clock: Clock::new(|| TIM5.cnt().read()),
            has_frame: AtomicBool::new(false),
            random: Mutex::new(None),
        }
    }

    /// Make everything ready but the timer's interrupt; what leads to the network is left.
    pub(crate) fn start(&self, mut core: cortex_m::Peripherals) -> Wires {
        let chip = embassy_stm32::init(clocks());
        console::start(chip.USART3, chip.PD8);
        note_watchdog();
        start_watchdog(chip.IWDG1);
        memory::switch_on();
        memory_protection::start(&mut core.MPU, &memory::REGIONS, description::CODE);
        core.SCB.enable_icache();
        core.SCB.enable_dcache(&mut core.CPUID);
        start_counter(chip.TIM5);
        ticks::start(&mut core.SYST, PROCESSOR_HZ);
        *self.random.lock() = Some(Rng::new(chip.RNG, Interrupts));
        Wires {
            controller: chip.ETH,
            management: chip.ETH_SMA,
            reference_clock: chip.PA1,
            management_data: chip.PA2,
            carrier: chip.PA7,
            send_1: chip.PB13,
            management_clock: chip.PC1,
            receive_0: chip.PC4,
            receive_1: chip.PC5,
            send_enable: chip.PG11,
            send_0: chip.PG13,
        }
    }

    /// Let ticks come from now on.
    pub(crate) fn enable_timer(&self) {
        ticks::enable();
    }
}

/// The processor at 400 MHz, buses at 200 and 100.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.pll1 = Some(rcc::Pll {
        source: rcc::PllSource::HSI,
        prediv: rcc::PllPreDiv::DIV4,
        mul: rcc::PllMul::MUL50,
        fracn: None,
        divp: Some(rcc::PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = rcc::Sysclk::PLL1_P;
    config.rcc.ahb_pre = rcc::AHBPrescaler::DIV2;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb2_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb3_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb4_pre = rcc::APBPrescaler::DIV2;
    config.rcc.voltage_scale = rcc::VoltageScale::Scale1;
    config
}

/// The watchdog resets the board without a word: where nothing was noted before, this is.
fn note_watchdog() {
    if RCC.rsr().read().iwdg1rstf() {
        BOOT_RECORD.note(format_args!(
            "the watchdog: no interrupt of the timer, or no clock from the Ethernet's transceiver"
        ));
    }
    RCC.rsr().modify(|flags| flags.set_rmvf(true));
}

fn start_watchdog(watchdog: Peri<'static, peripherals::IWDG1>) {
    // It stands still where a debugger stops the processor.
    DBGMCU.apb4fzr1().modify(|stopped| stopped.set_iwdg1(true));
    IndependentWatchdog::new(watchdog, WATCHDOG_US).unleash();
}

/// Let TIM5, which has 32 bits, count microseconds.
fn start_counter(counter: Peri<'static, peripherals::TIM5>) {
    let mut timer = Timer::new(counter);
    timer.set_tick_freq(Hertz(1_000_000));
    timer.start();
    // It counts for good: dropped, it would be switched off.
    core::mem::forget(timer);
}

impl Board for Machine {
    fn uptime_us(&self) -> u64 {
        self.clock.uptime_us()
    }

    fn write(&self, _: Console, bytes: &[u8]) {
        console::write(bytes);
    }

    fn wait_for_interrupt(&self) {
        cortex_m::interrupt::disable();
        // Masked interrupts wake, too, when they become pending: none is slept over that has come since the last look.
        if !self.has_frame.load(Ordering::Relaxed) {
            cortex_m::asm::dsb();
            cortex_m::asm::wfi();
        }
        // SAFETY: they were enabled: this is called by the thread, outside of critical sections.
        unsafe { cortex_m::interrupt::enable() };
        cortex_m::asm::isb();
        // What has come will be seen by whoever polls now; what comes from here on is noted anew.
        self.has_frame.store(false, Ordering::Relaxed);
    }

    fn feed_watchdog(&self) {
        IWDG1.kr().write(|word| word.set_key(Key::RESET));
    }

    fn reset(&self) -> ! {
        console::flush();
        reset::reset(&BOOT_RECORD)
    }

    fn code_is_writable(&self, is_writable: bool) {
        memory_protection::code_is_writable(description::CODE, is_writable);
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        let mut random = self.random.try_lock();
        match random.as_mut().and_then(|random| random.as_mut()) {
            Some(random) => {
                random.fill_bytes(bytes);
                true
            }
            None => false,
        }
    }
}

#[cortex_m_rt::exception]
fn SysTick() {
    MACHINE.clock.tick();
    executor_bare_metal::tick(&MACHINE, &BOOT_RECORD);
    reset::keep(&BOOT_RECORD);
}
