//! A loaded action: a module, what is known of it, and the instances that are ready to run it.

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use action_bundle::Kind;
use executor_wasi::Host;
use lock_api::{Mutex, RawMutex};

use super::Engine;
use super::abi::{Abi, Entries};
use super::environment;
use super::raw::{Buffer, ExecEnv, Instance, Message, Module, NewError, Snapshot};
use crate::json::Str;
use crate::runtime::{Init, LoadError, RunError};

/// The longest name that `main` may give, in bytes.
const MAIN_MAX_BYTES: usize = 128;

/// A loaded action.
pub struct Action<L> {
    pub(super) module: Arc<Module>,
    pub(super) kind: Kind,
    pub(super) abi: Abi,
    /// The export that a run calls.
    pub(super) main: CString,
    /// The variables of `/init`, if the module asks for any: `KEY=value` and a NUL, for each.
    pub(super) environment: Option<Box<[u8]>>,
    pool: Mutex<L, Pool>,
}

/// An instance with the state of a fresh one, and the functions that its ABI calls.
pub struct Ready {
    pub(super) instance: Instance,
    pub(super) entries: Entries,
}

struct Pool {
    /// The state of a fresh instance: noted when the first one is made.
    fresh: Option<Arc<Snapshot>>,
    spares: Vec<Ready>,
}

impl<L: RawMutex> Action<L> {
    /// Load the artifact and find out its ABI. Nothing of the guest runs.
    pub(super) fn load(init: Init<Buffer>) -> Result<Self, LoadError> {
        let body = init.body.as_ref();
        let text = |range: core::ops::Range<usize>| body.get(range).unwrap_or_default();
        let main = init.main.map(|range| decode_main(text(range))).transpose()?;
        let variables = init.env.map(|range| environment::of_init(text(range))).transpose()?;
        let kind = init.artifact.kind;
        let module =
            Module::load(init.inflated.unwrap_or(init.body), init.artifact.range).map_err(LoadError::Module)?;
        check_imports(&module)?;
        let (abi, main) = Abi::recognise(&module, main)?;
        let wants_environment = module.imports().any(|(_, name, _)| name == c"environ_get");
        Ok(Action {
            module: Arc::new(module),
            kind,
            abi,
            main,
            environment: wants_environment.then(|| variables.unwrap_or_default()),
            pool: Mutex::new(Pool {
                fresh: None,
                spares: Vec::new(),
            }),
        })
    }

    pub(super) fn has_spare(&self) -> bool {
        !self.pool.lock().spares.is_empty()
    }

    /// Keep an instance for a later run.
    pub(super) fn put_back(&self, ready: Ready, spares_max: usize) {
        let mut pool = self.pool.lock();
        if pool.spares.len() < spares_max && pool.spares.try_reserve(1).is_ok() {
            pool.spares.push(ready);
        } else {
            // Unmapping takes a while: not under the lock.
            drop(pool);
            drop(ready);
        }
    }

    pub(super) fn fresh(&self) -> Option<Arc<Snapshot>> {
        self.pool.lock().fresh.clone()
    }

    fn take_spare(&self) -> Option<Ready> {
        self.pool.lock().spares.pop()
    }

    fn note_fresh(&self, instance: &Instance) -> Result<(), RunError> {
        if self.fresh().is_none() {
            let snapshot = Snapshot::take(instance).map_err(|_| RunError::OutOfMemory)?;
            // Two first runs may both come here: their snapshots are equal.
            self.pool.lock().fresh = Some(Arc::new(snapshot));
        }
        Ok(())
    }
}

impl<H: Host, L: RawMutex> Engine<H, L> {
    /// An instance for a run: a spare, or a new one.
    pub(super) fn take_instance(&self, action: &Action<L>, environment: &mut ExecEnv) -> Result<Ready, RunError> {
        match action.take_spare() {
            Some(ready) => Ok(ready),
            None => self.instantiate(action, environment),
        }
    }

    /// A new instance, with its initialiser run, as the ABI has it.
    pub(super) fn instantiate(&self, action: &Action<L>, environment: &mut ExecEnv) -> Result<Ready, RunError> {
        let stack_bytes = Self::stack_bytes(action.kind);
        let mut instance = Instance::new(&action.module, environment, stack_bytes, self.max_memory_pages())
            .map_err(instantiate_error)?;
        if let Some(initialize) = action.abi.initialiser(&instance) {
            self.initialise(environment, &mut instance, initialize)?;
        }
        let entries = Entries::find(action, &instance).ok_or(RunError::Instantiate)?;
        action.note_fresh(&instance)?;
        Ok(Ready { instance, entries })
    }
}

fn instantiate_error(error: NewError) -> RunError {
    match error {
        NewError::Stopped => RunError::Cancelled,
        NewError::Failed(message) => {
            log::debug!("instantiation failed: {message}");
            if message.contains("memory failed") {
                RunError::OutOfMemory
            } else {
                RunError::Instantiate
            }
        }
    }
}

/// Every import must be supplied: a guest that fails at its first call of a missing one would fail late.
fn check_imports(module: &Module) -> Result<(), LoadError> {
    match module.imports().find(|(_, _, is_supplied)| !is_supplied) {
        None => Ok(()),
        Some((from, name, _)) => {
            let mut message = Message::new();
            let (from, name) = (from.to_str().unwrap_or("?"), name.to_str().unwrap_or("?"));
            // Cut off where the names are too long to be told.
            let _ = write!(message, "it imports {from}.{name}, which this executor does not supply");
            Err(LoadError::Module(message))
        }
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
