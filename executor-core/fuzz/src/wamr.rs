//! The product's engine, as the executor drives it, in a process that has one.

use std::sync::{Arc, OnceLock};

use action_bundle::{Artifact, ContentHash, Kind};
use executor_core::json::Object;
use executor_core::runtime::{Body, Finished, Init, LoadError, Run, RunError, Runtime, Unwatched};
use executor_core::wamr::{Action, Buffer, Config, Engine};
use executor_wasi::{Errno, Host, Interrupted, NoFiles};
use parking_lot::RawMutex;

/// A machine with a clock that stands still.
pub struct StillHost;

impl Host for StillHost {
    type Directory = NoFiles;
    type File = NoFiles;

    fn realtime_ns(&self) -> Option<u64> {
        Some(1_000_000_007)
    }

    fn monotonic_ns(&self) -> u64 {
        7
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        bytes.fill(9);
        Ok(())
    }

    fn sleep_ns(&self, _: u64) -> Result<(), Interrupted> {
        Ok(())
    }
}

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
    // Freed on return: what still points into it is found by the sanitizer.
    let mut body = module.to_vec();
    let init = Init::<Buffer> {
        body: Body::InPlace(&mut body),
        inflated: None,
        artifact: Artifact {
            kind: Kind::Wasm,
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
