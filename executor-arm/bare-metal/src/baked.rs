//! Actions in flash: an image that is ready when it has booted.
//!
//! Each takes the way of an `/init`: its bundle is put into a body as a client would send it.

use executor_core::executor::{InitError, Outcome};
use executor_core::openwhisk::{Addressee, Command};
use executor_core::runtime::{OutOfMemory, Runtime as _};

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
    match try_load(executor, addressee, baked.bundle) {
        Ok(()) => log::info!("{} is ready, from flash", baked.name),
        Err(reason) => log::error!("{} is in flash and cannot be loaded: {reason}", baked.name),
    }
}

fn try_load(executor: &BareExecutor, addressee: Addressee, bundle: &[u8]) -> Result<(), heapless::String<160>> {
    let body = body(executor, bundle).map_err(|error| text(&error))?;
    let command = Command::init(addressee, body).map_err(|error| text(&error))?;
    match executor.execute(command, &Seat::UNATTENDED) {
        Outcome::Initialised(action) => {
            executor.runtime().prepare(&action, &Seat::UNATTENDED);
            Ok(())
        }
        Outcome::InitFailed(InitError::Code(error)) => Err(text(&error)),
        Outcome::InitFailed(InitError::Load(error)) => Err(text(&error)),
        Outcome::InitFailed(InitError::OutOfMemory) => Err(text(&OutOfMemory)),
        _ => Err(text(&"it is not loaded")),
    }
}

fn body(
    executor: &BareExecutor,
    bundle: &[u8],
) -> Result<<executor_core::wamr::Engine<crate::host::BareHost, crate::one_core::OneCore> as executor_core::runtime::Runtime>::Buffer, OutOfMemory>
{
    let base64 = base64_simd::STANDARD;
    let code_len = base64.encoded_length(bundle.len());
    let mut body = executor.buffer(BEFORE.len() + code_len + AFTER.len())?;
    let bytes = body.as_mut();
    let (before, rest) = bytes.split_at_mut(BEFORE.len());
    let (code, after) = rest.split_at_mut(code_len);
    before.copy_from_slice(BEFORE);
    let _ = base64.encode(bundle, base64_simd::Out::from_slice(code));
    after.copy_from_slice(AFTER);
    Ok(body)
}

fn text(reason: &impl core::fmt::Display) -> heapless::String<160> {
    let mut text = heapless::String::new();
    // What does not fit is cut off.
    let _ = core::fmt::Write::write_fmt(&mut text, format_args!("{reason}"));
    text
}
