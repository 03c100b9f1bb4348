//! The executor on Arm's MPS2 with the image AN500.
//!
//! Source: Arm, *Application Note AN500: Cortex-M7 SMM on V2M-MPS2*; *Cortex-M System Design Kit Technical Reference Manual*
//! for its UARTs and its watchdog; *Armv7-M Architecture Reference Manual* for the rest.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // registers, memory, and what the start-up code asks for

mod faults;
mod machine;
mod uart;
mod watchdog;

use cortex_m_rt::entry;
use executor_bare_metal::boot_record::BootRecord;
use executor_cortex_m::{CPU_FEATURES, thread};
use lan9118::Lan9118;

use machine::Machine;

executor_bare_metal::image!();

/// The registers of the LAN9118.
const ETHERNET: usize = 0xa000_0000;

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
    MACHINE.start(core);
    // SAFETY: AN500: the chip lies there; only this program uses it. `machine` has mapped it as device memory.
    let started = unsafe { Lan9118::start(ETHERNET, description::MAC) };
    let (device, mac) = match started {
        Ok(started) => started,
        Err(error) => panic!("{error}"),
    };
    // SAFETY: once.
    unsafe { serve(CPU_FEATURES, mac, device, thread::stack_limit()) }
}
