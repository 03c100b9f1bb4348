//! An execution environment: the operand stack and the registers of one run.
//!
//! It is not part of a container's state: a few of them serve all instances, one after the other, so that a warm container
//! holds no stack. It is also where a guest is stopped: interpreter and AOT code poll a flag in it.

use alloc::sync::Arc;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use wamr_sys as sys;

use super::Instance;
use crate::runtime::{OutOfMemory, Stopper};

/// The bit of the flag that guests poll. The others are the number of the run that the environment serves: a stopper of an
/// earlier run finds another number, and does nothing.
const STOP: u32 = 1;
const NEXT_RUN: u32 = 2;

/// An operand stack and registers, bound to one instance at a time.
pub struct ExecEnv(Arc<Memory>);

/// Stops one run.
#[derive(Clone)]
pub struct RunStopper {
    memory: Arc<Memory>,
    /// The flag while the run is not stopped.
    running: u32,
}

struct Memory {
    handle: NonNull<sys::ExecEnv>,
    flag: NonNull<u32>,
}

// SAFETY: a block of memory; WAMR notes the calling thread in it at every call.
unsafe impl Send for Memory {}

// SAFETY: through `&Memory` only the flag is used, which is atomic on both sides; the rest is the one `ExecEnv`'s.
unsafe impl Sync for Memory {}

impl Memory {
    fn flag(&self) -> &AtomicU32 {
        // SAFETY: stop.c: an aligned 32-bit word of the block, which lives as long as `self`; all who share it (guests, too)
        // use it atomically.
        unsafe { AtomicU32::from_ptr(self.flag.as_ptr()) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: stop.c: created by us, no call under way: that would hold the `ExecEnv`.
        unsafe { sys::wamr_sys_exec_env_destroy(self.handle.as_ptr()) }
    }
}

impl ExecEnv {
    /// A stack of `stack_bytes`.
    ///
    /// # Errors
    /// [`OutOfMemory`]
    pub fn new(stack_bytes: u32) -> Result<Self, OutOfMemory> {
        // SAFETY: stop.c: asks for nothing but memory.
        let handle = NonNull::new(unsafe { sys::wamr_sys_exec_env_create(stack_bytes) }).ok_or(OutOfMemory)?;
        // SAFETY: stop.c: the environment is alive.
        let flag = unsafe { sys::wamr_sys_exec_env_stop_flag(handle.as_ptr()) };
        let flag = NonNull::new(flag).ok_or(OutOfMemory)?;
        Ok(ExecEnv(Arc::new(Memory { handle, flag })))
    }

    /// Serve another run, which is not stopped. The stoppers of earlier runs have no effect from now on.
    pub fn begin_run(&mut self) -> RunStopper {
        let flag = self.0.flag();
        // The exchange of an earlier run's stopper may come in between: only its bit differs then.
        let running = (flag.load(Ordering::Relaxed) & !STOP).wrapping_add(NEXT_RUN);
        flag.store(running, Ordering::Relaxed);
        RunStopper {
            memory: Arc::clone(&self.0),
            running,
        }
    }

    /// Whether the current run was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.flag().load(Ordering::Relaxed) & STOP != 0
    }

    /// The same, for host calls of the current run, which hold the environment.
    pub fn stopped(&self) -> impl Fn() -> bool + use<> {
        let memory = Arc::clone(&self.0);
        move || memory.flag().load(Ordering::Relaxed) & STOP != 0
    }

    pub(super) fn as_ptr(&self) -> *mut sys::ExecEnv {
        self.0.handle.as_ptr()
    }

    /// Serve `instance` from now on, with an empty stack.
    pub(super) fn bind(&mut self, instance: &mut Instance, context: *mut c_void) {
        // SAFETY: border.c: both are alive, and no call is under way on either.
        unsafe { sys::wamr_sys_exec_env_bind(self.as_ptr(), instance.as_ptr(), context) }
    }
}

impl Stopper for RunStopper {
    fn stop(&self) {
        // Fails if the run was stopped before, or if the environment serves another one. Nothing is handed over by it.
        let stopped = self.running | STOP;
        let _ = self
            .memory
            .flag()
            .compare_exchange(self.running, stopped, Ordering::Relaxed, Ordering::Relaxed);
    }
}
