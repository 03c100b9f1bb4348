//! What the executor does with the native code of an `/init` when it is allowed to run: the engine's `load` and `prepare`, and
//! what the end of the last container does. No container has this content: each time it is loaded.

#[path = "../../../../../executor-core/tests/engine/host.rs"]
mod host;

use std::process::ExitCode;

use action_bundle::{Artifact, ContentHash, Kind};
use anyhow::{Result, anyhow, ensure};
use executor_core::runtime::{Body, Init, Runtime, Unwatched};
use executor_core::wamr::{Config, Engine, prepare_thread};
use parking_lot::RawMutex;

use host::StillHost;

struct Loader(Engine<StillHost, RawMutex>);

impl peer_load::Loader for Loader {
    type Module = <Engine<StillHost, RawMutex> as Runtime>::Action;

    fn load(&self, code: &mut [u8]) -> Result<Self::Module> {
        let artifact = Artifact {
            kind: Kind::Aot,
            range: 0..code.len(),
            // A name: it is checked before an engine has it. It was not loaded before, or is not any more.
            hash: ContentHash::of(b""),
        };
        let init = Init {
            body: Body::InPlace(code),
            inflated: None,
            artifact,
            main: None,
            env: None,
        };
        self.0.load(init).map_err(|error| anyhow!("{error:?}"))
    }

    fn instantiate(&self, module: &mut Self::Module) -> Result<()> {
        self.0.prepare(module, &Unwatched);
        ensure!(module.spares() == 1, "there is no instance");
        Ok(())
    }
}

fn main() -> ExitCode {
    peer_load::main(|| {
        let engine = Engine::start(StillHost, Config::default())?;
        prepare_thread();
        Ok(Loader(engine))
    })
}
