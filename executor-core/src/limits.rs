//! Every size and time that the executor enforces, with its reason.
//!
//! A limit that an operator may change is the default of a setting in [`crate::executor::Settings`]; the others are the
//! protocol's or follow from it.

/// A request's head: the request line and all header fields. Eight times what OpenWhisk's invoker sends.
pub const HEAD_MAX_BYTES: usize = 8 * 1024;

/// The extensions of a body's chunks and its trailers, together: nothing here uses them. As much as a head may have.
pub const CHUNK_EXTRAS_MAX_BYTES: usize = HEAD_MAX_BYTES;

/// An `/init` body. OpenWhisk limits an action's code to 48 MiB *as base64*; with JSON and environment around it, a runtime
/// must accept at least 64 MiB. A node with a small memory budget takes less, and says so.
pub const INIT_BODY_MAX_BYTES: usize = 64 * 1024 * 1024;

/// A `/run` body. `whisk.activation.payload.max` is 1 MiB for `value`; the other fields (names, ids, an API key) are small,
/// but a sequence hands on a result of 1 MiB with them.
pub const RUN_BODY_MAX_BYTES: usize = RESULT_MAX_BYTES + 64 * 1024;

/// The body of a `/start` or `destroy`: at most a container's id.
pub const CONTROL_BODY_MAX_BYTES: usize = 1024;

/// A result. `whisk.activation.payload.max`: the invoker cuts off what is longer.
pub const RESULT_MAX_BYTES: usize = 1024 * 1024;

/// An artifact after inflation: a compressed zip entry that claims more is refused before anything is reserved for it.
pub const ARTIFACT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What one run may write to its log (stdout and stderr together). OpenWhisk's default log limit.
pub const LOG_MAX_BYTES: usize = 10 * 1024 * 1024;

/// A container's id: OpenWhisk and WOW use UUIDs (36 characters).
pub const CONTAINER_ID_MAX_BYTES: usize = 64;

/// A container that has not been used for this long is removed. OpenWhisk removes its containers after 10 minutes, and some
/// of its container factories never tell: ours must live a little longer.
pub const CONTAINER_IDLE_MAX_MS: u64 = 11 * 60 * 1000;

/// JSON nested deeper than this is refused: a bound for the checker's own memory (one bit a level).
pub const JSON_MAX_DEPTH: usize = 256;

/// Linear memory of one instance. OpenWhisk's default memory limit of an action.
pub const GUEST_MEMORY_MAX_BYTES: usize = 256 * 1024 * 1024;

/// Elements of all tables of one instance. Each costs 4 bytes from the instance's start on, is put back after each run, and can be
/// written by one instruction, which nothing cuts short: this many take a millisecond or so. Compilers make one element of each
/// function whose address is taken; the largest modules have some ten thousand.
pub const TABLE_ELEMENTS_MAX: u64 = 1_000_000;

/// The interpreter's operand stack and the room for frames, per instance in use.
pub const GUEST_STACK_BYTES: usize = 64 * 1024;

/// How long a run may take if its request sets no earlier deadline. OpenWhisk's longest action timeout.
pub const RUN_MAX_MS: u64 = 300_000;

/// How long an instance may take to be made ready after an `/init`, while no client waits. What takes longer is done by each
/// run that needs it, in the run's own time: the client's next request may be waiting behind this.
pub const PREPARATION_MAX_MS: u64 = 1000;

const _: () = assert!(
    RUN_BODY_MAX_BYTES > RESULT_MAX_BYTES,
    "a result must fit as the next action's input"
);
const _: () = assert!(
    CONTAINER_IDLE_MAX_MS > 10 * 60 * 1000,
    "OpenWhisk still uses a container that is idle for 10 minutes"
);
const _: () = assert!(INIT_BODY_MAX_BYTES >= 64 * 1024 * 1024, "the contract asks for 64 MiB");
