//! Writes a file, reads it back and removes it: `{"dir":"/tmp/filesys"}`.
//!
//! The directory must exist, and the operator must have allowed it (`--allow-dir`).

use std::path::Path;
use std::time::{Instant, SystemTime};
use std::{fs, io};

use serde::{Deserialize, Serialize};

openwhisk_action::main!(filesys);

#[derive(Deserialize)]
struct Input {
    dir: Option<String>,
}

#[derive(Serialize)]
struct Output {
    success: bool,
    /// In milliseconds.
    write_read_time: u128,
    content: String,
}

fn filesys(input: Input) -> Result<Output, io::Error> {
    let now_ns = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(io::Error::other)?
        .as_nanos();
    let directory = input.dir.as_deref().unwrap_or("/tmp/filesys");
    let path = Path::new(directory).join(format!("{now_ns}.txt"));

    let start = Instant::now();
    fs::write(&path, "Hello, Wasm.")?;
    let content = fs::read_to_string(&path)?;
    let write_read_time = start.elapsed().as_millis();

    fs::remove_file(&path)?;
    Ok(Output {
        success: true,
        write_read_time,
        content,
    })
}
