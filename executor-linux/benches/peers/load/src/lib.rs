//! `PROGRAM BUNDLE COUNT`: load the native code of a bundle, instantiate it, and let both go, so many times. A line for each
//! time: the nanoseconds of all three.

use std::env;
use std::fs;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use action_bundle::{Bundle, Kind};
use anyhow::{Context, Result};

/// As the executor has it.
const ALIGNMENT_BYTES: usize = 16;

/// A loader of native code.
pub trait Loader {
    type Module;

    /// `code` may be written to. It is aligned to 16 bytes, and gone when the module is.
    fn load(&self, code: &mut [u8]) -> Result<Self::Module>;
    /// The instance stays until the module goes.
    fn instantiate(&self, module: &mut Self::Module) -> Result<()>;
}

pub fn main<L: Loader>(start: impl FnOnce() -> Result<L>) -> ExitCode {
    match start().and_then(|loader| measure(&loader)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(loader: &impl Loader) -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let path = arguments.next().context("the bundle's path is missing")?;
    let count = arguments.next().and_then(|count| count.to_str()?.parse().ok());
    let count: usize = count.context("how many times?")?;
    let bundle = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let code = native_code(&bundle)?;
    let mut room = vec![0; code.len() + ALIGNMENT_BYTES];
    let start = room.as_ptr().align_offset(ALIGNMENT_BYTES);
    let room = room.get_mut(start..start + code.len()).context("there is room")?;
    let mut lines = String::new();
    for _ in 0..count {
        // A fresh copy, as base64 leaves it: in the processor's caches.
        room.copy_from_slice(code);
        let mut times = [Duration::ZERO; 3];
        let begin = Instant::now();
        let mut module = loader.load(room)?;
        times[0] = begin.elapsed();
        let begin = Instant::now();
        loader.instantiate(&mut module)?;
        times[1] = begin.elapsed();
        let begin = Instant::now();
        drop(module);
        times[2] = begin.elapsed();
        let [load, instantiate, unload] = times.map(|time| time.as_nanos());
        lines += &format!("{load} {instantiate} {unload}\n");
    }
    std::io::stdout().write_all(lines.as_bytes())?;
    Ok(())
}

fn native_code(bundle: &[u8]) -> Result<&[u8]> {
    let bundle = Bundle::open(bundle).context("this is no bundle")?;
    let mut artifacts = bundle.manifest().artifacts();
    let native = artifacts
        .find(|artifact| artifact.form.kind() == Kind::Aot)
        .context("the bundle has no native code")?;
    bundle
        .entry(native.entry)
        .with_context(|| format!("{} cannot be read", native.entry))
}
