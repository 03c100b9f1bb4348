//! A loaded module and its instances, as the containers of the same content share them.
//!
//! Nothing here is a container's own: which function a run calls, and what it finds in its environment, is in
//! [`super::Action`]. A spare instance has the state of a fresh one, which no container has touched, and so serves any.
//! What a module's initialiser has drawn (random numbers, say) is part of that state: it is the same for all of them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

use action_bundle::Kind;
use executor_wasi::Host;
use lock_api::{Mutex, RawMutex};

use super::Engine;
use super::abi::{Abi, Entries};
use super::budget::Budget;
use super::raw::{Buffer, ExecEnv, Instance, Message, Module, NewError, NotLoaded, Snapshot, TakeError};
use crate::limits::TABLE_ELEMENTS_MAX;
use crate::runtime::{Body, LoadError, RunError};
use crate::spans::{Part, enter};

/// A loaded module, what is known of it, and the instances that are ready to run it.
pub struct SharedModule<L> {
    pub(super) module: Arc<Module>,
    pub(super) kind: Kind,
    pub(super) abi: Abi,
    /// It asks for its environment.
    pub(super) wants_environment: bool,
    /// Instances that are kept for each container.
    spares_max: usize,
    pool: Mutex<L, Pool>,
}

/// An instance with the state of a fresh one, and the functions of its ABI.
pub struct Ready {
    pub(super) instance: Instance,
    pub(super) entries: Entries,
    /// The state that it gets back after a run.
    pub(super) fresh: Arc<Snapshot>,
}

struct Pool {
    /// The state of a fresh instance: noted when the first one is made.
    fresh: Option<Arc<Snapshot>>,
    spares: Vec<Ready>,
}

impl<L: RawMutex> SharedModule<L> {
    /// Load `range` of `bytes` and find out its ABI. Nothing of the guest runs.
    ///
    /// # Errors
    /// [`LoadError::Module`], [`LoadError::UnknownAbi`]
    pub fn load(
        bytes: Body<'_, Buffer>,
        range: Range<usize>,
        kind: Kind,
        spares_max: usize,
        budget: &Arc<Budget>,
    ) -> Result<Self, LoadError> {
        let module = Module::load(bytes, range, kind, budget).map_err(load_error)?;
        check_imports(&module)?;
        check_tables(&module)?;
        let abi = Abi::recognise(&module)?;
        let wants_environment = module.imports().any(|(_, name, _)| name == c"environ_get");
        Ok(SharedModule {
            module: Arc::new(module),
            kind,
            abi,
            wants_environment,
            spares_max,
            pool: Mutex::new(Pool {
                fresh: None,
                spares: Vec::new(),
            }),
        })
    }

    /// How many instances are ready.
    pub fn spares(&self) -> usize {
        self.pool.lock().spares.len()
    }

    /// Keep an instance for a later run of any of so many containers.
    pub fn put_back(&self, ready: Ready, containers: usize) {
        let mut pool = self.pool.lock();
        if pool.spares.len() < self.spares_max.saturating_mul(containers) && pool.spares.try_reserve(1).is_ok() {
            pool.spares.push(ready);
        } else {
            // Unmapping takes a while: not under the lock.
            drop(pool);
            drop(ready);
        }
    }

    /// Drop the instances that are too many for so many containers.
    pub fn trim(&self, containers: usize) {
        let most = self.spares_max.saturating_mul(containers);
        loop {
            let mut pool = self.pool.lock();
            let surplus = if pool.spares.len() > most {
                pool.spares.pop()
            } else {
                None
            };
            drop(pool);
            if surplus.is_none() {
                return;
            }
        }
    }

    fn take_spare(&self) -> Option<Ready> {
        self.pool.lock().spares.pop()
    }

    /// The state of a fresh instance: `instance` is one.
    fn fresh(&self, instance: &Instance, environment: &ExecEnv) -> Result<Arc<Snapshot>, RunError> {
        let noted = self.pool.lock().fresh.clone();
        if let Some(fresh) = noted {
            return Ok(fresh);
        }
        let fresh = Snapshot::take(instance, || environment.is_stopped()).map_err(|error| match error {
            TakeError::OutOfMemory => RunError::NoRoom,
            TakeError::Stopped => RunError::Cancelled,
        })?;
        let fresh = Arc::new(fresh);
        // Two first runs may both come here: the state that was noted first is for all.
        Ok(Arc::clone(self.pool.lock().fresh.get_or_insert(fresh)))
    }
}

impl<H: Host, L: RawMutex> Engine<H, L> {
    /// An instance for a run: a spare, or a new one.
    pub(super) fn take_instance(&self, module: &SharedModule<L>, environment: &mut ExecEnv) -> Result<Ready, RunError> {
        match module.take_spare() {
            Some(ready) => Ok(ready),
            None => self.instantiate(module, environment),
        }
    }

    /// A new instance, with its initialiser run, as the ABI has it.
    pub(super) fn instantiate(&self, module: &SharedModule<L>, environment: &mut ExecEnv) -> Result<Ready, RunError> {
        let _span = enter(Part::Instantiate);
        let stack_bytes = Self::stack_bytes(module.kind);
        let mut instance = Instance::new(&module.module, environment, stack_bytes, self.max_memory_pages())
            .map_err(instantiate_error)?;
        if let Some(initialize) = module.abi.initialiser(&instance) {
            self.initialise(environment, &mut instance, initialize)?;
        }
        let entries = Entries::find(module.abi, &instance).ok_or(RunError::Instantiate)?;
        let fresh = module.fresh(&instance, environment)?;
        Ok(Ready {
            instance,
            entries,
            fresh,
        })
    }
}

fn load_error(error: NotLoaded) -> LoadError {
    match error {
        NotLoaded::Module(message) if !tells_of_memory(&message) => LoadError::Module(message),
        NotLoaded::Module(_) | NotLoaded::OutOfMemory => LoadError::OutOfMemory,
    }
}

fn check_tables(module: &Module) -> Result<(), LoadError> {
    let elements = module.table_elements();
    if elements <= TABLE_ELEMENTS_MAX {
        return Ok(());
    }
    let mut message = Message::new();
    // The numbers fit.
    let _ = write!(
        message,
        "tables of {elements} elements, where {TABLE_ELEMENTS_MAX} are allowed"
    );
    Err(LoadError::Module(message))
}

/// WAMR says only in words why it failed: "allocate memory failed", "allocate linear memory failed", "mmap memory failed", ….
fn tells_of_memory(message: &Message) -> bool {
    let words = b"memory failed";
    message.as_bytes().windows(words.len()).any(|found| found == words)
}

fn instantiate_error(error: NewError) -> RunError {
    match error {
        NewError::Stopped => RunError::Cancelled,
        NewError::Failed(message) => {
            log::debug!("instantiation failed: {message}");
            if tells_of_memory(&message) {
                RunError::NoRoom
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
