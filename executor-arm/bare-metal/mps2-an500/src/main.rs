//! The executor on Arm's MPS2 with the image AN500.
//!
//! Source: Arm, *Application Note AN500: Cortex-M7 SMM on V2M-MPS2*; *Cortex-M System Design Kit Technical Reference Manual*
//! for its UARTs and its watchdog; *Armv7-M Architecture Reference Manual* for the rest.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // registers, memory, and what the start-up code asks for

mod faults;
mod machine;
mod memory_protection;
mod uart;
mod watchdog;

use core::arch::naked_asm;

use cortex_m_rt::entry;
use executor_bare_metal::boot_record::BootRecord;
use lan9118::Lan9118;

use machine::Machine;

executor_bare_metal::image!();

/// The registers of the LAN9118.
const ETHERNET: usize = 0xa000_0000;

static MACHINE: Machine = Machine::new();

/// In memory that the start-up code leaves as it is.
#[unsafe(link_section = ".uninit.boot_record")]
static BOOT_RECORD: BootRecord = BootRecord::new();

unsafe extern "C" {
    static mut _thread_stack_start: u32;
    static mut _thread_stack_end: u32;
}

/// The start-up code runs on the handlers' stack. The thread gets its own, at whose end memory ends: an overflow is a fault
/// that its handler can still tell of.
#[entry]
fn enter() -> ! {
    // SAFETY: nothing of this function's frame is used again.
    unsafe { switch_stack() }
}

/// Make the process stack the thread's, and go on there.
#[unsafe(naked)]
unsafe extern "C" fn switch_stack() -> ! {
    naked_asm!(
        "ldr r0, ={stack}",
        "msr psp, r0",
        "movs r0, #2",
        // CONTROL.SPSEL; the processor switches at the barrier.
        "mrs r1, control",
        "orrs r1, r0",
        "msr control, r1",
        "isb",
        "b {main}",
        stack = sym _thread_stack_start,
        main = sym main,
    )
}

extern "C" fn main() -> ! {
    let Some(core) = cortex_m::Peripherals::take() else {
        // The start-up code calls this once.
        cortex_m::peripheral::SCB::sys_reset()
    };
    MACHINE.start(core);
    // SAFETY: AN500: the chip lies there; only this program uses it. `memory_protection` has mapped it as device memory.
    let started = unsafe { Lan9118::start(ETHERNET, description::MAC) };
    let (device, mac) = match started {
        Ok(started) => started,
        Err(error) => panic!("{error}"),
    };
    let stack_limit = (&raw mut _thread_stack_end).cast();
    // SAFETY: once.
    unsafe { serve(machine::CPU_FEATURES, mac, device, stack_limit) }
}
