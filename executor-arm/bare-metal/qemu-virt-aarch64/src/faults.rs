//! What nothing can go on from: it is told, noted for the next boot, and the board is reset.
//!
//! A guest's trap never comes here: WAMR checks bounds, divisions and stacks in code.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::registers::{instruction, read};
use crate::{BOOT_RECORD, MACHINE, machine};

/// Tell, note, reset.
pub(crate) fn give_up(why: fmt::Arguments<'_>) -> ! {
    static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

    // Nothing but the watchdog interrupts this.
    instruction!("msr daifset, #2", "msr daifclr, #1");
    // A fault in these very lines.
    if HAS_BEGUN.swap(true, Ordering::Relaxed) {
        machine::reset();
    }
    BOOT_RECORD.give_up(&MACHINE, why)
}

/// An exception that nobody expects, by its place in the table of vectors.
pub(crate) extern "C" fn fault(vector: u64, link: u64) -> ! {
    give_up(format_args!(
        "fault {vector} at {:#x}: ESR {:#x}, FAR {:#x}, LR {link:#x}",
        read!("elr_el1"),
        read!("esr_el1"),
        read!("far_el1"),
    ))
}
