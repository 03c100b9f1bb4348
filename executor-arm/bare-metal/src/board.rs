//! What a board supplies.

use core::ptr::addr_of;

use crate::baked::Baked;
use crate::one_core::Mutex;

/// A board: its clock, consoles, watchdog, and how it sleeps and resets. All may be called by the timer's handler, too.
pub trait Board: Sync {
    /// Microseconds since the start; never goes back.
    fn uptime_us(&self) -> u64;

    /// Write to a console, waiting until it has taken everything.
    fn write(&self, console: Console, bytes: &[u8]);

    /// Sleep until an interrupt: the timer's, or the network device's. Must not sleep if one has come already since the
    /// network was polled.
    fn wait_for_interrupt(&self);

    /// Let the watchdog wait for another period: it resets the board if this is not called for some seconds.
    fn feed_watchdog(&self);

    /// Reset the board.
    fn reset(&self) -> !;

    /// Make the region of native code ([`Memory::code`]) writable and not executable, or the reverse.
    fn code_is_writable(&self, is_writable: bool);

    /// Seconds since the Unix epoch, if the board knows the date.
    fn epoch_s(&self) -> Option<u64> {
        None
    }

    /// Fill `bytes` with random numbers that are fit for keys. False: the board has none.
    fn random(&self, bytes: &mut [u8]) -> bool {
        let _ = bytes;
        false
    }
}

/// Where text goes. A board with one console writes both there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// What guests write to their standard output.
    Output,
    /// What guests write to their standard error, and the executor's own log.
    Errors,
}

/// A stretch of memory that belongs to nobody else.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    start: usize,
    bytes: usize,
}

impl Region {
    /// Take a stretch of memory as (start, bytes).
    ///
    /// # Safety
    /// It exists, is readable and writable, and nothing else uses it from now on, nor another `Region`.
    #[allow(unsafe_code)]
    #[must_use]
    pub const unsafe fn new((start, bytes): (usize, usize)) -> Self {
        Region { start, bytes }
    }

    /// Its lowest address.
    #[must_use]
    pub fn start(&self) -> *mut u8 {
        core::ptr::with_exposed_provenance_mut(self.start)
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A board's memory.
#[derive(Debug)]
pub struct Memory {
    /// Native code.
    pub code: Region,
    /// Linear memories.
    pub pages: Region,
    /// WAMR's heap.
    pub engine: Region,
    /// Bodies, and code while it is loaded.
    pub bodies: Region,
    /// The program, and what is baked into the image, as (start, bytes): native code that lies there may run there.
    pub flash: (usize, usize),
    /// The lowest address of the stack that [`crate::start`] is called on.
    pub stack_limit: *mut u8,
}

/// What an image is built with.
#[derive(Debug)]
pub struct Configuration {
    /// The board's name.
    pub name: &'static str,
    /// AOT code that one of these keys has signed may run.
    pub trust: &'static [&'static str],
    /// Actions that the image holds.
    pub baked: &'static [Baked],
    /// The most containers at once.
    pub containers_max: usize,
    /// The most linear memory of one instance, in bytes.
    pub instance_max_bytes: usize,
    /// The longest that a guest may run.
    pub run_max_ms: u64,
    /// Features of the processor beyond its target's, by `rustc`'s names.
    pub cpu_features: &'static [&'static str],
    /// How the board is reached.
    pub network: crate::network::Configuration,
}

static BOARD: Mutex<Option<&'static dyn Board>> = Mutex::new(None);

/// Called once, before anything else of this crate.
pub(crate) fn set(board: &'static dyn Board) {
    *BOARD.lock() = Some(board);
}

/// The board, once it is set.
pub(crate) fn get() -> Option<&'static dyn Board> {
    // A copy of two words: the handler finds the lock taken only while they are read, and goes without.
    BOARD.try_lock().and_then(|board| *board)
}

/// Microseconds since the start; 0 before there is a board.
pub(crate) fn uptime_us() -> u64 {
    get().map_or(0, Board::uptime_us)
}

/// Milliseconds since the start.
pub(crate) fn uptime_ms() -> u64 {
    uptime_us() / 1000
}

/// For a seed that differs from boot to boot, where nothing better is there: what memory held at power-up of a stack frame,
/// and the clock.
pub(crate) fn weak_seed() -> u64 {
    let here = 0_u8;
    uptime_us().rotate_left(32) ^ addr_of!(here).addr() as u64
}
