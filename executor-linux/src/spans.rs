//! How long the parts of each request took, written when the process ends: for `cargo xtask evaluate`.
//!
//! A line for each part that has ended, in that order: its thread's number, its name, its begin and its length, in nanoseconds.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use executor_core::spans::records;

/// Names the file.
const VARIABLE: &str = "EXECUTOR_SPANS";

/// Open the file, while the sandbox still lets it be made.
///
/// # Errors
/// What the system says.
pub fn open() -> io::Result<Option<File>> {
    std::env::var_os(VARIABLE).map(File::create).transpose()
}

/// Write what there is.
///
/// # Errors
/// What the system says.
pub fn write(file: Option<File>) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let mut file = BufWriter::new(file);
    for record in records() {
        writeln!(
            file,
            "{} {} {} {}",
            record.thread,
            record.part.name(),
            record.begin_ns,
            record.length_ns
        )?;
    }
    file.flush()
}
