//! An execution environment: the operand stack and the registers of one run.
//!
//! It is not part of a container's state: a few of them serve all instances, one after the other, so that a warm container
//! holds no stack.

use core::ffi::c_void;
use core::ptr::NonNull;

use wamr_sys as sys;

use super::Instance;
use crate::runtime::OutOfMemory;

/// An operand stack and registers, bound to one instance at a time.
pub struct ExecEnv {
    handle: NonNull<sys::ExecEnv>,
}

// SAFETY: a block of memory; WAMR notes the calling thread in it at every call.
unsafe impl Send for ExecEnv {}

impl ExecEnv {
    /// A stack of `stack_bytes`.
    ///
    /// # Errors
    /// [`OutOfMemory`]
    pub fn new(instance: &Instance, stack_bytes: u32) -> Result<Self, OutOfMemory> {
        // SAFETY: wasm_export.h: the instance is alive. It may go before the environment does: `bind` sets another before
        // the next call, and destroying does not look at it.
        let handle = unsafe { sys::wasm_runtime_create_exec_env(instance.as_ptr(), stack_bytes) };
        NonNull::new(handle).map(|handle| ExecEnv { handle }).ok_or(OutOfMemory)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::ExecEnv {
        self.handle.as_ptr()
    }

    /// Serve `instance` from now on, with an empty stack.
    pub(super) fn bind(&mut self, instance: &mut Instance, context: *mut c_void) {
        // SAFETY: border.c: both are alive, and no call is under way on either.
        unsafe { sys::wamr_sys_exec_env_bind(self.as_ptr(), instance.as_ptr(), context) }
    }
}

impl Drop for ExecEnv {
    fn drop(&mut self) {
        // SAFETY: wasm_export.h: created by us, no call under way.
        unsafe { sys::wasm_runtime_destroy_exec_env(self.as_ptr()) }
    }
}
