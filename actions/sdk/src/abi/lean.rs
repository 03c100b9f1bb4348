//! ABI 1, lean: the executor asks for room, writes the input there, calls, and reads the answer where it lies.
//!
//! Nothing is ever freed on this path: the executor puts the whole instance back after the call.

use alloc::alloc::alloc;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::{mem, ptr, slice};

use crate::answer::{Action, plain};

/// Room for an input of `len` bytes, or null if there is none.
#[must_use]
pub fn allocate(len: usize) -> *mut u8 {
    match Layout::array::<u8>(len) {
        Ok(layout) if len > 0 => {
            // SAFETY: the layout's size is not zero.
            unsafe { alloc(layout) }
        }
        Ok(_) => ptr::dangling_mut(),
        Err(_) => ptr::null_mut(),
    }
}

/// Run `action` on the input that was written to `ptr`, and pack up the answer: its address in the upper half, its length
/// in the lower one.
///
/// # Safety
/// `ptr` is what [`allocate`] gave for `len`, not null, and `len` bytes have been written there.
#[must_use]
pub unsafe fn run(action: impl Action, ptr: *const u8, len: usize) -> u64 {
    // SAFETY: the caller promises `len` initialised bytes; nobody else has the address while the guest runs.
    let input = unsafe { slice::from_raw_parts(ptr, len) };
    pack(plain(action(input)))
}

/// The answer's bytes now belong to the executor.
fn pack(answer: Vec<u8>) -> u64 {
    let answer = mem::ManuallyDrop::new(answer);
    (answer.as_ptr().addr() as u64) << 32 | answer.len() as u64
}

/// Export `ow_allocate`, `ow_run`, and each further entry point by its own name.
#[doc(hidden)]
#[macro_export]
macro_rules! __emit {
    ($kind:ident $action:path $(, $other:ident)*) => {
        #[allow(unsafe_code)]
        const _: () = {
            // SAFETY: the name is the ABI's; a second `main!` in one crate is a linker error.
            #[unsafe(no_mangle)]
            extern "C" fn ow_allocate(len: usize) -> *mut u8 {
                $crate::__private::allocate(len)
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn ow_run(ptr: *const u8, len: usize) -> u64 {
                // SAFETY: the executor keeps the ABI: `ptr` is from `ow_allocate(len)`, and it has written `len` bytes.
                unsafe { $crate::__private::run($crate::__private::$kind($action), ptr, len) }
            }
        };
        $(
            #[allow(unsafe_code)]
            const _: () = {
                // SAFETY: the name is the function's own; a second one is a linker error.
                #[unsafe(export_name = stringify!($other))]
                unsafe extern "C" fn entry(ptr: *const u8, len: usize) -> u64 {
                    // SAFETY: as for `ow_run`.
                    unsafe { $crate::__private::run($crate::__private::$kind($other), ptr, len) }
                }
            };
        )*
    };
}
