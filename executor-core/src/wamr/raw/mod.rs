//! The border to WAMR: handles that own, borrow and drop, so that everything above it is safe Rust.
//!
//! **Invariants.** A module outlives its instances ([`Instance`] holds it). An instance is used by one thread at a time
//! (`&mut`). A guest's address is an allegation until [`Instance::memory`] has been indexed with it, and memory is looked
//! up anew after every call, since `memory.grow` may move it. Only this folder contains unsafe code.
#![allow(unsafe_code)]

mod environment;
mod instance;
mod module;
mod natives;
mod snapshot;

pub use environment::{ExecEnv, RunStopper};
pub use instance::{CallError, Function, Instance, NewError};
pub use module::{Buffer, Export, Module};
pub use natives::{Imports, Native, register};
pub use snapshot::{Snapshot, TakeError};
pub use wamr_sys::AOT_TARGET;

use core::ffi::{CStr, c_char};

use crate::runtime::Trap;

/// WAMR's message: what its `error_buf` holds.
pub type Message = heapless::String<128>;

/// WAMR's version and the version of the AOT format that it reads.
#[must_use]
pub fn version() -> ((u32, u32, u32), u32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: wasm_export.h: writes the three numbers; they are valid for writing.
    unsafe { wamr_sys::wasm_runtime_get_version(&raw mut major, &raw mut minor, &raw mut patch) };
    // SAFETY: border.c: returns a constant.
    let format = unsafe { wamr_sys::wamr_sys_aot_format_version() };
    ((major, minor, patch), format)
}

/// Start the runtime, which takes `memory_bytes` of memory at most. Not to be called twice: [`super::Engine`] sees to it.
pub fn start(memory_bytes: usize) -> bool {
    // SAFETY: border.c: called once, before anything else of WAMR.
    unsafe { wamr_sys::wamr_sys_init(memory_bytes) }
}

/// The memory that the runtime has taken, in bytes.
pub fn memory_taken() -> usize {
    // SAFETY: memory.c: reads an atomic number.
    unsafe { wamr_sys::wamr_sys_memory_taken() }
}

/// Find the calling thread's stack now, so that its first run does not have to.
pub fn prepare_thread() {
    // SAFETY: border.c: no argument; reads the calling thread's attributes.
    unsafe { wamr_sys::wamr_sys_thread_prepare() }
}

/// A buffer that WAMR writes an error text to.
struct ErrorText([c_char; 128]);

impl ErrorText {
    fn new() -> Self {
        ErrorText([0; 128])
    }

    fn pointer_and_size(&mut self) -> (*mut c_char, u32) {
        (self.0.as_mut_ptr(), 128)
    }

    /// What was written, without WAMR's own preamble.
    fn message(mut self) -> Message {
        self.0[127] = 0;
        // SAFETY: the last byte is NUL, so that a terminator lies within the array.
        let text = unsafe { CStr::from_ptr(self.0.as_ptr()) };
        message(text)
    }
}

fn message(text: &CStr) -> Message {
    let text = text.to_str().unwrap_or("error text is not UTF-8");
    let text = [
        "WASM module load failed: ",
        "AOT module load failed: ",
        "WASM module instantiate failed: ",
    ]
    .iter()
    .find_map(|preamble| text.strip_prefix(preamble))
    .unwrap_or(text);
    let mut message = Message::new();
    for character in text.chars() {
        if message.push(character).is_err() {
            break;
        }
    }
    message
}

/// `wasm_runtime_common.c: exception_msgs`, in the words of the WebAssembly specification.
fn trap(exception: &str) -> Trap {
    match exception.strip_prefix("Exception: ").unwrap_or(exception) {
        "unreachable" => Trap::Unreachable,
        "out of bounds memory access" => Trap::OutOfBoundsMemory,
        "out of bounds table access" | "undefined element" => Trap::OutOfBoundsTable,
        "uninitialized element" | "invalid function index" => Trap::UninitializedElement,
        "indirect call type mismatch" => Trap::IndirectCallTypeMismatch,
        "integer divide by zero" => Trap::IntegerDivideByZero,
        "integer overflow" => Trap::IntegerOverflow,
        "invalid conversion to integer" => Trap::InvalidConversion,
        "native stack overflow"
        | "wasm operand stack overflow"
        | "wasm auxiliary stack overflow"
        | "wasm auxiliary stack underflow" => Trap::StackOverflow,
        text if text.starts_with("failed to call unlinked import function") => Trap::UnknownImport,
        _ => Trap::Other,
    }
}
