//! Actions in flash: an image that is ready when it has booted. Native code without relocations (XIP) stays there; other code is
//! loaded from there as from a body.

use executor_core::executor::{ContainerKey, InitError, Outcome};
use executor_core::openwhisk::{Addressee, ContainerId};
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

/// So that native code in a bundle lies aligned in flash, and is used there.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(pub T);

/// Load an action into a container of its name, and make its first instance ready. `shared_with`: a container that gets it, too.
pub(crate) fn load(executor: &BareExecutor, baked: &Baked, shared_with: Option<ContainerKey>) {
    let name = baked.name;
    let failed = |reason: &dyn core::fmt::Display| log::error!("{name} is in flash and cannot be loaded: {reason}");
    let Some(id) = ContainerId::new(name) else {
        return failed(&"its name is no container's id");
    };
    match executor.install(&Addressee::Id(id), baked.bundle) {
        Outcome::Initialised(action) => {
            executor.runtime().prepare(&action, &Seat::UNATTENDED);
            if let Some(container) = shared_with {
                // It has none, and is never removed.
                let _ = executor.share(container, action);
            }
            log::info!("{name} is ready, from flash");
        }
        Outcome::InitFailed(InitError::Code(error)) => failed(&error),
        Outcome::InitFailed(InitError::Load(error)) => failed(&error),
        Outcome::InitFailed(InitError::OutOfMemory) => failed(&OutOfMemory),
        _ => failed(&"its container is taken"),
    }
}
