//! Actions in flash: an image that is ready when it has booted.
//!
//! Each takes the way of an `/init`: its bundle is put into a body as a client would send it.

use executor_core::executor::{InitError, Outcome};
use executor_core::openwhisk::{Addressee, Command};
use executor_core::runtime::{OutOfMemory, Runtime as _};
use executor_core::wamr::Buffer as BareBuffer;

use crate::server::BareExecutor;
use crate::watch::Seat;

/// An action that an image holds.
#[derive(Debug)]
pub struct Baked {
    /// The id of its container.
    pub name: &'static str,
    /// Its bundle: a zip, a Wasm module, or whatever else an `/init` takes.
    pub bundle: &'static [u8],
}

const BEFORE: &[u8] = br#"{"value":{"binary":true,"code":""#;
const AFTER: &[u8] = br#""}}"#;

/// Load an action into a container, and make its first instance ready.
pub(crate) fn load(executor: &BareExecutor, addressee: Addressee, baked: &Baked) {
    let name = baked.name;
    let failed = |reason: &dyn core::fmt::Display| log::error!("{name} is in flash and cannot be loaded: {reason}");
    let body = match body(executor, baked.bundle) {
        Ok(body) => body,
        Err(error) => return failed(&error),
    };
    let command = match Command::init(addressee, body) {
        Ok(command) => command,
        Err(error) => return failed(&error),
    };
    match executor.execute(command, &Seat::UNATTENDED) {
        Outcome::Initialised(action) => {
            executor.runtime().prepare(&action, &Seat::UNATTENDED);
            log::info!("{name} is ready, from flash");
        }
        Outcome::InitFailed(InitError::Code(error)) => failed(&error),
        Outcome::InitFailed(InitError::Load(error)) => failed(&error),
        Outcome::InitFailed(InitError::OutOfMemory) => failed(&OutOfMemory),
        _ => failed(&"its container is taken"),
    }
}

/// As a client would send it.
fn body(executor: &BareExecutor, bundle: &[u8]) -> Result<BareBuffer, OutOfMemory> {
    let base64 = base64_simd::STANDARD;
    let code_len = base64.encoded_length(bundle.len());
    let mut body = executor.buffer(BEFORE.len() + code_len + AFTER.len())?;
    let (before, rest) = body.as_mut().split_at_mut(BEFORE.len());
    let (code, after) = rest.split_at_mut(code_len);
    before.copy_from_slice(BEFORE);
    let _ = base64.encode(bundle, base64_simd::Out::from_slice(code));
    after.copy_from_slice(AFTER);
    Ok(body)
}
