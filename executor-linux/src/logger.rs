//! The executor's own messages: one line each on standard error, quiet when all is well.
//!
//! Whoever logs may hold a lock that others wait for. So a message that nobody reads is lost, after [`PATIENCE`] or, if the
//! one before was, at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use log::{LevelFilter, Log, Metadata, Record};

use crate::patient_write::{self, Lost};

/// How long a message waits for its reader.
const PATIENCE: Duration = Duration::from_millis(100);

struct Logger {
    /// The last message was lost because nobody read.
    is_stalled: AtomicBool,
}

static LOGGER: Logger = Logger {
    is_stalled: AtomicBool::new(false),
};

/// Pass on messages of this level and above. A second call changes the level only.
pub fn start(level: LevelFilter) {
    // The only error is that a logger is set already: ours.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(level);
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let (seconds, milliseconds) = (now.as_secs(), now.subsec_millis());
        let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
        let level = record.level().as_str().to_ascii_lowercase();
        // One write, so that messages of several threads do not mix. Nobody may be reading: no reason to stop.
        let line = format!(
            "{hours:02}:{minutes:02}:{:02}.{milliseconds:03}Z executor {level}: {}\n",
            seconds % 60,
            record.args()
        );
        let patience = if self.is_stalled.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let written = patient_write::write_all(std::io::stderr(), [line.as_bytes()], patience);
        self.is_stalled.store(written == Err(Lost::Stalled), Ordering::Relaxed);
    }

    fn flush(&self) {}
}
