//! The start-up code runs on the handlers' stack. The thread gets its own, at whose end memory ends: an overflow is a fault that
//! its handler can still tell of.

use core::arch::naked_asm;

unsafe extern "C" {
    // Of the script that is made from board.toml.
    static mut _thread_stack_start: u32;
    static mut _thread_stack_end: u32;
}

/// Leave the handlers' stack for good, and go on with `main` on the thread's.
///
/// # Safety
/// Called once, by the start-up code's last step.
pub unsafe fn start(main: extern "C" fn() -> !) -> ! {
    let stack = &raw mut _thread_stack_start;
    // SAFETY: the linker's script has set the stack aside; by the caller's promise nobody is on it.
    unsafe { switch(stack, main) }
}

/// The lowest address of the thread's stack.
#[must_use]
pub fn stack_limit() -> *mut u8 {
    (&raw mut _thread_stack_end).cast()
}

/// Make the process stack the thread's, and go on there: [B1.4.4], CONTROL.SPSEL. The processor switches at the barrier.
#[unsafe(naked)]
unsafe extern "C" fn switch(stack: *mut u32, main: extern "C" fn() -> !) -> ! {
    naked_asm!(
        "msr psp, r0",
        "mrs r0, control",
        "orrs r0, r0, #2",
        "msr control, r0",
        "isb",
        "bx r1",
    )
}
