//! The watchdog. `virt` has none on its bus: its place is taken by the physical timer, whose interrupt is an FIQ, which nothing in
//! this program masks but the short ways into and out of handlers.
//!
//! So it sees a thread that has masked interrupts for good, and a handler that does not end; it does not see a processor that no
//! longer takes exceptions. When it has run out once, it waits once more, as the emulated machine may have stood still as a whole.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::faults;
use crate::registers::{read, write};

/// Twice this without being fed, and the board is reset.
const PERIOD_S: u64 = 2;

static HAS_RUN_OUT: AtomicBool = AtomicBool::new(false);

/// Begin to wait.
pub(crate) fn start() {
    feed();
    // Counts, and interrupts.
    write!("cntp_ctl_el0", 1);
}

/// Begin a new period.
pub(crate) fn feed() {
    wait();
    HAS_RUN_OUT.store(false, Ordering::Relaxed);
}

fn wait() {
    write!("cntp_cval_el0", read!("cntpct_el0") + PERIOD_S * read!("cntfrq_el0"));
}

/// It has run out.
pub(crate) fn bark() {
    let link = read!("elr_el1");
    if HAS_RUN_OUT.swap(true, Ordering::Relaxed) {
        faults::give_up(format_args!("the watchdog: it was not fed; last seen at {link:#x}"));
    }
    wait();
}
