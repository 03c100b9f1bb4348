//! The guest ABIs. `actions/ABI.md` specifies them.

mod lean;
mod wasi_command;
mod wow;

use alloc::ffi::CString;
use alloc::sync::Arc;
use core::ffi::CStr;

use executor_wasi::{Context, Environment, Host, Input, Output, OutputLimits, Stop};
use lock_api::RawMutex;

use super::Engine;
use super::action::Action;
use super::environment;
use super::finished::{Answer, Finished};
use super::imports::RunImports;
use super::raw::{CallError, ExecEnv, Export, Function, Instance, Module, RunStopper};
use super::shared::Ready;
use crate::limits::{LOG_MAX_BYTES, RESULT_MAX_BYTES};
use crate::runtime::{LoadError, Occasion, OutOfMemory, Run, RunError, Trap, Watch};
use crate::spans::{Part, enter};

/// How a module wants to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// Ours: `ow_allocate`, `ow_run`.
    Lean,
    /// WOW's: a buffer that the guest owns, and `_start`.
    Wow,
    /// A command: arguments, standard input and output.
    WasiCommand,
}

/// The functions that an ABI calls beside `main`, in one instance.
#[derive(Clone, Copy)]
pub enum Entries {
    /// The lean ABI's.
    Lean { allocate: Function },
    /// WOW's.
    Wow {
        allocate: Function,
        pointer: Function,
        length: Function,
    },
    /// A command has `main` alone.
    WasiCommand,
}

impl Abi {
    /// The ABI whose exports the module has. What `main` names is another question.
    ///
    /// # Errors
    /// [`LoadError::UnknownAbi`]
    pub fn recognise(module: &Module) -> Result<Self, LoadError> {
        if !module
            .exports()
            .any(|export| export.is_memory && export.name == c"memory")
        {
            return Err(LoadError::UnknownAbi);
        }
        Ok(if has(module, lean::ALLOCATE, "(i)i") {
            Abi::Lean
        } else if has(module, wow::ALLOCATE, "(i)")
            && has(module, wow::POINTER, "()i")
            && has(module, wow::LENGTH, "()i")
        {
            Abi::Wow
        } else {
            Abi::WasiCommand
        })
    }

    /// The name of the export that a run calls: `main` if it was given.
    ///
    /// # Errors
    /// [`LoadError::MissingMain`], or [`LoadError::UnknownAbi`] if there is no default either.
    pub fn main(self, module: &Module, main: Option<CString>) -> Result<CString, LoadError> {
        let (default_main, signature) = match self {
            Abi::Lean => (lean::RUN, "(ii)I"),
            Abi::Wow | Abi::WasiCommand => (wasi_command::START, "()"),
        };
        // OpenWhisk sends "main" for an action without one.
        let named = main.filter(|name| !name.is_empty() && name.as_c_str() != c"main");
        let missing = if named.is_some() {
            LoadError::MissingMain
        } else {
            LoadError::UnknownAbi
        };
        let main = named.unwrap_or_else(|| default_main.into());
        if has(module, &main, signature) {
            Ok(main)
        } else {
            Err(missing)
        }
    }

    /// The function to be called once after instantiation, if the module has one.
    pub(super) fn initialiser(self, instance: &Instance) -> Option<Function> {
        match self {
            Abi::Lean => instance.function(c"_initialize"),
            // A command initialises itself in `_start`.
            Abi::Wow | Abi::WasiCommand => None,
        }
    }
}

fn has(module: &Module, name: &CStr, signature: &str) -> bool {
    let is = |export: Export<'_>| export.name == name && export.signature.as_deref() == Some(signature);
    module.exports().any(is)
}

impl Entries {
    /// Look the functions up, once per instance.
    pub(super) fn find(abi: Abi, instance: &Instance) -> Option<Self> {
        Some(match abi {
            Abi::Lean => Entries::Lean {
                allocate: instance.function(lean::ALLOCATE)?,
            },
            Abi::Wow => Entries::Wow {
                allocate: instance.function(wow::ALLOCATE)?,
                pointer: instance.function(wow::POINTER)?,
                length: instance.function(wow::LENGTH)?,
            },
            Abi::WasiCommand => Entries::WasiCommand,
        })
    }
}

/// Run an action once.
pub(super) fn run<H: Host, L: RawMutex>(
    engine: &Engine<H, L>,
    action: &Arc<Action<L>>,
    run: &Run<'_>,
    watch: &impl Watch<RunStopper>,
) -> Finished<L> {
    let limits = OutputLimits {
        log_bytes: LOG_MAX_BYTES,
        result_bytes: RESULT_MAX_BYTES,
    };
    let mut output = Output::new(limits);
    let occasion = Occasion::Run {
        deadline_epoch_ms: run.deadline_epoch_ms,
    };
    let ended = engine.with_environment(action.shared.kind, watch, occasion, |environment| {
        match engine.take_instance(&action.shared, environment) {
            Ok(mut ready) => {
                let (is_reusable, answer) = run_on(engine, action, run, environment, &mut ready, &mut output);
                (Some(ready), is_reusable, answer)
            }
            Err(error) => (None, false, Err(error)),
        }
    });
    let (ready, is_reusable, answer) = match ended {
        Ok((ended, None)) => ended,
        // Also if it came to an end just then.
        Ok(((ready, ..), Some(reason))) => (ready, false, Err(reason.into())),
        Err(OutOfMemory) => (None, false, Err(RunError::NoRoom)),
    };
    Finished {
        action: Arc::clone(action),
        ready,
        is_reusable,
        answer,
        output,
    }
}

/// Whether the instance may be used again, and the answer.
fn run_on<H: Host, L: RawMutex>(
    engine: &Engine<H, L>,
    action: &Action<L>,
    run: &Run<'_>,
    environment: &mut ExecEnv,
    ready: &mut Ready,
    output: &mut Output,
) -> (bool, Result<Answer, RunError>) {
    let variables = match &action.environment {
        Some(of_init) => match environment::of_run(run, of_init, &engine.config.environment) {
            Ok(block) => block,
            Err(error) => return (true, Err(error)),
        },
        None => alloc::vec::Vec::new(),
    };
    let mut digits = heapless::String::<20>::new();
    let abi = action.shared.abi;
    let arguments = match abi {
        Abi::Lean => wasi_command::lean_arguments(),
        Abi::Wow => wow::arguments(run.value, &mut digits),
        Abi::WasiCommand => wasi_command::arguments(run.value),
    };
    let stdin = if abi == Abi::WasiCommand { run.value } else { &[] };
    let input = Input {
        arguments: &arguments,
        environment: Environment::new(&variables).unwrap_or_default(),
        stdin,
    };
    // Containers that share the instance may have named different ones: a search among the sorted exports.
    let Some(main) = ready.instance.function(&action.main) else {
        return (true, Err(RunError::Instantiate));
    };
    let is_stopped = environment.stopped();
    let mut context = Context::new(&engine.host, input, output);
    context.stop_when(&is_stopped);
    let mut imports = RunImports::new(context);
    let mut guest = Guest {
        instance: &mut ready.instance,
        environment,
        imports: &mut imports,
    };
    let span = enter(Part::Guest);
    let mut answer = match ready.entries {
        Entries::Lean { allocate } => lean::run(&mut guest, allocate, main, run.value),
        Entries::Wow {
            allocate,
            pointer,
            length,
        } => wow::run(&mut guest, allocate, pointer, length, main, run.value),
        Entries::WasiCommand => wasi_command::run(&mut guest, main),
    };
    span.end();
    let mut is_reusable = !matches!(answer, Err(RunError::Trap(_) | RunError::Exit(_) | RunError::Cancelled));
    // A run that WASI ended left its frames where they were.
    is_reusable &= imports.stop().is_none();
    drop(imports);
    match answer {
        Ok(Answer::LastLine) if output.last_line().is_empty() => answer = Err(RunError::NoAnswer),
        Ok(Answer::LastLine) if output.last_line().len() > RESULT_MAX_BYTES => answer = Err(RunError::AnswerTooLong),
        _ => {}
    }
    (is_reusable, answer)
}

/// One guest in one run: what every ABI calls it through.
struct Guest<'g, 'r, H: Host> {
    instance: &'g mut Instance,
    environment: &'g mut ExecEnv,
    imports: &'g mut RunImports<'r, H>,
}

impl<H: Host> Guest<'_, '_, H> {
    /// Call a function.
    fn call(&mut self, function: Function, arguments: [u32; 2]) -> Result<[u32; 2], RunError> {
        let mut cells = arguments;
        match self.instance.call(self.environment, function, &mut cells, self.imports) {
            Ok(()) => Ok(cells),
            // The watch says why.
            Err(CallError::Stopped) => Err(RunError::Cancelled),
            Err(CallError::Trap(trap)) => match self.imports.stop() {
                Some(Stop::Exit(code)) => Err(RunError::Exit(code)),
                Some(Stop::Interrupted) => Err(RunError::Cancelled),
                None => Err(RunError::Trap(trap)),
            },
        }
    }

    /// Call a function that may end the program: an exit with code 0 is a return.
    fn start(&mut self, function: Function) -> Result<(), RunError> {
        match self.call(function, [0; 2]) {
            Ok(_) | Err(RunError::Exit(0)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Copy the input to where the guest made room for it.
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), RunError> {
        let range = range(address, bytes.len())?;
        let room = self.instance.memory_mut().get_mut(range).ok_or(RunError::BadAnswer)?;
        room.copy_from_slice(bytes);
        Ok(())
    }

    /// An answer that the guest alleges to be at `address`, in an envelope of at most `envelope_bytes`.
    fn answer(&self, address: u32, len: u32, envelope_bytes: usize) -> Result<core::ops::Range<usize>, RunError> {
        let len = usize::try_from(len).map_err(|_| RunError::AnswerTooLong)?;
        if len > RESULT_MAX_BYTES + envelope_bytes {
            return Err(RunError::AnswerTooLong);
        }
        let range = range(address, len)?;
        if range.end > self.instance.memory().len() {
            return Err(RunError::BadAnswer);
        }
        Ok(range)
    }
}

fn range(address: u32, len: usize) -> Result<core::ops::Range<usize>, RunError> {
    let start = usize::try_from(address).map_err(|_| RunError::BadAnswer)?;
    let end = start.checked_add(len).ok_or(RunError::BadAnswer)?;
    Ok(start..end)
}

impl<H: Host, L: RawMutex> Engine<H, L> {
    /// Call a module's initialiser, outside of any run: without arguments, variables or input; what it prints is dropped.
    pub(super) fn initialise(
        &self,
        environment: &mut ExecEnv,
        instance: &mut Instance,
        initialiser: Function,
    ) -> Result<(), RunError> {
        let mut output = Output::new(OutputLimits {
            log_bytes: 0,
            result_bytes: 0,
        });
        let is_stopped = environment.stopped();
        let mut context = Context::new(&self.host, Input::default(), &mut output);
        context.stop_when(&is_stopped);
        let mut imports = RunImports::new(context);
        let called = Guest {
            instance,
            environment,
            imports: &mut imports,
        }
        .call(initialiser, [0; 2]);
        match called {
            Ok(_) if imports.stop().is_none() => Ok(()),
            Err(error @ (RunError::Trap(Trap::StackOverflow) | RunError::Cancelled)) => Err(error),
            Ok(_) | Err(_) => Err(RunError::Instantiate),
        }
    }
}
