//! The product's engine, as the executor drives it, in a process that has one.

use std::sync::{Arc, OnceLock};

use action_bundle::{Artifact, ContentHash, Kind};
use executor_core::json::Object;
use executor_core::runtime::{Finished, Init, LoadError, Run, RunError, Runtime, Unwatched};
use executor_core::wamr::{Action, Buffer, Config, Engine};
use parking_lot::RawMutex;

use crate::host::StillHost;

pub type Loaded = Arc<Action<RawMutex>>;

/// The pages that an instance's memory may have.
pub const MEMORY_MAX_PAGES: u32 = 8;

fn engine() -> &'static Engine<StillHost, RawMutex> {
    static ENGINE: OnceLock<Engine<StillHost, RawMutex>> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let config = Config {
            guest_memory_max_bytes: MEMORY_MAX_PAGES as usize * 64 * 1024,
            ..Config::default()
        };
        Engine::start(StillHost, config).expect("the first engine of this process")
    })
}

/// As the executor hands a module on.
pub fn load(module: &[u8]) -> Result<Loaded, Box<LoadError>> {
    load_as(Kind::Wasm, module)
}

/// The same of either kind.
pub fn load_as(kind: Kind, module: &[u8]) -> Result<Loaded, Box<LoadError>> {
    let mut body = engine().buffer(module.len()).expect("memory for an input");
    body.as_mut().copy_from_slice(module);
    let init = Init::<Buffer> {
        body,
        inflated: None,
        artifact: Artifact {
            kind,
            range: 0..module.len(),
            hash: ContentHash::of(module),
        },
        main: None,
        env: None,
    };
    engine().load(init).map_err(Box::new)
}

pub fn prepare(action: &Loaded) {
    engine().prepare(action, &Unwatched);
}

/// The answer is read as long as the instance holds it; then the instance is put back.
pub fn run(action: &Loaded, value: &[u8]) -> Result<Vec<u8>, RunError> {
    let run = Run {
        value,
        fields: Object::EMPTY,
        deadline_epoch_ms: None,
    };
    let finished = engine().run(action, &run, &Unwatched);
    finished.answer().map(<[u8]>::to_vec)
}

/// How many modules the process has loaded.
pub fn modules_loaded() -> usize {
    engine().modules_loaded()
}
