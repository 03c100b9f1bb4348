//! The fake engine and the fake machine. Both write down what happens, in order, in a [`World`].
//!
//! The fake engine's modules are a Wasm header and a script: a word, and perhaps a colon and more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};

use action_bundle::{Bounds, NodeTarget, Policy, WamrVersion};
use executor_core::executor::{ContainerKey, Executor, Settings, Slot};
use executor_core::json::{self, Str, Value};
use executor_core::node::{NoPort, Node};
use executor_core::openwhisk::{Variable, activation_variables, init_variables};
use executor_core::runtime::{
    Finished, Init, LoadError, Logs, OutOfMemory, Run, RunError, Runtime, Stopper, Trap, Watch,
};

pub const WASM_HEADER: &[u8] = b"\0asm\x01\0\0\0";
pub const AOT_HEADER: &[u8] = b"\0aot\x06\0\0\0";

/// What the tests set, and what has happened.
pub struct World {
    pub events: Mutex<Vec<String>>,
    pub draining: AtomicBool,
    pub now_ms: AtomicU64,
    /// The longest buffer that [`Runtime::buffer`] gives, in bytes.
    pub memory: AtomicUsize,
    /// How many buffers it still gives.
    pub buffers: AtomicUsize,
    /// For how many actions, all together, an action `hungry` finds room to run.
    pub room: AtomicUsize,
    pub loaded: AtomicUsize,
    /// Ports that are free; `None` if containers have none.
    pub ports: Mutex<Option<Vec<u16>>>,
    pub open_ports: Mutex<HashMap<u16, ContainerKey>>,
    /// A `gate` script tells here that it has come, and waits for a word to go on.
    pub gate: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

impl World {
    pub fn new() -> Self {
        World {
            events: Mutex::default(),
            draining: AtomicBool::new(false),
            now_ms: AtomicU64::new(1000),
            memory: AtomicUsize::new(usize::MAX),
            buffers: AtomicUsize::new(usize::MAX),
            room: AtomicUsize::new(usize::MAX),
            loaded: AtomicUsize::new(0),
            ports: Mutex::new(None),
            open_ports: Mutex::default(),
            gate: Mutex::default(),
        }
    }

    pub fn event(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
    }

    /// What has happened since this was asked last.
    pub fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    fn pass_gate(&self) {
        // A client that fuzzing plays knows the word, but has no gate.
        let Some((come, go)) = self.gate.lock().unwrap().take() else {
            return;
        };
        come.send(()).expect("the test waits");
        go.recv().expect("the test lets go");
    }
}

pub type TestExecutor<'s, 'w> = Executor<'s, Engine<'w>, Machine<'w>, parking_lot::RawMutex>;

/// Settings for tests: bare AOT code is taken.
pub fn settings() -> Settings<'static> {
    let node = NodeTarget {
        target: "x86_64",
        cpu_features: &[],
        bounds: Bounds::Software,
        wamr: WamrVersion {
            major: 2,
            minor: 4,
            patch: 3,
        },
        aot_format: 6,
    };
    Settings::new(Policy {
        trusted_keys: &[],
        trust_any_aot: true,
        allow_uninterruptible: true,
        node: Some(node),
        artifact_max_bytes: 1 << 20,
        verified: None,
    })
}

/// Do something with an executor that has room for so many containers.
pub fn with_executor<T>(
    places: usize,
    settings: Settings<'_>,
    test: impl FnOnce(&TestExecutor<'_, '_>, &World) -> T,
) -> T {
    let world = World::new();
    let mut slots: Vec<Slot<Action<'_>>> = Vec::new();
    slots.resize_with(places, Slot::default);
    let mut hashes = vec![0; places];
    let mut slots = slots.as_mut_slice();
    let executor = Executor::new(Engine(&world), Machine(&world), settings, &mut slots, &mut hashes);
    test(&executor, &world)
}

pub struct Machine<'w>(pub &'w World);

impl Node for Machine<'_> {
    fn open_port(&self, container: ContainerKey) -> Result<Option<u16>, NoPort> {
        let mut ports = self.0.ports.lock().unwrap();
        let Some(free) = ports.as_mut() else { return Ok(None) };
        let port = free.pop().ok_or(NoPort)?;
        self.0.open_ports.lock().unwrap().insert(port, container);
        Ok(Some(port))
    }

    fn close_port(&self, container: ContainerKey) {
        self.0.event(format!("close {container}"));
        let mut open = self.0.open_ports.lock().unwrap();
        let port = open
            .iter()
            .find(|(_, owner)| **owner == container)
            .map(|(port, _)| *port);
        if let Some(port) = port {
            open.remove(&port);
            self.0.ports.lock().unwrap().as_mut().expect("it was open").push(port);
        }
    }

    fn activation_ended(&self, logs: Logs<'_>) {
        let text = |stream| String::from_utf8_lossy(stream).into_owned();
        self.0
            .event(format!("ended {}|{}", text(logs.stdout), text(logs.stderr)));
    }

    fn uptime_ms(&self) -> u64 {
        self.0.now_ms.load(Ordering::SeqCst)
    }

    fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }
}

pub struct Engine<'w>(&'w World);

/// A loaded script.
#[derive(Clone)]
pub struct Action<'w>(Arc<Loaded<'w>>);

struct Loaded<'w> {
    world: &'w World,
    script: String,
    main: Option<String>,
    env: Option<Vec<u8>>,
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        self.world.loaded.fetch_sub(1, Ordering::SeqCst);
        self.world.event(format!("unload {}", self.script));
    }
}

/// Scripts end by themselves.
pub struct NoStopper;

impl Stopper for NoStopper {
    fn stop(&self) {}
}

impl<'w> Runtime for Engine<'w> {
    type Buffer = Vec<u8>;
    type Action = Action<'w>;
    type Finished = Ended<'w>;
    type Stopper = NoStopper;

    fn buffer(&self, len: usize) -> Result<Vec<u8>, OutOfMemory> {
        let has_one = |count: usize| count.checked_sub(1);
        if len > self.0.memory.load(Ordering::SeqCst)
            || self
                .0
                .buffers
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, has_one)
                .is_err()
        {
            return Err(OutOfMemory);
        }
        Ok(vec![0xaa; len])
    }

    fn load(&self, init: Init<'_, Vec<u8>>) -> Result<Action<'w>, LoadError> {
        let body = init.body.as_ref();
        let holder = init.inflated.as_ref().map_or(body, Vec::as_slice);
        let artifact = &holder[init.artifact.range.clone()];
        let script = match init.artifact.kind {
            action_bundle::Kind::Wasm => artifact.strip_prefix(WASM_HEADER),
            action_bundle::Kind::Aot => {
                assert_eq!(artifact.as_ptr().align_offset(16), 0, "AOT code has to be aligned");
                artifact.strip_prefix(AOT_HEADER)
            }
        };
        let not_a_script = || LoadError::Module("not a script".try_into().expect("short"));
        let script = script.and_then(|script| String::from_utf8(script.to_vec()).ok());
        let script = script.filter(|script| is_script(script)).ok_or_else(not_a_script)?;
        let main = init.main.map(|range| {
            let content = Str::new(&body[range]).expect("it was checked");
            String::from_utf8(content.bytes().collect()).expect("it was checked")
        });
        let env = init.env.map(|range| body[range].to_vec());
        match script.as_str() {
            "no main" => return Err(LoadError::MissingMain),
            "no abi" => return Err(LoadError::UnknownAbi),
            "bad module" => return Err(LoadError::Module("unexpected \"end\"".try_into().expect("short"))),
            "too large" => return Err(LoadError::OutOfMemory),
            "gate load" => self.0.pass_gate(),
            _ => {}
        }
        self.0.loaded.fetch_add(1, Ordering::SeqCst);
        Ok(Action(Arc::new(Loaded {
            world: self.0,
            script,
            main,
            env,
        })))
    }

    fn run(&self, action: &Action<'w>, run: &Run<'_>, _: &impl Watch<NoStopper>) -> Ended<'w> {
        let script = action.0.script.as_str();
        let (word, rest) = script.split_once(':').unwrap_or((script, ""));
        let answer = match word {
            "echo" | "log" => Ok(run.value.to_vec()),
            "gate" => {
                self.0.pass_gate();
                Ok(run.value.to_vec())
            }
            "answer" => Ok(rest.into()),
            "repeat" => Ok(format!("[\"{}\"]", "x".repeat(repeated_bytes(rest).expect("is_script") - 4)).into_bytes()),
            "main" => Ok(format!("[{:?}]", action.0.main).into_bytes()),
            "deadline" => Ok(format!("[{}]", run.deadline_epoch_ms.unwrap_or_default()).into_bytes()),
            "env" => Ok(environment(action, run).into_bytes()),
            "trap" => Err(RunError::Trap(Trap::IntegerDivideByZero)),
            "exit" => Err(RunError::Exit(3)),
            "overrun" => Err(RunError::Deadline { limit_ms: 60_000 }),
            "abandoned" => Err(RunError::Cancelled),
            "hungry" if self.0.loaded.load(Ordering::SeqCst) > self.0.room.load(Ordering::SeqCst) => {
                self.0.event("no room");
                Err(RunError::NoRoom)
            }
            "hungry" => Ok(b"[]".to_vec()),
            "out of memory" => Err(RunError::OutOfMemory),
            "silent" => Err(RunError::NoAnswer),
            other => panic!("no such script: {other}"),
        };
        let logs = if word == "log" {
            ("to stdout\n", "to stderr\n")
        } else {
            ("", "")
        };
        Ended {
            world: self.0,
            answer,
            logs,
            _action: action.clone(),
        }
    }

    fn prepare(&self, action: &Action<'w>, _: &impl Watch<NoStopper>) {
        self.0.event(format!("prepare {}", action.0.script));
    }
}

/// Whether a run knows what to do.
fn is_script(script: &str) -> bool {
    let (word, rest) = script.split_once(':').unwrap_or((script, ""));
    match word {
        "echo" | "log" | "gate" | "answer" | "main" | "deadline" | "env" | "trap" | "exit" | "overrun"
        | "abandoned" | "hungry" | "out of memory" | "silent" => true,
        "repeat" => repeated_bytes(rest).is_some(),
        _ => matches!(script, "no main" | "no abi" | "bad module" | "too large" | "gate load"),
    }
}

/// How long an answer is wanted, brackets and quotes included.
fn repeated_bytes(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|bytes| (4..=4 << 20).contains(bytes))
}

/// The environment of a run as a JSON object, later variables over earlier ones.
fn environment(action: &Action<'_>, run: &Run<'_>) -> String {
    let mut variables = serde_json::Map::new();
    let mut add = |variable: Variable<'_>| {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        variables.insert(text(variable.name().collect()), text(variable.value().collect()).into());
    };
    if let Some(env) = &action.0.env {
        let Ok(Value::Object(env)) = json::parse(env) else {
            panic!("env is an object")
        };
        init_variables(&env).for_each(&mut add);
    }
    activation_variables(&run.fields).for_each(&mut add);
    serde_json::Value::Object(variables).to_string()
}

/// A run that has ended.
pub struct Ended<'w> {
    world: &'w World,
    answer: Result<Vec<u8>, RunError>,
    logs: (&'static str, &'static str),
    _action: Action<'w>,
}

impl Finished for Ended<'_> {
    fn answer(&self) -> Result<&[u8], RunError> {
        self.answer.as_deref().map_err(|error| *error)
    }

    fn logs(&self) -> Logs<'_> {
        Logs {
            stdout: self.logs.0.as_bytes(),
            stderr: self.logs.1.as_bytes(),
        }
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.world.event("put back");
    }
}
