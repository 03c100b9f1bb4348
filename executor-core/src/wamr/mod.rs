//! WAMR as the executor's [`Runtime`]: the interpreter and AOT code.
//!
//! Takes decoded `/init`s and `/run`s, gives loaded actions and finished runs. Knows no requests, no JSON but the envelope
//! of WOW's ABI, no status.
//!
//! | module | what it is |
//! | --- | --- |
//! | `raw` | the border: WAMR's handles as owned Rust types; the only unsafe code |
//! | `modules` | which modules are loaded, by their content |
//! | `shared` | a loaded module and its pool of instances: what the containers of one content share |
//! | `action` | a loaded action: a container's own part, `main` and environment |
//! | `abi` | the three guest ABIs, and how each is run |
//! | `imports` | what a guest can import: WASI preview 1 and `http.get` |
//! | `budget` | how much memory bodies and code may take |
//! | `finished` | a run that has ended, and the return of its instance |
//!
//! **Invariant.** A run gets an instance whose state is that of a fresh one: either it is fresh, or its last call returned
//! and `raw::Snapshot` has put back everything that a guest can write. After a trap, an exit or a stop an instance is dropped. So an
//! instance belongs to no container: those of the same content (the hash of the very bytes that an `/init` brought, once
//! they were allowed to run) take theirs from one pool.

mod abi;
mod action;
mod budget;
mod environment;
mod finished;
mod imports;
mod modules;
mod raw;
mod shared;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use action_bundle::{Artifact, Bounds, Kind, NodeTarget, WamrVersion};
use executor_wasi::Host;
use lock_api::{Mutex, RawMutex};

pub use self::action::Action;
use self::budget::Budget;
pub use self::finished::Finished;
use self::modules::Modules;
pub use self::raw::Buffer;
use self::raw::ExecEnv;
pub use self::raw::RunStopper;
use self::shared::SharedModule;
use crate::limits::{GUEST_MEMORY_MAX_BYTES, GUEST_STACK_BYTES};
use crate::runtime::{Init, LoadError, Occasion, OutOfMemory, Run, Runtime, StopReason, Watch};

/// A WebAssembly page.
const WASM_PAGE_BYTES: usize = 64 * 1024;

/// AOT code keeps its frames on the thread's stack; an environment only has to exist.
const AOT_STACK_BYTES: u32 = 1024;

/// Execution environments that wait for the next run. Runs beyond as many at once make their own.
const ENVIRONMENTS_KEPT: usize = 64;

/// What an operator may set.
pub struct Config {
    /// The most linear memory that one instance may have, in bytes.
    pub guest_memory_max_bytes: usize,
    /// The most memory that bodies and code take, all together: of requests that are being served, and of loaded modules
    /// that are kept (AOT code's data). In bytes.
    pub buffers_max_bytes: usize,
    /// The most memory that WAMR takes: linear memories as they grow, native code, and what it makes of modules and instances.
    /// In bytes.
    pub engine_max_bytes: usize,
    /// Instances that are kept ready for each container; containers of the same content share theirs. More runs at once
    /// make theirs on the way.
    pub spares_max: usize,
    /// Variables that every guest sees: `KEY=value` and a NUL, for each.
    pub environment: Box<[u8]>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            guest_memory_max_bytes: GUEST_MEMORY_MAX_BYTES,
            buffers_max_bytes: usize::MAX,
            engine_max_bytes: usize::MAX,
            spares_max: 4,
            environment: Box::default(),
        }
    }
}

/// The engine: WAMR, started. There is one in a process.
pub struct Engine<H, L> {
    host: H,
    config: Config,
    budget: Arc<Budget>,
    modules: Modules<SharedModule<L>, L>,
    interpreter_environments: Mutex<L, heapless::Vec<ExecEnv, ENVIRONMENTS_KEPT>>,
    aot_environments: Mutex<L, heapless::Vec<ExecEnv, ENVIRONMENTS_KEPT>>,
}

/// Why the engine does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// There is one in this process already.
    AlreadyStarted,
    /// WAMR has no memory for its tables.
    OutOfMemory,
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            StartError::AlreadyStarted => "the WebAssembly engine is already running in this process",
            StartError::OutOfMemory => "out of memory while starting the WebAssembly engine",
        })
    }
}

impl core::error::Error for StartError {}

/// The AOT code that this build of WAMR can run: the instruction set that it was compiled for, software bounds.
/// `cpu_features` are the machine's, as detected.
#[must_use]
pub fn node_target<'a>(cpu_features: &'a [&'a str]) -> NodeTarget<'a> {
    let ((major, minor, patch), aot_format) = raw::version();
    let number = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let wamr = WamrVersion {
        major: number(major),
        minor: number(minor),
        patch: number(patch),
    };
    NodeTarget {
        target: raw::AOT_TARGET,
        cpu_features,
        bounds: Bounds::Software,
        wamr,
        aot_format,
    }
}

/// Prepare the calling thread, so that its first run does not have to.
pub fn prepare_thread() {
    raw::prepare_thread();
}

impl<H: Host, L: RawMutex> Engine<H, L> {
    /// Start WAMR.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn start(host: H, config: Config) -> Result<Self, StartError> {
        static IS_STARTED: AtomicBool = AtomicBool::new(false);
        if IS_STARTED.swap(true, Ordering::AcqRel) {
            return Err(StartError::AlreadyStarted);
        }
        if !raw::start(config.engine_max_bytes) || !imports::register() {
            return Err(StartError::OutOfMemory);
        }
        Ok(Engine {
            host,
            budget: Arc::new(Budget::new(config.buffers_max_bytes)),
            config,
            modules: Modules::new(),
            interpreter_environments: Mutex::new(heapless::Vec::new()),
            aot_environments: Mutex::new(heapless::Vec::new()),
        })
    }

    /// How many modules are loaded: one for each content that a container has.
    pub fn modules_loaded(&self) -> usize {
        self.modules.len()
    }

    /// How much memory WAMR has taken, in bytes: of [`Config::engine_max_bytes`].
    pub fn memory_taken(&self) -> usize {
        raw::memory_taken()
    }

    fn environments(&self, kind: Kind) -> &Mutex<L, heapless::Vec<ExecEnv, ENVIRONMENTS_KEPT>> {
        match kind {
            Kind::Wasm => &self.interpreter_environments,
            Kind::Aot => &self.aot_environments,
        }
    }

    /// Call `work` with an execution environment (one that waits, or a new one), and let `watch` stop it. Says why it was
    /// stopped, if it was: whatever `work` gave is then not to be used.
    fn with_environment<T>(
        &self,
        kind: Kind,
        watch: &impl Watch<RunStopper>,
        occasion: Occasion,
        work: impl FnOnce(&mut ExecEnv) -> T,
    ) -> Result<(T, Option<StopReason>), OutOfMemory> {
        let waiting = self.environments(kind).lock().pop();
        let mut environment = match waiting {
            Some(environment) => environment,
            None => ExecEnv::new(Self::stack_bytes(kind))?,
        };
        watch.begin(environment.begin_run(), occasion);
        let result = work(&mut environment);
        let stopped = watch.end();
        // One too many is dropped, which frees it.
        let _ = self.environments(kind).lock().push(environment);
        Ok((result, stopped))
    }

    fn stack_bytes(kind: Kind) -> u32 {
        match kind {
            #[expect(clippy::cast_possible_truncation, reason = "a constant, far below 4 GiB")]
            Kind::Wasm => GUEST_STACK_BYTES as u32,
            Kind::Aot => AOT_STACK_BYTES,
        }
    }

    fn max_memory_pages(&self) -> u32 {
        u32::try_from(self.config.guest_memory_max_bytes / WASM_PAGE_BYTES).unwrap_or(u32::MAX)
    }
}

impl<H: Host, L: RawMutex> Runtime for Engine<H, L> {
    type Buffer = Buffer;
    type Action = Arc<Action<L>>;
    type Finished = Finished<L>;
    type Stopper = RunStopper;

    fn buffer(&self, len: usize) -> Result<Buffer, OutOfMemory> {
        Buffer::new(&self.budget, len)
    }

    fn resize(&self, buffer: &mut Buffer, len: usize) -> Result<(), OutOfMemory> {
        buffer.resize(len)
    }

    fn has_room(&self, artifact: &Artifact) -> bool {
        // The fast interpreter's code is up to four times as long as a module; native code is copied once.
        let estimate = artifact.range.len().saturating_mul(match artifact.kind {
            Kind::Wasm => 4,
            Kind::Aot => 2,
        });
        let left = self.config.engine_max_bytes.saturating_sub(raw::memory_taken());
        estimate <= left || self.modules.get(&(artifact.hash, artifact.kind)).is_some()
    }

    fn load(&self, init: Init<'_, Buffer>) -> Result<Arc<Action<L>>, LoadError> {
        self.load_action(init).map(Arc::new)
    }

    fn run(&self, action: &Arc<Action<L>>, run: &Run<'_>, watch: &impl Watch<RunStopper>) -> Finished<L> {
        abi::run(self, action, run, watch)
    }

    fn prepare(&self, action: &Arc<Action<L>>, watch: &impl Watch<RunStopper>) {
        if action.spares() > 0 {
            return;
        }
        let prepared = self.with_environment(action.shared.kind, watch, Occasion::Preparation, |environment| {
            self.instantiate(&action.shared, environment)
        });
        match prepared {
            Ok((Ok(ready), None)) => action.put_back(ready),
            // The next run meets the same error and tells the client.
            Ok((Err(error), None)) => log::debug!("no spare instance: {error:?}"),
            Ok((_, Some(reason))) => log::debug!("no spare instance: {reason:?}"),
            Err(error) => log::debug!("no spare instance: {error}"),
        }
    }
}
