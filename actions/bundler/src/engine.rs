//! The executor's own engine, to load an artifact once before it is bundled.
//!
//! Some modules compile to code that does not load; some are valid, but not for this engine. Who builds a bundle learns it,
//! not who sends it. Nothing of the guest runs.

use std::sync::OnceLock;

use action_bundle::{Artifact, ContentHash, Kind, NodeTarget};
use anyhow::{Result, anyhow};
use executor_core::runtime::{Body, Init, Runtime};
use executor_core::wamr::{self, Config, Engine, StartError};
use executor_wasi::{Errno, Host, Interrupted, NoFiles};
use parking_lot::RawMutex;

/// Load an artifact and forget it.
pub fn load(kind: Kind, bytes: &[u8]) -> Result<()> {
    let engine = engine().as_ref().map_err(|error| anyhow!("{error}"))?;
    let mut body = engine.buffer(bytes.len()).map_err(|error| anyhow!("{error}"))?;
    body.as_mut().copy_from_slice(bytes);
    let artifact = Artifact {
        kind,
        range: 0..bytes.len(),
        hash: ContentHash::of(bytes),
    };
    engine
        .load(Init {
            body: Body::Owned(body),
            inflated: None,
            artifact,
            main: None,
            env: None,
        })
        .map_err(|error| anyhow!("{error}"))?;
    Ok(())
}

/// What AOT code has to be for the engine of this machine's executor.
pub fn node_target() -> NodeTarget<'static> {
    wamr::node_target(&[])
}

/// There is one engine in a process.
fn engine() -> &'static Result<Engine<Nowhere, RawMutex>, StartError> {
    static ENGINE: OnceLock<Result<Engine<Nowhere, RawMutex>, StartError>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start(Nowhere, Config::default()))
}

/// The machine of guests that never run.
struct Nowhere;

impl Host for Nowhere {
    type Directory = NoFiles;
    type File = NoFiles;

    fn realtime_ns(&self) -> Option<u64> {
        None
    }

    fn monotonic_ns(&self) -> u64 {
        0
    }

    fn random(&self, _: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::Nosys)
    }

    fn sleep_ns(&self, _: u64) -> Result<(), Interrupted> {
        Err(Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_has_the_last_word() {
        let module = |text: &str| wat::parse_str(text).unwrap();
        let good = module(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
        for _ in 0..2 {
            load(Kind::Wasm, &good).unwrap();
        }
        assert!(load(Kind::Wasm, &good[..good.len() - 1]).is_err());
        assert!(
            load(Kind::Wasm, &module("(module)"))
                .unwrap_err()
                .to_string()
                .contains("_start")
        );
        assert!(load(Kind::Aot, b"\0aot\x06\0\0\0").is_err());
    }
}
