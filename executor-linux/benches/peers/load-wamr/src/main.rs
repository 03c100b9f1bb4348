//! `wasm_runtime_load`, `wasm_runtime_instantiate` and what undoes them, of WAMR as its makers wrote it.
#![allow(unsafe_code, reason = "this is C's border")]

use std::ffi::{CStr, c_char, c_void};
use std::process::ExitCode;
use std::ptr::{self, NonNull};

use anyhow::{Context, Result, anyhow, ensure};

// wasm_export.h
unsafe extern "C" {
    fn wasm_runtime_init() -> bool;
    fn wasm_runtime_set_log_level(level: i32);
    fn wasm_runtime_load(bytes: *mut u8, size: u32, error: *mut c_char, error_size: u32) -> *mut c_void;
    fn wasm_runtime_unload(module: *mut c_void);
    fn wasm_runtime_instantiate(
        module: *mut c_void,
        stack_bytes: u32,
        heap_bytes: u32,
        error: *mut c_char,
        error_size: u32,
    ) -> *mut c_void;
    fn wasm_runtime_deinstantiate(instance: *mut c_void);
}

/// `log_level_t: WASM_LOG_LEVEL_FATAL`, as in the executor
const FATAL: i32 = 0;
/// As in the executor: native code has its frames on the thread's stack.
const STACK_BYTES: u32 = 1024;

struct Loader;

struct Module {
    module: NonNull<c_void>,
    instance: *mut c_void,
}

impl peer_load::Loader for Loader {
    type Module = Module;

    fn load(&self, code: &mut [u8]) -> Result<Module> {
        let mut error = [0; 128];
        let size = u32::try_from(code.len())?;
        // SAFETY: WAMR was started; `code` outlives the module, as `peer_load::Loader` has it; `error` is 128 bytes.
        let module = unsafe { wasm_runtime_load(code.as_mut_ptr(), size, error.as_mut_ptr(), 128) };
        Ok(Module {
            module: NonNull::new(module).ok_or_else(|| told(&error))?,
            instance: ptr::null_mut(),
        })
    }

    fn instantiate(&self, module: &mut Module) -> Result<()> {
        let mut error = [0; 128];
        // SAFETY: the module is loaded; `error` is 128 bytes.
        module.instance =
            unsafe { wasm_runtime_instantiate(module.module.as_ptr(), STACK_BYTES, 0, error.as_mut_ptr(), 128) };
        ensure!(!module.instance.is_null(), told(&error));
        Ok(())
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if !self.instance.is_null() {
            // SAFETY: it is an instance, and nobody has it any more.
            unsafe { wasm_runtime_deinstantiate(self.instance) };
        }
        // SAFETY: it is loaded, and has no instance any more.
        unsafe { wasm_runtime_unload(self.module.as_ptr()) };
    }
}

fn told(error: &[c_char; 128]) -> anyhow::Error {
    // WAMR ends its texts, within the array.
    let bytes = error.map(|byte| byte.cast_unsigned());
    let text = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
    anyhow!("{}", text.to_string_lossy())
}

fn main() -> ExitCode {
    peer_load::main(|| {
        // SAFETY: called once, before anything else of WAMR.
        let is_started = unsafe { wasm_runtime_init() };
        // SAFETY: WAMR was started.
        unsafe { wasm_runtime_set_log_level(FATAL) };
        is_started.then_some(Loader).context("WAMR does not start")
    })
}
