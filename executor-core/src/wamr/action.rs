//! A loaded action: a container's own part, and the module that it shares with others.

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::sync::Arc;

use action_bundle::Artifact;
use executor_wasi::Host;
use lock_api::RawMutex;

use super::Engine;
use super::environment;
use super::raw::Buffer;
use super::shared::{Ready, SharedModule};
use crate::json::Str;
use crate::runtime::{Body, Init, LoadError};

/// The longest name that `main` may give, in bytes.
const MAIN_MAX_BYTES: usize = 128;

/// A loaded action.
pub struct Action<L: RawMutex> {
    pub(super) shared: Arc<SharedModule<L>>,
    /// The export that a run calls.
    pub(super) main: CString,
    /// The variables of `/init`, if the module asks for any: `KEY=value` and a NUL, for each.
    pub(super) environment: Option<Box<[u8]>>,
}

impl<H: Host, L: RawMutex> Engine<H, L> {
    /// Take the module of this content, loaded now if no container has it, and what this container makes of it. Nothing of
    /// the guest runs.
    pub(super) fn load_action(&self, init: Init<'_, Buffer>) -> Result<Action<L>, LoadError> {
        let body = init.body.as_ref();
        let text = |range: core::ops::Range<usize>| body.get(range).unwrap_or_default();
        let main = init.main.map(|range| decode_main(text(range))).transpose()?;
        let variables = init.env.map(|range| environment::of_init(text(range))).transpose()?;
        let Artifact { kind, range, hash } = init.artifact;
        let bytes = init.inflated.map_or(init.body, Body::Owned);
        let spares_max = self.config.spares_max;
        // Where the content is loaded, its bytes go here, unread.
        let shared = self.modules.get_or_load((hash, kind), || {
            SharedModule::load(bytes, range, kind, spares_max, &self.budget)
        })?;
        let main = shared.abi.main(&shared.module, main)?;
        let environment = shared.wants_environment.then(|| variables.unwrap_or_default());
        Ok(Action {
            shared,
            main,
            environment,
        })
    }
}

impl<L: RawMutex> Action<L> {
    /// Whether both are of the same content, and so run on the same instances.
    #[must_use]
    pub fn shares_module_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// How many instances are ready, for this container and those that share its module.
    #[must_use]
    pub fn spares(&self) -> usize {
        self.shared.spares()
    }

    /// Keep an instance for a later run.
    pub(super) fn put_back(&self, ready: Ready) {
        self.shared.put_back(ready, Arc::strong_count(&self.shared));
    }
}

impl<L: RawMutex> Drop for Action<L> {
    fn drop(&mut self) {
        // Only actions hold the module, and this one is about to let go.
        self.shared.trim(Arc::strong_count(&self.shared) - 1);
    }
}

fn decode_main(content: &[u8]) -> Result<CString, LoadError> {
    let main = Str::new(content).map_err(|_| LoadError::MissingMain)?;
    let mut name = heapless::Vec::<u8, MAIN_MAX_BYTES>::new();
    for byte in main.bytes() {
        name.push(byte).map_err(|_| LoadError::MainTooLong)?;
    }
    CString::new(name.as_slice()).map_err(|_| LoadError::MissingMain)
}
