//! An instance: a module's memory, globals and tables.

use alloc::sync::Arc;
use core::ffi::CStr;
use core::ptr::NonNull;
use core::slice;

use wamr_sys as sys;

use super::{ErrorText, ExecEnv, Imports, Message, Module, trap};
use crate::runtime::Trap;

/// An instance of a module. Used by one thread at a time.
pub struct Instance {
    handle: NonNull<sys::Instance>,
    /// Dropped after the instance.
    _module: Arc<Module>,
}

// SAFETY: nothing in an instance belongs to a thread; `&mut` keeps two threads from using it at once.
unsafe impl Send for Instance {}

/// A function of the instance that it was looked up in; WAMR keeps it as long as the instance.
#[derive(Clone, Copy)]
pub struct Function(NonNull<sys::Function>);

// SAFETY: an address that only `Instance::call` follows, on the thread that holds the instance.
unsafe impl Send for Function {}

/// Why there is no instance.
pub enum NewError {
    /// WAMR's own words: no memory, a segment does not fit, or the start function trapped.
    Failed(Message),
    /// The run was stopped.
    Stopped,
}

/// Why a call did not return.
pub enum CallError {
    /// The guest trapped.
    Trap(Trap),
    /// The run was stopped.
    Stopped,
}

impl Instance {
    /// Instantiate: memory, globals and tables as the module says, its start function run in `environment`, which has a
    /// stack of `stack_bytes`.
    ///
    /// # Errors
    /// [`NewError`]
    pub fn new(
        module: &Arc<Module>,
        environment: &mut ExecEnv,
        stack_bytes: u32,
        max_memory_pages: u32,
    ) -> Result<Self, NewError> {
        let mut error = ErrorText::new();
        let (error_text, error_size) = error.pointer_and_size();
        // SAFETY: border.c: the module is loaded, the environment (`&mut`) serves no call, the error buffer is valid for
        // writing.
        let handle = unsafe {
            sys::wamr_sys_instantiate(
                module.as_ptr(),
                environment.as_ptr(),
                stack_bytes,
                max_memory_pages,
                error_text,
                error_size,
            )
        };
        let instance = NonNull::new(handle).map(|handle| Instance {
            handle,
            _module: Arc::clone(module),
        });
        match instance {
            // A start function that was stopped looks to WAMR as if it had returned.
            _ if environment.is_stopped() => Err(NewError::Stopped),
            Some(instance) => Ok(instance),
            None => Err(NewError::Failed(error.message())),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::Instance {
        self.handle.as_ptr()
    }

    /// Find an exported function.
    pub fn function(&self, name: &CStr) -> Option<Function> {
        // SAFETY: wasm_export.h: the instance is alive, the name terminated.
        let function = unsafe { sys::wasm_runtime_lookup_function(self.as_ptr(), name.as_ptr()) };
        NonNull::new(function).map(Function)
    }

    /// Call a function of this instance. `cells` holds the arguments and, afterwards, the result: 32-bit cells, a 64-bit
    /// value takes two. `imports` is what the guest's imports reach during the call.
    ///
    /// # Errors
    /// [`CallError`]. The instance's state is then to be read, but not to be run again.
    pub fn call(
        &mut self,
        environment: &mut ExecEnv,
        function: Function,
        cells: &mut [u32; 2],
        mut imports: &mut dyn Imports,
    ) -> Result<(), CallError> {
        let context: *mut &mut dyn Imports = &raw mut imports;
        environment.bind(self, context.cast());
        // SAFETY: wasm_export.h: the environment is bound to this instance, the function is one of its own (the caller
        // looked it up in it) and of a type with at most two cells each way, which the ABI was checked for; it reads as
        // many as its type says. `context` points to this frame's `imports`, which nothing else touches before the return.
        let is_returned =
            unsafe { sys::wasm_runtime_call_wasm(environment.as_ptr(), function.0.as_ptr(), 2, cells.as_mut_ptr()) };
        let trap = (!is_returned).then(|| self.take_trap());
        match trap {
            // A guest that was stopped looks to WAMR as if it had returned, or trapped on its way out.
            _ if environment.is_stopped() => Err(CallError::Stopped),
            None => Ok(()),
            Some(trap) => Err(CallError::Trap(trap)),
        }
    }

    fn take_trap(&mut self) -> Trap {
        // SAFETY: wasm_export.h: the instance is alive.
        let text = unsafe { sys::wasm_runtime_get_exception(self.as_ptr()) };
        let kind = if text.is_null() {
            Trap::Other
        } else {
            // SAFETY: a terminated text inside the instance, which is not called before the borrow ends.
            let text = unsafe { CStr::from_ptr(text) };
            trap(text.to_str().unwrap_or_default())
        };
        // SAFETY: wasm_export.h: the instance is alive; a function that only tells where a result lies can now be called.
        unsafe { sys::wasm_runtime_clear_exception(self.as_ptr()) };
        kind
    }

    fn memory_parts(&self) -> (*mut u8, usize) {
        let mut bytes = 0;
        // SAFETY: state.c: the instance is alive, the place valid for writing.
        let start = unsafe { sys::wamr_sys_memory(self.as_ptr(), &raw mut bytes) };
        if start.is_null() {
            (NonNull::dangling().as_ptr(), 0)
        } else {
            (start, bytes)
        }
    }

    /// The linear memory as it is now.
    pub fn memory(&self) -> &[u8] {
        let (start, bytes) = self.memory_parts();
        // SAFETY: WAMR has mapped `bytes` bytes from `start`; they stay until the guest is called, which needs `&mut self`.
        unsafe { slice::from_raw_parts(start, bytes) }
    }

    /// The linear memory as it is now, for writing.
    pub fn memory_mut(&mut self) -> &mut [u8] {
        let (start, bytes) = self.memory_parts();
        // SAFETY: as in `memory`, and `&mut self` makes this the only reference.
        unsafe { slice::from_raw_parts_mut(start, bytes) }
    }

    /// The size of the linear memory, in WebAssembly pages.
    pub fn memory_pages(&self) -> u32 {
        // SAFETY: state.c: the instance is alive.
        unsafe { sys::wamr_sys_memory_pages(self.as_ptr()) }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: wasm_export.h: the instance is alive, and no call is under way: that would hold a borrow.
        unsafe { sys::wasm_runtime_deinstantiate(self.as_ptr()) }
    }
}
