//! The executor on ST's NUCLEO-H743ZI2. It was built, and never ran: nobody here has the board.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`memory`] | what the chip's memories are used for |
//! | [`machine`] | the clocks, sleep, random numbers, watchdog, reset |
//! | [`ethernet`] | the chip's Ethernet as a smoltcp device, and its address |
//! | [`console`] | the serial port of the ST-LINK |
//! | [`faults`] | what nothing can go on from |
//!
//! Source: ST, *RM0433: STM32H742, STM32H743/753 and STM32H750 reference manual*, *UM2407: STM32H7 Nucleo-144 boards (MB1364)*.
//! Clocks, pins and devices are embassy-stm32's.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // memory, interrupts, and what the start-up code asks for

mod console;
mod ethernet;
mod faults;
mod machine;
mod memory;

use cortex_m_rt::entry;
use executor_bare_metal::boot_record::BootRecord;
use executor_cortex_m::{CPU_FEATURES, thread};

use machine::Machine;

executor_bare_metal::image!();

static MACHINE: Machine = Machine::new();

/// In memory that the start-up code leaves as it is.
#[unsafe(link_section = ".uninit.boot_record")]
static BOOT_RECORD: BootRecord = BootRecord::new();

#[entry]
fn enter() -> ! {
    // SAFETY: once: it is the start-up code's last step.
    unsafe { thread::start(main) }
}

extern "C" fn main() -> ! {
    let Some(core) = cortex_m::Peripherals::take() else {
        // The start-up code calls this once.
        cortex_m::peripheral::SCB::sys_reset()
    };
    // From where nothing is read any more, once memory is protected.
    let mac = ethernet::address();
    let wires = MACHINE.start(core);
    let device = ethernet::start(wires, mac);
    // SAFETY: once.
    unsafe { serve(CPU_FEATURES, mac, device, thread::stack_limit()) }
}
