//! What runs actions: the border between the protocol and an engine.
//!
//! The executor knows an engine only by these traits. The tests' fake runtime and WAMR (feature `wamr`) implement them.

use core::fmt;
use core::ops::Range;

use action_bundle::Artifact;

use crate::json::Object;

/// Loads actions and runs them. Shared by all threads that serve requests.
pub trait Runtime {
    /// One owned, contiguous, writable stretch of memory: the body of an `/init`, or an inflated artifact.
    type Buffer: AsRef<[u8]> + AsMut<[u8]>;
    /// A loaded action: a counted handle, cheap to clone; the last one unloads.
    type Action: Clone;
    /// One run that has ended. It owns the instance, so that the answer can leave straight from guest memory.
    type Finished: Finished;
    /// Stops one run.
    type Stopper: Stopper;

    /// Reserve `len` bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is no room: the client gets an error, nothing else changes.
    fn buffer(&self, len: usize) -> Result<Self::Buffer, OutOfMemory>;

    /// Make a buffer `len` bytes long: it keeps what it holds, or the first `len` bytes of that. An engine whose allocator
    /// can resize a block where it lies does better than this, which copies and has both for a moment.
    ///
    /// # Errors
    /// [`OutOfMemory`]: the buffer is as it was.
    fn resize(&self, buffer: &mut Self::Buffer, len: usize) -> Result<(), OutOfMemory> {
        let mut other = self.buffer(len)?;
        let kept = other.as_ref().len().min(buffer.as_ref().len());
        if let (Some(into), Some(from)) = (other.as_mut().get_mut(..kept), buffer.as_ref().get(..kept)) {
            into.copy_from_slice(from);
        }
        *buffer = other;
        Ok(())
    }

    /// Whether there is likely to be memory for loading an artifact. If not, idle containers are removed before it is tried.
    fn has_room(&self, artifact: &Artifact) -> bool {
        let _ = artifact;
        true
    }

    /// Load the artifact of an `/init`. Nothing of the guest runs yet.
    ///
    /// # Errors
    /// [`LoadError`] says what the action's developer has to mend.
    fn load(&self, init: Init<'_, Self::Buffer>) -> Result<Self::Action, LoadError>;

    /// Run the action once, on an instance whose state is that of a fresh one, until it ends or `watch` stops it.
    fn run(&self, action: &Self::Action, run: &Run<'_>, watch: &impl Watch<Self::Stopper>) -> Self::Finished;

    /// Make the next instance ready. Called when no client waits: after the reply of an `/init` has left. (After a run, it
    /// is the drop of [`Runtime::Finished`] that puts the instance back.)
    fn prepare(&self, action: &Self::Action, watch: &impl Watch<Self::Stopper>);
}

/// Stops one run, from any thread: it ends as soon as its guest looks. Without effect once the run has ended.
pub trait Stopper: Send + Sync + 'static {
    /// Stop the run.
    fn stop(&self);
}

/// Whoever stops what takes too long, or what nobody waits for any more. It serves one thread, which runs one guest at a time.
pub trait Watch<S: Stopper> {
    /// A guest is about to run. Until [`Watch::end`], `stopper` may be used.
    fn begin(&self, stopper: S, occasion: Occasion);

    /// The guest has ended. Why it was stopped, if it was.
    fn end(&self) -> Option<StopReason>;
}

/// What a guest runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A run.
    Run {
        /// When it must have ended, in milliseconds since the Unix epoch.
        deadline_epoch_ms: Option<u64>,
    },
    /// The next instance is made ready, and no client waits: see [`crate::limits::PREPARATION_MAX_MS`].
    Preparation,
}

/// Why a guest was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Its time was over.
    TimeLimit {
        /// As much as it had.
        limit_ms: u64,
    },
    /// Nobody waits for it.
    ClientGone,
}

/// Lets everything run for as long as it likes: for tests, and where nobody waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl<S: Stopper> Watch<S> for Unwatched {
    fn begin(&self, _: S, _: Occasion) {}

    fn end(&self) -> Option<StopReason> {
        None
    }
}

/// The outcome of one run, alive until the reply has left.
pub trait Finished {
    /// The bytes that the guest gave as its result, in guest memory, not yet checked to be JSON; or why there are none.
    ///
    /// # Errors
    /// [`RunError`]: the run ended without a result.
    fn answer(&self) -> Result<&[u8], RunError>;

    /// What the guest wrote to its standard output and standard error.
    fn logs(&self) -> Logs<'_>;
}

/// What a guest wrote during one activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logs<'a> {
    /// Standard output (for a WASI command without its last line, which is the result).
    pub stdout: &'a [u8],
    /// Standard error.
    pub stderr: &'a [u8],
}

/// Bytes where they were received.
#[derive(Debug, PartialEq, Eq)]
pub enum Body<'b, B> {
    /// In the worker's inbox: gone when the reply is written.
    InPlace(&'b mut [u8]),
    /// In memory of their own.
    Owned(B),
    /// There for good, and never written: in flash.
    Permanent(&'static [u8]),
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Body<'_, B> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Body::InPlace(bytes) => bytes,
            Body::Owned(buffer) => buffer.as_ref(),
            Body::Permanent(bytes) => bytes,
        }
    }
}

impl<B: AsMut<[u8]>> Body<'_, B> {
    /// The bytes, where they may be written.
    pub fn writable(&mut self) -> Option<&mut [u8]> {
        match self {
            Body::InPlace(bytes) => Some(bytes),
            Body::Owned(buffer) => Some(buffer.as_mut()),
            Body::Permanent(_) => None,
        }
    }
}

/// An `/init`, decoded: who needs which bytes, and where they are.
#[derive(Debug)]
pub struct Init<'b, B> {
    /// The request's body: JSON, with the base64 of `code` decoded in place.
    pub body: Body<'b, B>,
    /// The artifact, if it was compressed.
    pub inflated: Option<B>,
    /// The artifact: a range of `inflated` if there is one, else of `body`.
    pub artifact: Artifact,
    /// The value of `main`: a JSON string's content (without its quotes) in `body`. `None` if absent or empty.
    pub main: Option<Range<usize>>,
    /// The value of `env`: a JSON object's text in `body`. `None` if absent or `null`.
    pub env: Option<Range<usize>>,
}

/// A `/run`, decoded.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The value of `value`, as the bytes that came: a JSON object or array.
    pub value: &'a [u8],
    /// The body's members: those that are strings, except `value`, are the activation's `__OW_*` variables.
    pub fields: Object<'a>,
    /// When the run must have ended, in milliseconds since the Unix epoch.
    pub deadline_epoch_ms: Option<u64>,
}

/// No memory for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Why an artifact was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The engine refused the module; its own words.
    Module(heapless::String<128>),
    /// The module's exports fit none of the guest ABIs.
    UnknownAbi,
    /// `main` names an export that is not there, or is not a function of the type that the ABI wants.
    MissingMain,
    /// `main` cannot be decoded (longer than 128 bytes).
    MainTooLong,
    /// No memory for the module.
    OutOfMemory,
}

/// Why a run has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunError {
    /// The guest trapped.
    Trap(Trap),
    /// The guest ended its process with this code, without or with output.
    Exit(u32),
    /// No instance could be made: the guest's start function failed, or a segment does not fit.
    Instantiate,
    /// No memory for an instance now: nothing of the guest has run.
    NoRoom,
    /// The guest has no memory for the input.
    OutOfMemory,
    /// The guest's answer does not lie in its memory, or what it returned is not of its ABI's form.
    BadAnswer,
    /// The guest gave no answer.
    NoAnswer,
    /// The answer is longer than [`crate::limits::RESULT_MAX_BYTES`].
    AnswerTooLong,
    /// The input does not fit the ABI (the 131,071 bytes of a WASI command's argument do not count: it also has stdin).
    InputTooLong,
    /// The run did not end before its deadline.
    Deadline {
        /// As much time as it had.
        limit_ms: u64,
    },
    /// The run was stopped since nobody waits for it: there is nobody to tell.
    Cancelled,
}

impl From<StopReason> for RunError {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::TimeLimit { limit_ms } => RunError::Deadline { limit_ms },
            StopReason::ClientGone => RunError::Cancelled,
        }
    }
}

/// The traps of the WebAssembly specification, and the one that every engine adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `unreachable` was executed: in most languages, a panic or an abort.
    Unreachable,
    /// A memory access out of bounds.
    OutOfBoundsMemory,
    /// A table access out of bounds.
    OutOfBoundsTable,
    /// An indirect call to a null element.
    UninitializedElement,
    /// An indirect call to a function of another type.
    IndirectCallTypeMismatch,
    /// Integer division by zero.
    IntegerDivideByZero,
    /// Integer overflow, or a conversion that does not fit.
    IntegerOverflow,
    /// Conversion of a NaN to an integer.
    InvalidConversion,
    /// The call stack is exhausted.
    StackOverflow,
    /// A call of an import that the executor does not supply.
    UnknownImport,
    /// Anything else.
    Other,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trap::Unreachable => "unreachable executed",
            Trap::OutOfBoundsMemory => "out of bounds memory access",
            Trap::OutOfBoundsTable => "out of bounds table access",
            Trap::UninitializedElement => "uninitialized element",
            Trap::IndirectCallTypeMismatch => "indirect call type mismatch",
            Trap::IntegerDivideByZero => "integer divide by zero",
            Trap::IntegerOverflow => "integer overflow",
            Trap::InvalidConversion => "invalid conversion to integer",
            Trap::StackOverflow => "call stack exhausted",
            Trap::UnknownImport => "call of an import that this executor does not supply",
            Trap::Other => "trap",
        })
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl core::error::Error for OutOfMemory {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Module(reason) => write!(f, "the engine refuses the module ({reason}): build it again"),
            LoadError::UnknownAbi => f.write_str(
                "the module exports neither ow_allocate and ow_run, nor WOW's buffer functions, nor _start: \
                 build it with the SDK, or as a WASI command",
            ),
            LoadError::MissingMain => {
                f.write_str("the module exports no function of the name and type that main asks for")
            }
            LoadError::MainTooLong => f.write_str("main is longer than 128 bytes"),
            LoadError::OutOfMemory => f.write_str("this node has no memory for the module now"),
        }
    }
}

impl core::error::Error for LoadError {}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Trap(trap) => write!(f, "An error has occurred: the action trapped: {trap}."),
            RunError::Exit(code) => write!(f, "An error has occurred: the action exited with code {code}."),
            RunError::Instantiate => f.write_str(
                "The action cannot be started: its start function failed, or its data does not fit into its memory.",
            ),
            RunError::NoRoom => f.write_str(
                "This node has no memory left for the action now: other actions hold it. Try again later, or elsewhere.",
            ),
            RunError::OutOfMemory => f.write_str(
                "The action has run out of memory: make its input or its memory smaller, or raise the executor's limit.",
            ),
            RunError::BadAnswer => {
                f.write_str("The action's answer is not in its memory, or not of the form that its ABI asks for.")
            }
            RunError::NoAnswer => f.write_str("The action did not return a dictionary or array."),
            RunError::AnswerTooLong => f.write_str(
                "The action's result is too long (OpenWhisk takes 1 MiB): store it elsewhere, and return where it is.",
            ),
            RunError::InputTooLong => f.write_str("The action's input is too long for its ABI."),
            RunError::Deadline { limit_ms } => {
                write!(f, "The action exceeded its time limits of {limit_ms} milliseconds.")
            }
            RunError::Cancelled => f.write_str("The action was stopped, since its client has gone."),
        }
    }
}

impl core::error::Error for RunError {}
