//! What WAMR needs of a machine without an operating system: `c/bare` is its platform layer there.
//!
//! **Invariants.** Nothing is allocated outside of the first three regions. One thread calls WAMR; interrupt handlers only set the
//! flag that stops a guest.

/// A stretch of memory. But for flash, nobody else uses it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Its lowest address.
    pub start: *mut u8,
    /// Its length.
    pub bytes: usize,
}

/// `c/bare/machine.h: wamr_sys_machine`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// The runtime heap: what WAMR makes of modules, instances and environments.
    pub heap: Region,
    /// Linear memories, and the data of AOT modules. Whole pages of 4 KiB.
    pub pages: Region,
    /// AOT code. Whole pages of 4 KiB; may be empty.
    pub code: Region,
    /// Where code may run that lies there: what is executed and never written, as flash is. May be empty.
    pub flash: Region,
    /// The lowest address of the stack that guests run on.
    pub stack_limit: *mut u8,
    /// Microseconds since the start.
    pub uptime_us: extern "C" fn() -> u64,
    /// Make `code` writable and not executable, or executable and not writable.
    pub code_is_writable: extern "C" fn(bool),
}

unsafe extern "C" {
    /// Take the machine. Call it once, before `wamr_sys_init`.
    pub fn wamr_sys_bare_start(machine: *const Machine);
    fn wamr_sys_code_taken() -> usize;
}

/// How much of the region of AOT code is taken, in bytes.
#[must_use]
pub fn code_taken() -> usize {
    // SAFETY: pages.c: reads its table. One thread calls WAMR: this one.
    unsafe { wamr_sys_code_taken() }
}
