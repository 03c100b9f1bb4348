//! What a guest can import: WASI preview 1, and WOW's `http.get`.

use core::ffi::CStr;

use executor_wasi::{Context, Errno, Function, GuestMemory, Host, MODULE, Stop};

use super::raw::{self, Imports, Native};

/// `http.get() -> i32`: no guest is granted the network yet, so that it always gives [`NO_NETWORK`].
const HTTP_GET: u8 = 46;
const _: () = assert!(
    Function::ALL.len() == HTTP_GET as usize,
    "the numbers below it are WASI's"
);

/// What `http.get` returns without the capability: no HTTP status is negative.
const NO_NETWORK: i32 = -1;

/// Make the imports known to WAMR.
pub fn register() -> bool {
    let wasi = Function::ALL.iter().map(|&function| Native {
        name: function.name(),
        signature: function.signature(),
        number: function as u8,
    });
    let http = [Native {
        name: c"get",
        signature: c"()i",
        number: HTTP_GET,
    }];
    // A C library from before preview 1 was named imports the same functions as `wasi_unstable`, with other layouts: it is
    // not offered.
    raw::register(MODULE, wasi) && raw::register(c"http", http.into_iter())
}

/// The imports of one run.
pub struct RunImports<'r, H: Host> {
    wasi: Context<'r, H>,
    stop: Option<Stop>,
}

impl<'r, H: Host> RunImports<'r, H> {
    pub fn new(wasi: Context<'r, H>) -> Self {
        RunImports { wasi, stop: None }
    }

    /// Why WASI ended the run, if it did.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }
}

impl<H: Host> Imports for RunImports<'_, H> {
    fn call(&mut self, number: u8, memory: &mut [u8], slots: &mut [u64]) -> Result<(), &'static CStr> {
        let result = match Function::ALL.get(usize::from(number)) {
            Some(&function) => match self.wasi.call(function, &mut GuestMemory::new(memory), slots) {
                Ok(errno) => i32::from(errno.code()),
                Err(stop) => {
                    self.stop = Some(stop);
                    return Err(c"the run was ended by WASI");
                }
            },
            None if number == HTTP_GET => NO_NETWORK,
            None => i32::from(Errno::Nosys.code()),
        };
        if let Some(slot) = slots.first_mut() {
            *slot = u64::from(result.cast_unsigned());
        }
        Ok(())
    }
}
