//! Logs: `log`'s records, and what guests write.

use core::fmt::{self, Write};

use executor_core::runtime::Logs;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::board::{self, Board, Console};
use crate::watch;

/// Marks the end of one activation's log. The value is OpenWhisk's (`ActivationEntityLimit`, all runtimes).
const SENTINEL: &[u8] = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";

/// A serial port may need minutes for a long text; that is not standing still, which ends with a reset.
const PIECE_BYTES: usize = 1024;

/// Formats straight to the console of errors.
pub(crate) struct Lines(pub(crate) &'static dyn Board);

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(Console::Errors, text.as_bytes());
        Ok(())
    }
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        let Some(board) = board::get().filter(|_| self.enabled(record.metadata())) else {
            return;
        };
        let milliseconds = board.uptime_us() / 1000;
        // The console takes everything.
        let _ = writeln!(
            Lines(board),
            "[{:5}.{:03}] {}: {}",
            milliseconds / 1000,
            milliseconds % 1000,
            record.level(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Records go to the console from now on.
pub(crate) fn start() {
    // Fails if it was set before, which it was to this.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Info);
}

/// One activation has ended: what it wrote, then the sentinel, on both consoles. The text of both goes out before either
/// sentinel, as on Linux.
pub(crate) fn activation_ended(logs: Logs<'_>) {
    let Some(board) = board::get() else { return };
    for (console, text) in [(Console::Errors, logs.stderr), (Console::Output, logs.stdout)] {
        for piece in text.chunks(PIECE_BYTES) {
            watch::note_progress();
            board.write(console, piece);
        }
        if text.last().is_some_and(|&byte| byte != b'\n') {
            board.write(console, b"\n");
        }
    }
    board.write(Console::Errors, SENTINEL);
    board.write(Console::Output, SENTINEL);
}
