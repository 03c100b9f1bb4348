//! ABI 2, WOW's buffer: the executor asks for room, writes the input there, starts `_start` with the input's length as the
//! last argument, and afterwards reads the answer from the same buffer.

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use crate::answer::{Action, enveloped};

/// The buffer. A guest has one thread, so the lock is never waited for.
static BUFFER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn buffer() -> MutexGuard<'static, Vec<u8>> {
    // Its content is bytes from outside: a panic elsewhere leaves nothing half done in it.
    BUFFER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Make room for an input of `len` bytes.
pub fn allocate(len: usize) {
    let mut buffer = buffer();
    buffer.clear();
    buffer.resize(len, 0);
}

/// Where the buffer is. Valid until the next call into the guest.
#[must_use]
pub fn pointer() -> *mut u8 {
    buffer().as_mut_ptr()
}

/// How many bytes the buffer holds.
#[must_use]
pub fn len() -> usize {
    buffer().len()
}

/// Run `action` on what is in the buffer, and leave the answer there.
pub fn run(action: impl Action) {
    let mut input = core::mem::take(&mut *buffer());
    // Engines differ in whether they put a program's name first.
    let len = env::args().next_back().and_then(|argument| argument.parse().ok());
    input.truncate(len.unwrap_or(usize::MAX));
    *buffer() = enveloped(action(&input));
}

/// Define `main`, and export the functions that give the buffer's place.
#[doc(hidden)]
#[macro_export]
macro_rules! __emit {
    ($kind:ident $action:path $(, $other:ident)*) => {
        #[allow(unsafe_code)]
        const _: () = {
            // SAFETY: the name is the ABI's; a second `main!` in one crate is a linker error.
            #[unsafe(no_mangle)]
            extern "C" fn wasm_memory_buffer_allocate_space(len: usize) {
                $crate::__private::allocate(len);
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn get_wasm_memory_buffer_pointer() -> *mut u8 {
                $crate::__private::pointer()
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn get_wasm_memory_buffer_len() -> usize {
                $crate::__private::len()
            }
        };

        fn main() {
            $(let _ = $other;)*
            $crate::__private::run($crate::__private::$kind($action));
        }
    };
}
