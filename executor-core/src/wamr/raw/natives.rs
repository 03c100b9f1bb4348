//! Host functions: what a guest imports.
//!
//! WAMR keeps one table for the process. Every entry points to one trampoline and carries, as its attachment, the number
//! that tells the functions apart. What stands behind them is given anew at every call of a guest: [`Imports`].

use alloc::vec::Vec;
use core::ffi::{CStr, c_void};
use core::slice;

use wamr_sys as sys;

/// A host function as WAMR knows it.
pub struct Native {
    /// The name that guests import it by.
    pub name: &'static CStr,
    /// Parameters in parentheses, then the result, in letters: `i`, `I`, `f`, `F`.
    pub signature: &'static CStr,
    /// The number by which [`Imports::call`] knows it.
    pub number: u8,
}

/// The host functions of one run.
pub trait Imports {
    /// The guest calls. `slots` holds an argument each, and takes the result in the first.
    ///
    /// # Errors
    /// The text of the trap that ends the guest.
    fn call(&mut self, number: u8, memory: &mut [u8], slots: &mut [u64]) -> Result<(), &'static CStr>;
}

/// What an attachment points to.
struct Behind {
    number: u8,
    slots: usize,
}

/// Offer `natives` as imports from `module`, for the life of the process.
pub fn register(module: &'static CStr, natives: impl Iterator<Item = Native>) -> bool {
    let symbols: Vec<_> = natives
        .map(|native| {
            let signature = native.signature.to_bytes();
            let parameters = signature.iter().skip(1).take_while(|&&letter| letter != b')').count();
            let behind = alloc::boxed::Box::new(Behind {
                number: native.number,
                slots: parameters.max(1),
            });
            sys::NativeSymbol {
                symbol: native.name.as_ptr(),
                function: trampoline as sys::RawNative as *mut c_void,
                signature: native.signature.as_ptr(),
                attachment: alloc::boxed::Box::into_raw(behind).cast(),
            }
        })
        .collect();
    let symbols = symbols.leak();
    let count = u32::try_from(symbols.len()).unwrap_or(0);
    // SAFETY: wasm_export.h: WAMR keeps (and sorts) the table and the texts; they are leaked or static, so they stay.
    unsafe { sys::wasm_runtime_register_natives_raw(module.as_ptr(), symbols.as_mut_ptr(), count) }
}

/// Called by WAMR for every host function.
///
/// # Safety
/// WAMR's promise for a raw native: `environment` is the caller's, and `slots` holds one 64-bit slot per parameter of the
/// registered signature (16 at least, so one is there for the result in any case).
unsafe extern "C" fn trampoline(environment: *mut sys::ExecEnv, slots: *mut u64) {
    // SAFETY: wasm_export.h: the caller's environment.
    let attachment = unsafe { sys::wasm_runtime_get_function_attachment(environment) };
    // SAFETY: `register` set it to a leaked `Behind`.
    let behind = unsafe { &*attachment.cast::<Behind>() };
    // SAFETY: wasm_export.h: the caller's environment.
    let context = unsafe { sys::wasm_runtime_get_user_data(environment) };
    // SAFETY: `Instance::call` set it to a `&mut dyn Imports` of its own frame, which waits for this call to return; in a
    // start function the environment is WAMR's own, with a null pointer.
    let imports = unsafe { context.cast::<&mut dyn Imports>().as_mut() };
    // SAFETY: wasm_export.h: the caller's environment.
    let instance = unsafe { sys::wasm_runtime_get_module_inst(environment) };
    let mut bytes = 0;
    // SAFETY: state.c: the instance is alive, it is calling.
    let start = unsafe { sys::wamr_sys_memory(instance, &raw mut bytes) };
    let memory = if start.is_null() {
        &mut []
    } else {
        // SAFETY: WAMR has mapped `bytes` bytes from `start`; the guest does not run, and nobody else looks, until this
        // function returns.
        unsafe { slice::from_raw_parts_mut(start, bytes) }
    };
    // SAFETY: see above: one slot per parameter, one at least.
    let slots = unsafe { slice::from_raw_parts_mut(slots, behind.slots) };
    let outcome = match imports {
        Some(imports) => imports.call(behind.number, memory, slots),
        None => Err(c"a start function calls an import, which is possible in a run only"),
    };
    if let Err(trap) = outcome {
        // SAFETY: wasm_export.h: copies the text into the instance, which then leaves the guest.
        unsafe { sys::wasm_runtime_set_exception(instance, trap.as_ptr()) };
    }
}
