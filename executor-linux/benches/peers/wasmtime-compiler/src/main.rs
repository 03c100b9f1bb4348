//! `wasmtime-compiler IN.wasm OUT.cwasm …`: compile modules for the peer on Wasmtime.

#[path = "../../wasmtime/src/config.rs"]
mod config;

use anyhow::{Context, Result};
use wasmtime::Engine;

fn main() -> Result<()> {
    // For this very machine: all that its processor can do.
    let config = config::config();
    let engine = Engine::new(&config)?;
    let files: Vec<String> = std::env::args().skip(1).collect();
    for pair in files.chunks(2) {
        let [from, to] = pair else {
            anyhow::bail!("an output is missing")
        };
        let module = std::fs::read(from).with_context(|| format!("cannot read {from}"))?;
        std::fs::write(to, engine.precompile_module(&module)?).with_context(|| format!("cannot write {to}"))?;
    }
    Ok(())
}
