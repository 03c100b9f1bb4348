//! Containers, and what is done with them.
//!
//! **Takes** a [`Command`]. **Gives** an [`Outcome`]; between them it moves a container through its states and calls the
//! [`Runtime`].
//!
//! | state | `/init` | `/run` | leaves by |
//! | --- | --- | --- | --- |
//! | created | loads | refused | a load |
//! | initialising | refused | refused | the load's end: ready, or created again if it failed |
//! | ready | refused | runs, any number at once | removal |
//!
//! A container is removed by `destroy`, when it has been idle for [`Settings::idle_max_ms`], and when its place
//! is wanted and no container has been idle for longer. What runs in it goes on: it holds the action's handle itself.
//!
//! **Invariants.** The table's lock is held for look-ups and transitions only, never while something is loaded, run, freed
//! or while a port is opened. A stale [`ContainerKey`] never reaches the container that came after.
//!
//! **Not here.** Status codes, HTTP. The storage: the owner of the [`Executor`] supplies it, as large as it likes.

mod container;
mod load;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use action_bundle::CodeError;
use lock_api::{Mutex, RawMutex};

use crate::node::Node;
use crate::openwhisk::{Addressee, Command, ContainerId, InitRequest};
use crate::runtime::{Body, Finished as _, LoadError, OutOfMemory, Run, RunError, Runtime, Watch};

pub use container::ContainerKey;
pub use settings::Settings;
use table::{Entry, Removed, Table};
pub use table::{Slot, Slots};

/// Carries out commands. Shared by all threads that serve requests.
pub struct Executor<'s, R: Runtime, N: Node, L: RawMutex> {
    runtime: R,
    node: N,
    settings: Settings<'s>,
    table: Mutex<L, Table<'s, R::Action>>,
}

/// What a command has led to.
#[derive(Debug)]
pub enum Outcome<R: Runtime> {
    /// A container was made.
    Started {
        /// Its key.
        container: ContainerKey,
        /// Its port, if it has one of its own.
        port: Option<u16>,
    },
    /// The action was loaded; its handle, so that the next instance can be prepared when the reply has left.
    Initialised(R::Action),
    /// The action was not loaded.
    InitFailed(InitError),
    /// The action was run, whatever came of it.
    Ran(R::Finished),
    /// There is no container of this id any more.
    Destroyed,
    /// Nothing was done.
    Refused(Refusal),
}

/// Why an action was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitError {
    /// There is no code.
    MissingCode,
    /// The code holds nothing that may run here.
    Code(CodeError),
    /// The engine did not take it.
    Load(LoadError),
    /// No memory to inflate it.
    OutOfMemory,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node is shutting down.
    Draining,
    /// No container has this id or key.
    UnknownContainer,
    /// The container has an action, or is about to.
    AlreadyInitialised,
    /// The container has no action yet.
    NotInitialised,
    /// All containers are busy.
    TableFull,
    /// All ports are taken.
    NoPort,
}

impl<'s, R: Runtime, N: Node, L: RawMutex> Executor<'s, R, N, L> {
    /// An executor without containers. There can be as many as there is room for in both `slots` and `hashes`, which is for
    /// finding one by its id. What they held is forgotten.
    pub fn new(
        runtime: R,
        node: N,
        settings: Settings<'s>,
        slots: &'s mut dyn Slots<R::Action>,
        hashes: &'s mut [u32],
    ) -> Self {
        Executor {
            runtime,
            node,
            settings,
            table: Mutex::new(Table::new(slots, hashes)),
        }
    }

    /// The engine.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// The machine.
    pub fn node(&self) -> &N {
        &self.node
    }

    /// What the operator has set.
    pub fn settings(&self) -> &Settings<'s> {
        &self.settings
    }

    /// How many containers there are.
    pub fn container_count(&self) -> usize {
        self.table.lock().len()
    }

    /// Make a container that has no port of its own. If there is no place, the container that has been idle for longest is
    /// removed.
    ///
    /// # Errors
    /// [`Refusal::TableFull`]
    pub fn create(&self) -> Result<ContainerKey, Refusal> {
        let now_ms = self.node.uptime_ms();
        let (key, removed) = self.table.lock().create(None, now_ms).ok_or(Refusal::TableFull)?;
        self.dispose(removed);
        Ok(key)
    }

    /// Make a container that is never removed for having been idle: for an executor with one container, on a listener that
    /// stays.
    ///
    /// # Errors
    /// [`Refusal::TableFull`]
    pub fn create_fixed(&self) -> Result<ContainerKey, Refusal> {
        let key = self.create()?;
        self.table.lock().fix(key);
        Ok(key)
    }

    /// Remove a container. True if it was there.
    pub fn remove(&self, key: ContainerKey) -> bool {
        let removed = self.table.lock().remove(key);
        let was_there = removed.is_some();
        self.dispose(removed);
        was_there
    }

    /// Remove the containers that have been idle for too long; call this now and then. Returns how many there were.
    pub fn reap_idle(&self) -> usize {
        let now_ms = self.node.uptime_ms();
        let mut count = 0;
        loop {
            // One at a time: the lock is not held while an action is freed.
            let removed = self
                .table
                .lock()
                .remove_least_recently_used(now_ms, self.settings.idle_max_ms);
            if removed.is_none() {
                return count;
            }
            self.dispose(removed);
            count += 1;
        }
    }

    /// Reserve memory for a body. If there is none, idle containers make room, the longest idle first.
    ///
    /// # Errors
    /// [`OutOfMemory`]: no container is idle any more.
    pub fn buffer(&self, len: usize) -> Result<R::Buffer, OutOfMemory> {
        self.with_room(|runtime| runtime.buffer(len).and_then(|buffer| of_length(buffer, len)))
    }

    /// Make a buffer longer or shorter. If there is no memory, idle containers make room, the longest idle first.
    ///
    /// # Errors
    /// [`OutOfMemory`]: no container is idle any more.
    pub fn resize(&self, buffer: &mut R::Buffer, len: usize) -> Result<(), OutOfMemory> {
        self.with_room(|runtime| {
            runtime.resize(buffer, len)?;
            of_length(&*buffer, len).map(|_| ())
        })
    }

    /// Try until there is memory, or nothing more to free.
    fn with_room<T>(&self, mut attempt: impl FnMut(&R) -> Result<T, OutOfMemory>) -> Result<T, OutOfMemory> {
        loop {
            match attempt(&self.runtime) {
                Ok(result) => return Ok(result),
                Err(OutOfMemory) => {
                    if !self.remove_longest_idle() {
                        return Err(OutOfMemory);
                    }
                }
            }
        }
    }

    /// Make room: remove the container that has been idle for longest. False: none is idle.
    fn remove_longest_idle(&self) -> bool {
        let removed = self.table.lock().remove_least_recently_used(self.node.uptime_ms(), 0);
        let was_there = removed.is_some();
        self.dispose(removed);
        was_there
    }

    /// Carry out a command. `watch` may stop a run.
    pub fn execute(&self, command: Command<'_, Body<'_, R::Buffer>>, watch: &impl Watch<R::Stopper>) -> Outcome<R> {
        let outcome = match command {
            Command::Destroy(id, other) => Ok(self.destroy(&id, other.as_ref())),
            _ if self.node.is_draining() => Err(Refusal::Draining),
            Command::Start => self.start(),
            Command::Init(container, request) => self.init(&container, request),
            Command::Run(container, run) => self.run(&container, &run, watch),
        };
        outcome.unwrap_or_else(Outcome::Refused)
    }

    fn start(&self) -> Result<Outcome<R>, Refusal> {
        let container = self.create()?;
        let mut port = self.node.open_port(container);
        if port.is_err() {
            // An idle container's port is better used by this one. The new container is not idle for longer than it.
            let removed = self
                .table
                .lock()
                .remove_least_recently_used_except(container, self.node.uptime_ms());
            if removed.is_some() {
                self.dispose(removed);
                port = self.node.open_port(container);
            }
        }
        match port {
            Ok(port) if self.table.lock().is_current(container) => Ok(Outcome::Started { container, port }),
            Ok(_) => {
                // Others needed a place, and this container was the one that had been idle for longest.
                self.node.close_port(container);
                Err(Refusal::TableFull)
            }
            Err(_) => {
                self.remove(container);
                Err(Refusal::NoPort)
            }
        }
    }

    fn init(&self, addressee: &Addressee, request: InitRequest<Body<'_, R::Buffer>>) -> Result<Outcome<R>, Refusal> {
        let key = self.begin_init(addressee)?;
        // Whatever happens, the container must not stay in initialisation.
        let loaded = load::load(self, request);
        self.end_init(key, loaded)
    }

    /// Load an action that has come with the node, not from a client: `code` is what an `/init` has in base64. It stays,
    /// however long it is idle.
    pub fn install(&self, container: &Addressee, code: &'static [u8]) -> Outcome<R> {
        let installed = self.begin_init(container).and_then(|key| {
            let outcome = self.end_init(key, load::load_permanent(self, code))?;
            if matches!(outcome, Outcome::Initialised(_)) {
                self.table.lock().fix(key);
            }
            Ok(outcome)
        });
        installed.unwrap_or_else(Outcome::Refused)
    }

    /// Give a container an action that another has: nothing is read or loaded again.
    ///
    /// # Errors
    /// [`Refusal`]: it has one, or is gone.
    pub fn share(&self, container: ContainerKey, action: R::Action) -> Result<(), Refusal> {
        self.begin_init(&Addressee::Key(container))?;
        self.end_init(container, Ok(action)).map(|_| ())
    }

    fn end_init(&self, key: ContainerKey, loaded: Result<R::Action, InitError>) -> Result<Outcome<R>, Refusal> {
        let now_ms = self.node.uptime_ms();
        match loaded {
            Ok(action) => {
                if self.table.lock().end_init(key, Some(action.clone()), now_ms) {
                    Ok(Outcome::Initialised(action))
                } else {
                    Err(Refusal::UnknownContainer)
                }
            }
            Err(error) => {
                self.table.lock().end_init(key, None, now_ms);
                Ok(Outcome::InitFailed(error))
            }
        }
    }

    /// Find the container and claim it for one initialisation. An id that is not there yet makes a container, unless it has
    /// the form of those that [`Command::Start`] gave: that container is gone.
    fn begin_init(&self, addressee: &Addressee) -> Result<ContainerKey, Refusal> {
        let now_ms = self.node.uptime_ms();
        let mut table = self.table.lock();
        let mut removed = None;
        let key = match addressee {
            Addressee::Key(key) => *key,
            Addressee::Id(id) => match table.find(id) {
                Some(key) => key,
                None if ContainerKey::from_id(id).is_some() => return Err(Refusal::UnknownContainer),
                None => {
                    let key;
                    (key, removed) = table.create(Some(id.clone()), now_ms).ok_or(Refusal::TableFull)?;
                    key
                }
            },
        };
        let begun = table.begin_init(key);
        drop(table);
        self.dispose(removed);
        begun.map(|()| key)
    }

    fn run(&self, addressee: &Addressee, run: &Run<'_>, watch: &impl Watch<R::Stopper>) -> Result<Outcome<R>, Refusal> {
        let (key, action) = self.begin_run(addressee)?;
        let mut finished = self.runtime.run(&action, run, watch);
        // Nothing of the guest has run: idle containers make room for it, the longest idle first.
        while finished.answer() == Err(RunError::NoRoom) && self.remove_longest_idle() {
            finished = self.runtime.run(&action, run, watch);
        }
        self.table.lock().end_run(key, self.node.uptime_ms());
        // If the container was removed meanwhile, this may be the last handle: it goes after the lock.
        drop(action);
        Ok(Outcome::Ran(finished))
    }

    fn begin_run(&self, addressee: &Addressee) -> Result<(ContainerKey, R::Action), Refusal> {
        let mut table = self.table.lock();
        let key = match addressee {
            Addressee::Key(key) => *key,
            Addressee::Id(id) => table.find(id).ok_or(Refusal::UnknownContainer)?,
        };
        Ok((key, table.begin_run(key)?))
    }

    fn destroy(&self, id: &ContainerId, other: Option<&ContainerId>) -> Outcome<R> {
        let mut table = self.table.lock();
        let key = table.find(id).or_else(|| table.find(other?));
        let removed = key.and_then(|key| table.remove(key));
        drop(table);
        self.dispose(removed);
        Outcome::Destroyed
    }

    /// Free what a removed container held. Must not be called under the lock.
    fn dispose(&self, removed: Option<Removed<R::Action>>) {
        if let Some(Entry { key, action }) = removed {
            log::debug!("container {key} removed");
            self.node.close_port(key);
            drop(action);
        }
    }
}

/// An engine that gives another length than it was asked for has given nothing.
fn of_length<B: AsRef<[u8]>>(buffer: B, len: usize) -> Result<B, OutOfMemory> {
    if buffer.as_ref().len() == len {
        Ok(buffer)
    } else {
        Err(OutOfMemory)
    }
}
