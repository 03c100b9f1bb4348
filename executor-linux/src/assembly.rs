//! The executor, put together from what the operator has set.
//!
//! What it borrows (keys, container slots) lives as long as the process, like the executor itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fs, io};

use action_bundle::{KeyError, Policy, PublicKey, RecentlyVerified, Verified, VerifiedSignatures};
use executor_core::executor::{Executor, Settings, Slot, Slots};
use executor_core::wamr::{self, Config, Engine, StartError};
use log::warn;
use parking_lot::{Mutex, RawMutex};

use crate::command_line::arguments;
use crate::cpu_features;
use crate::node::LinuxNode;
use crate::wasi_files::{Grant, Machine};

/// The executor on Linux.
pub type LinuxExecutor = Executor<'static, Engine<Machine, RawMutex>, LinuxNode, RawMutex>;

/// How many signatures are remembered: as many bundles can be deployed again without another verification.
const SIGNATURES_REMEMBERED: usize = 64;

/// Why there is no executor.
#[derive(Debug)]
pub enum AssemblyError {
    /// The value of `--trust` is neither a key nor a file with one.
    Key(String, KeyError),
    /// The file of `--trust` cannot be read.
    KeyFile(String, io::Error),
    /// The directory of `--allow-dir` cannot be opened.
    Directory(Grant, io::Error),
    /// The engine does not start.
    Engine(StartError),
}

impl std::fmt::Display for AssemblyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AssemblyError::Key(value, error) => write!(f, "--trust {value}: {error}"),
            AssemblyError::KeyFile(value, error) => {
                write!(
                    f,
                    "--trust {value}: neither a key (ed25519-public:…) nor a file that can be read: {error}"
                )
            }
            AssemblyError::Directory(grant, error) => write!(f, "--allow-dir {}: {error}", grant.host.display()),
            AssemblyError::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AssemblyError {}

/// What may run here.
///
/// # Errors
/// [`AssemblyError::Key`], [`AssemblyError::KeyFile`]
pub fn policy(options: &arguments::Engine) -> Result<Policy<'static>, AssemblyError> {
    let keys = options
        .trust
        .iter()
        .map(|value| trusted_key(value))
        .collect::<Result<Vec<_>, _>>()?;
    if options.trust_any_aot {
        warn!("--trust-any-aot: native code runs with all rights of this process, whoever made it");
    }
    if options.allow_uninterruptible {
        warn!("--allow-uninterruptible-aot: a run of such code may hold its thread for ever");
    }
    Ok(Policy {
        trusted_keys: keys.leak(),
        trust_any_aot: options.trust_any_aot,
        allow_uninterruptible: options.allow_uninterruptible,
        node: Some(wamr::node_target(cpu_features::detect().leak())),
        artifact_max_bytes: options.memory_budget().artifact,
        verified: Some(Box::leak(Box::new(Remembered(Mutex::new(RecentlyVerified::new()))))),
    })
}

/// What follows from the options for requests; the rest is as the protocol has it.
///
/// # Errors
/// [`AssemblyError::Key`], [`AssemblyError::KeyFile`]
pub fn settings(options: &arguments::Engine) -> Result<Settings<'static>, AssemblyError> {
    Ok(Settings {
        init_body_max_bytes: options.memory_budget().init_body,
        ..Settings::new(policy(options)?)
    })
}

/// Put the executor together.
///
/// # Errors
/// [`AssemblyError`]
pub fn executor(
    options: &arguments::Engine,
    settings: Settings<'static>,
    node: LinuxNode,
    containers_max: usize,
) -> Result<LinuxExecutor, AssemblyError> {
    let machine = Machine::new(&options.allow_dirs).map_err(|(grant, error)| AssemblyError::Directory(grant, error))?;
    let budget = options.memory_budget();
    let config = Config {
        guest_memory_max_bytes: budget.instance,
        buffers_max_bytes: budget.buffers,
        engine_max_bytes: budget.engine,
        environment: environment(std::env::vars_os()),
        ..Config::default()
    };
    let engine = Engine::start(machine, config).map_err(AssemblyError::Engine)?;
    let places = Places(Vec::with_capacity(containers_max));
    Ok(Executor::new(
        engine,
        node,
        settings,
        Box::leak(Box::new(places)),
        vec![0; containers_max].leak(),
    ))
}

/// As many as there was room for at the start; it never moves.
struct Places<A>(Vec<Slot<A>>);

impl<A> AsRef<[Slot<A>]> for Places<A> {
    fn as_ref(&self) -> &[Slot<A>] {
        &self.0
    }
}

impl<A> AsMut<[Slot<A>]> for Places<A> {
    fn as_mut(&mut self) -> &mut [Slot<A>] {
        &mut self.0
    }
}

impl<A: Send> Slots<A> for Places<A> {
    fn push(&mut self, slot: Slot<A>) -> Result<(), Slot<A>> {
        if self.0.len() == self.0.capacity() {
            return Err(slot);
        }
        self.0.push(slot);
        Ok(())
    }
}

fn trusted_key(value: &str) -> Result<PublicKey, AssemblyError> {
    if let Ok(key) = value.parse() {
        return Ok(key);
    }
    if !Path::new(value).exists() && value.contains(':') {
        // Meant as a key.
        return value
            .parse()
            .map_err(|error| AssemblyError::Key(value.to_owned(), error));
    }
    let text = fs::read_to_string(value).map_err(|error| AssemblyError::KeyFile(value.to_owned(), error))?;
    text.parse()
        .map_err(|error| AssemblyError::Key(value.to_owned(), error))
}

/// The variables that every guest sees: those of OpenWhisk, and no others of this process. Each ends with a NUL.
fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Box<[u8]> {
    let mut block = Vec::new();
    for (name, value) in variables.filter(|(name, _)| name.as_bytes().starts_with(b"__OW_")) {
        block.extend_from_slice(name.as_bytes());
        block.push(b'=');
        block.extend_from_slice(value.as_bytes());
        block.push(0);
    }
    block.into_boxed_slice()
}

struct Remembered(Mutex<RecentlyVerified<SIGNATURES_REMEMBERED>>);

impl VerifiedSignatures for Remembered {
    fn contains(&self, verified: &Verified) -> bool {
        self.0.lock().contains(verified)
    }

    fn remember(&self, verified: Verified) {
        self.0.lock().remember(verified);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "ed25519-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn trusting(key: &str) -> arguments::Engine {
        arguments::Engine {
            trust: vec![key.to_owned()],
            trust_any_aot: false,
            allow_uninterruptible: false,
            allow_dirs: Vec::new(),
            sandbox: crate::sandbox::Mode::Off,
            memory_total_bytes: None,
            memory_max_bytes: None,
            run_max: Duration::from_secs(300),
            log: None,
        }
    }

    #[test]
    fn a_key_is_given_as_text_or_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pub");
        fs::write(&path, format!("{KEY}\n")).unwrap();
        let key: PublicKey = KEY.parse().unwrap();
        for value in [KEY, path.to_str().unwrap()] {
            let options = trusting(value);
            assert_eq!(policy(&options).unwrap().trusted_keys, [key]);
        }
        fs::write(&path, "something else").unwrap();
        for (value, complaint) in [
            (path.to_str().unwrap(), "a public key has the form"),
            ("ed25519-public:short", "a public key has the form"),
            ("/nonexistent/key.pub", "neither a key"),
        ] {
            let options = trusting(value);
            let error = policy(&options).err().unwrap().to_string();
            assert!(error.contains(value) && error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn guests_see_openwhisks_variables_only() {
        let variables = [("__OW_API_HOST", "h"), ("PATH", "/bin"), ("__OW_X", "")];
        let block = environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        assert_eq!(&*block, b"__OW_API_HOST=h\0__OW_X=\0");
    }
}
