//! The engine's behaviour, as cases that hold for interpreted and for AOT code alike.
//!
//! The caller says how a module is compiled. All cases of a process share one engine, as the process has one WAMR.
#![allow(dead_code, reason = "a test binary uses a part")]
#![allow(
    clippy::result_large_err,
    reason = "an error of loading holds the engine's words, as in the crate itself"
)]

pub mod bulk;
pub mod counted;
mod host;
pub mod stopping;

use std::sync::{Arc, OnceLock};

use action_bundle::{Artifact, ContentHash, Kind};
use executor_core::json;
use executor_core::runtime::{Body, Finished, Init, LoadError, Run, RunError, Runtime, Trap, Unwatched, Watch};
use executor_core::wamr::{Action, Buffer, Config, Engine, RunStopper};
use parking_lot::RawMutex;

use self::host::StillHost;

/// Turns a Wasm module into what is to be loaded.
pub type Compile = fn(wasm: &[u8]) -> (Kind, Vec<u8>);

type TestEngine = Engine<StillHost, RawMutex>;
type TestAction = Arc<Action<RawMutex>>;

fn engine() -> &'static TestEngine {
    static ENGINE: OnceLock<TestEngine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let config = Config {
            environment: (*b"__OW_API_HOST=here\0").into(),
            ..Config::default()
        };
        Engine::start(StillHost, config).expect("the first engine of this process")
    })
}

/// The module, main and environment of an `/init`, as the executor hands them on.
fn load_with(compile: Compile, wat: &str, main: Option<&str>, env: Option<&str>) -> Result<TestAction, LoadError> {
    let (kind, code) = compile(&wat::parse_str(wat).expect("the test's module is valid"));
    load_code(kind, &code, main, env)
}

fn load_code(kind: Kind, code: &[u8], main: Option<&str>, env: Option<&str>) -> Result<TestAction, LoadError> {
    // AOT files want their first byte aligned: it comes first, as from the executor.
    let mut text = code.to_vec();
    let mut place = |part: Option<&str>| {
        part.map(|part| {
            let start = text.len();
            text.extend_from_slice(part.as_bytes());
            start..text.len()
        })
    };
    let (main, env) = (place(main), place(env));
    let artifact = Artifact {
        kind,
        range: 0..code.len(),
        hash: ContentHash::of(code),
    };
    let loaded = engine().load(Init::<Buffer> {
        body: Body::InPlace(&mut text),
        inflated: None,
        artifact,
        main,
        env,
    });
    // The next request comes to where this one has lain.
    text.fill(0xaa);
    loaded
}

fn load(compile: Compile, wat: &str) -> TestAction {
    load_with(compile, wat, None, None).expect("the module loads")
}

struct Outcome {
    answer: Result<String, RunError>,
    stdout: String,
    stderr: String,
}

fn run_with(action: &TestAction, value: &str, fields: &str) -> Outcome {
    outcome(action, value, fields, &Unwatched)
}

fn outcome(action: &TestAction, value: &str, fields: &str, watch: &impl Watch<RunStopper>) -> Outcome {
    let json::Value::Object(fields) = json::parse(fields.as_bytes()).expect("the test's JSON is valid") else {
        panic!("fields are an object")
    };
    let run = Run {
        value: value.as_bytes(),
        fields,
        deadline_epoch_ms: None,
    };
    let finished = engine().run(action, &run, watch);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the test's guests write UTF-8");
    Outcome {
        answer: finished.answer().map(text),
        stdout: text(finished.logs().stdout),
        stderr: text(finished.logs().stderr),
    }
}

fn run(action: &TestAction, value: &str) -> Result<String, RunError> {
    run_watched(action, value, &Unwatched)
}

fn run_watched(action: &TestAction, value: &str, watch: &impl Watch<RunStopper>) -> Result<String, RunError> {
    outcome(action, value, "{}", watch).answer
}

/// The answer is what the guest says, and is read from where it says.
pub fn echoes(compile: Compile) {
    let action = load(compile, include_str!("guests/echo.wat"));
    for value in ["{}", r#"{"name":"value"}"#, "[1,2,3]"] {
        assert_eq!(run(&action, value), Ok(value.to_owned()));
    }
    let long = format!("\"{}\"", "x".repeat(60_000));
    assert_eq!(run(&action, &long), Ok(long));
    // One page of memory, and 1,024 bytes before the input.
    let too_long = "x".repeat(65_536 - 1024 + 1);
    assert_eq!(run(&action, &too_long), Err(RunError::BadAnswer));
    assert_eq!(run(&action, "{}"), Ok("{}".to_owned()));
}

/// No run sees what another did.
pub fn every_run_is_fresh(compile: Compile) {
    let wat = include_str!("guests/hostile.wat");
    let first = run(&load(compile, wat), "{}").expect("the guest answers");
    let action = load(compile, wat);
    for _ in 0..5 {
        assert_eq!(run(&action, "{}").as_ref(), Ok(&first));
    }
    // Prepared ahead, as after an init.
    engine().prepare(&action, &Unwatched);
    assert_eq!(run(&action, "{}"), Ok(first.clone()));
    // Several at once take instances of their own, and all of them come back fresh.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(run(&action, "{}").as_ref(), Ok(&first));
                }
            });
        }
    });
    // A memory that is larger than what is compared page by page takes the other way.
    let large = wat.replace("(export \"memory\") 2 64", "(export \"memory\") 20 64");
    assert_ne!(large, wat);
    let action = load(compile, &large);
    let first = run(&action, "{}").expect("the guest answers");
    for _ in 0..3 {
        assert_eq!(run(&action, "{}").as_ref(), Ok(&first));
    }
}

/// A fault ends the run with its name, and hurts neither the next run nor another container.
pub fn faults_are_contained(compile: Compile) {
    let neighbour = load(compile, include_str!("guests/echo.wat"));
    let action = load(compile, include_str!("guests/faulty.wat"));
    let cases = [
        (0, RunError::Trap(Trap::Unreachable)),
        (1, RunError::Trap(Trap::OutOfBoundsMemory)),
        (2, RunError::Trap(Trap::IntegerDivideByZero)),
        (3, RunError::Trap(Trap::StackOverflow)),
        (4, RunError::Trap(Trap::IndirectCallTypeMismatch)),
        (5, RunError::Trap(Trap::UninitializedElement)),
        (6, RunError::Trap(Trap::OutOfBoundsTable)),
        (7, RunError::BadAnswer),
        (8, RunError::BadAnswer),
        (9, RunError::NoAnswer),
    ];
    for (fault, error) in cases.iter().chain(&cases) {
        assert_eq!(
            run(&action, &format!("{{\"f\":{fault}}}")),
            Err(*error),
            "fault {fault}"
        );
        assert_eq!(run(&neighbour, "{}"), Ok("{}".to_owned()), "after fault {fault}");
    }
}

/// `main` names an export of the ABI's type.
pub fn main_is_checked(compile: Compile) {
    let wat = include_str!("guests/echo.wat");
    let load = |main| load_with(compile, wat, Some(main), None);
    assert!(load("").is_ok());
    assert_eq!(run(&load("main").expect("the default"), "{}"), Ok("{}".to_owned()));
    assert_eq!(run(&load("other").expect("an export"), "{}"), Err(RunError::NoAnswer));
    assert_eq!(
        run(&load("\\u006fther").expect("escaped"), "{}"),
        Err(RunError::NoAnswer)
    );
    for missing in ["nothing", "wrong", "memory", "ow_allocate", "oth\\u0000er"] {
        assert_eq!(load(missing).err(), Some(LoadError::MissingMain), "{missing}");
    }
    assert_eq!(load(&"x".repeat(129)).err(), Some(LoadError::MainTooLong));
}

/// What is not an action is refused when it is loaded, with a reason.
pub fn modules_are_checked(compile: Compile) {
    let refused = |wat: &str| {
        load_with(compile, wat, None, None)
            .err()
            .expect("the module is refused")
    };
    assert_eq!(refused("(module)"), LoadError::UnknownAbi);
    assert_eq!(
        refused(r#"(module (memory (export "memory") 1))"#),
        LoadError::UnknownAbi
    );
    let no_memory = r#"(module (func (export "_start")))"#;
    assert_eq!(refused(no_memory), LoadError::UnknownAbi);
    let wrong_type = r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#;
    assert_eq!(refused(wrong_type), LoadError::UnknownAbi);
    let unknown_import =
        r#"(module (import "env" "secret" (func)) (memory (export "memory") 1) (func (export "_start")))"#;
    let LoadError::Module(message) = refused(unknown_import) else {
        panic!("an engine's message")
    };
    assert!(message.contains("env.secret"), "{message}");
    let tables = |first: u32, other: u32| {
        format!(
            r#"(module (memory (export "memory") 1) (func (export "_start"))
                (table {first} {first} funcref) (table {other} {other} funcref))"#
        )
    };
    assert!(load_with(compile, &tables(999_999, 1), None, None).is_ok());
    let LoadError::Module(message) = refused(&tables(999_999, 2)) else {
        panic!("an engine's message")
    };
    assert!(message.contains("1000001"), "{message}");
    let LoadError::Module(message) = load_code(Kind::Wasm, b"\0asm\x01\0\0\0garbage", None, None)
        .err()
        .expect("refused")
    else {
        panic!("an engine's message")
    };
    assert!(!message.is_empty());
}

/// What cannot be instantiated says so at its run, and is no harm.
pub fn start_functions_may_fail(compile: Compile) {
    let rest = r#"(memory (export "memory") 1) (func (export "_start"))"#;
    for fault in [
        format!("(module {rest} (func $start unreachable) (start $start))"),
        format!(r#"(module {rest} (data (i32.const 65535) "xy"))"#),
    ] {
        let action = load(compile, &fault);
        engine().prepare(&action, &Unwatched);
        assert_eq!(run(&action, "{}"), Err(RunError::Instantiate));
    }
    let too_large = r#"(module (memory (export "memory") 5000) (func (export "_start")))"#;
    assert!(
        run(&load(compile, too_large), "{}").is_err(),
        "5,000 pages are over the limit of 256 MiB"
    );
}

/// WOW's ABI: the guest's buffer in, its `Ok` or `Err` out.
pub fn runs_wow(compile: Compile) {
    let answer = |json: &str| {
        let wat = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
                (import "http" "get" (func $get (result i32)))
                (memory (export "memory") 1)
                (global $length (mut i32) (i32.const 0))
                (data (i32.const 9000) "{}")
                (func (export "wasm_memory_buffer_allocate_space") (param i32) (global.set $length (local.get 0)))
                (func (export "get_wasm_memory_buffer_pointer") (result i32) (i32.const 4096))
                (func (export "get_wasm_memory_buffer_len") (result i32) (global.get $length))
                (func (export "_start")
                    ;; the sole argument is the length in decimal: two digits and a NUL
                    (drop (call $sizes (i32.const 0) (i32.const 4)))
                    (if (i32.ne (i32.load (i32.const 0)) (i32.const 1)) (then (unreachable)))
                    (if (i32.ne (i32.load (i32.const 4)) (i32.const 3)) (then (unreachable)))
                    (if (i32.ge_s (call $get) (i32.const 0)) (then (unreachable)))
                    (if (i32.ne (i32.load8_u (i32.const 4096)) (i32.const 123)) (then (unreachable)))
                    (memory.copy (i32.const 4096) (i32.const 9000) (i32.const {}))
                    (global.set $length (i32.const {}))))"#,
            json.replace('"', "\\22"),
            json.len(),
            json.len()
        );
        run(&load(compile, &wat), r#"{"n":1234}"#)
    };
    assert_eq!(answer(r#"{"Ok":{"result":4}}"#), Ok(r#"{"result":4}"#.to_owned()));
    assert_eq!(answer(r#" { "Ok" : [1] } "#), Ok("[1]".to_owned()));
    assert_eq!(answer(r#"{"Err":{"error":"no"}}"#), Ok(r#"{"error":"no"}"#.to_owned()));
    for bad in ["", "{}", "[]", r#"{"Ok":1,"Err":2}"#, r#"{"Other":1}"#, "{\"Ok\":"] {
        assert_eq!(answer(bad), Err(RunError::BadAnswer), "{bad}");
    }
}

/// A command that prints `lines` and exits with `code`.
fn command(lines: &str, code: Option<u32>) -> String {
    let exit = code
        .map(|code| format!("(call $exit (i32.const {code}))"))
        .unwrap_or_default();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) "{}")
            (func (export "_start")
                (i32.store (i32.const 0) (i32.const 1024))
                (i32.store (i32.const 4) (i32.const {}))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                {exit}))"#,
        lines.replace('"', "\\22").replace('\n', "\\0a"),
        lines.len()
    )
}

/// A WASI command: the last line is the answer, the lines before it are the log.
pub fn runs_commands(compile: Compile) {
    let outcome = |lines: &str, code| run_with(&load(compile, &command(lines, code)), "{}", "{}");
    for code in [None, Some(0)] {
        let action = load(compile, &command("one\ntwo\n{\"three\":3}\n", code));
        for _ in 0..3 {
            let outcome = run_with(&action, "{}", "{}");
            assert_eq!(outcome.answer, Ok("{\"three\":3}".to_owned()));
            assert_eq!(outcome.stdout, "one\ntwo\n");
            assert_eq!(outcome.stderr, "one\ntwo\n{\"three\":3}\n");
        }
    }
    assert_eq!(outcome("{}", None).answer, Ok("{}".to_owned()));
    assert_eq!(outcome("", None).answer, Err(RunError::NoAnswer));
    assert_eq!(outcome("{}\n", Some(3)).answer, Err(RunError::Exit(3)));
    // A failed run's output is its log, whole.
    assert_eq!(outcome("{}\n", Some(3)).stdout, "{}\n");
}

/// A command that prints its environment block, with a newline for each NUL.
fn prints_environment() -> String {
    r#"(module
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 60000) "{}")
        (func (export "_start") (local $i i32)
            (drop (call $sizes (i32.const 0) (i32.const 4)))
            (drop (call $get (i32.const 16) (i32.const 4096)))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $i) (i32.load (i32.const 4))))
                (if (i32.eqz (i32.load8_u (i32.add (i32.const 4096) (local.get $i))))
                    (then (i32.store8 (i32.add (i32.const 4096) (local.get $i)) (i32.const 10))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next)))
            (i32.store (i32.const 8) (i32.const 4096))
            (i32.store (i32.const 12) (local.get $i))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))
            (i32.store (i32.const 8) (i32.const 60000))
            (i32.store (i32.const 12) (i32.const 2))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))"#
        .to_owned()
}

/// A command's environment: the run's variables before those of the init, before the process's.
pub fn passes_the_environment(compile: Compile) {
    let wat = prints_environment();
    let env = r#"{"__OW_ACTION_NAME":"/ns/init","count":3,"list":[1],"none":null,"quoted":"a\"b\u00e9","bad=name":"x","nul":"a\u0000b"}"#;
    let action = load_with(compile, &wat, None, Some(env)).expect("the module loads");
    let fields = r#"{"value":{},"action_name":"/ns/run","activation_id":"12","deadline":"99","number":5}"#;
    for _ in 0..2 {
        let outcome = run_with(&action, "{}", fields);
        let mut lines: Vec<&str> = outcome.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "__OW_ACTION_NAME=/ns/run",
                "__OW_ACTIVATION_ID=12",
                "__OW_API_HOST=here",
                "__OW_DEADLINE=99",
                "count=3",
                "list=[1]",
                "none=",
                "quoted=a\"b\u{e9}",
            ]
        );
    }
}

/// Containers of the same content have one module and one set of instances, and none of what another does or is given.
pub fn containers_share_a_module(compile: Compile) {
    // Found nowhere else, so that no other test has it loaded.
    let wat = include_str!("guests/hostile.wat").replace("second page", "shared page");
    let (one, other) = (load(compile, &wat), load(compile, &wat));
    let stranger = load(compile, include_str!("guests/hostile.wat"));
    assert!(one.shares_module_with(&other));
    assert!(!one.shares_module_with(&stranger));
    // What one has prepared serves the other, and comes back to both.
    engine().prepare(&one, &Unwatched);
    engine().prepare(&other, &Unwatched);
    assert_eq!(other.spares(), 1);
    let first = run(&one, "{}").expect("the guest answers");
    for action in [&other, &one, &other, &other] {
        assert_eq!(
            run(action, "{}").as_ref(),
            Ok(&first),
            "memory, globals, tables, segments"
        );
        assert_eq!((one.spares(), other.spares()), (1, 1));
    }
    std::thread::scope(|scope| {
        for action in [&one, &other, &one, &other] {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(run(action, "{}").as_ref(), Ok(&first));
                }
            });
        }
    });
    // One goes: the other keeps the module.
    drop(one);
    assert_eq!(run(&other, "{}").as_ref(), Ok(&first));
    assert!(load(compile, &wat).shares_module_with(&other));
}

/// An instance that one container's run has broken reaches no other.
pub fn faults_do_not_reach_those_that_share(compile: Compile) {
    let wat = include_str!("guests/faulty.wat").replace("(module", "(module (func)");
    let (one, other) = (load(compile, &wat), load(compile, &wat));
    assert!(one.shares_module_with(&other));
    for fault in 0..7 {
        engine().prepare(&one, &Unwatched);
        let trapped = run(&one, &format!("{{\"f\":{fault}}}"));
        assert!(matches!(trapped, Err(RunError::Trap(_))), "{trapped:?}");
        assert_eq!(other.spares(), 0, "it was thrown away");
        assert_eq!(run(&other, "{\"f\":9}"), Err(RunError::NoAnswer), "it runs");
    }
}

/// `main` and the environment are a container's own, on an instance that it shares.
pub fn main_and_environment_are_not_shared(compile: Compile) {
    let echo = include_str!("guests/echo.wat");
    let of_main = |main| load_with(compile, echo, main, None).expect("the module loads");
    let (by_default, other) = (of_main(None), of_main(Some("other")));
    assert!(by_default.shares_module_with(&other));
    for _ in 0..3 {
        assert_eq!(run(&by_default, "{}"), Ok("{}".to_owned()));
        assert_eq!(run(&other, "{}"), Err(RunError::NoAnswer));
    }
    // Loaded or not, `main` is checked.
    for missing in ["nothing", "wrong", "memory"] {
        let refused = load_with(compile, echo, Some(missing), None);
        assert_eq!(refused.err(), Some(LoadError::MissingMain), "{missing}");
    }

    let of_env = |env| load_with(compile, &prints_environment(), None, env).expect("the module loads");
    let (ada, bob, nobody) = (
        of_env(Some(r#"{"who":"ada"}"#)),
        of_env(Some(r#"{"who":"bob"}"#)),
        of_env(None),
    );
    assert!(ada.shares_module_with(&bob) && ada.shares_module_with(&nobody));
    for _ in 0..3 {
        assert_eq!(run_with(&ada, "{}", "{}").stdout, "who=ada\n__OW_API_HOST=here\n");
        assert_eq!(run_with(&bob, "{}", "{}").stdout, "who=bob\n__OW_API_HOST=here\n");
        assert_eq!(run_with(&nobody, "{}", "{}").stdout, "__OW_API_HOST=here\n");
    }
}

/// Containers that come at once get one module.
pub fn containers_that_come_at_once_share(compile: Compile) {
    let wat = include_str!("guests/echo.wat").replace("(module", "(module (func) (func)");
    let code = compile(&wat::parse_str(&wat).expect("the test's module is valid"));
    let together = std::sync::Barrier::new(4);
    let come = || {
        together.wait();
        load_code(code.0, &code.1, None, None).expect("the module loads")
    };
    for _ in 0..20 {
        let actions: Vec<TestAction> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(come)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        for action in &actions {
            assert!(action.shares_module_with(&actions[0]));
            assert_eq!(run(action, "{}"), Ok("{}".to_owned()));
        }
    }
}

/// As many instances are kept as the containers may have together, and fewer when one of them goes.
pub fn spares_are_bounded(compile: Compile) {
    let wat = include_str!("guests/echo.wat").replace("(module", "(module (func) (func) (func)");
    let each = Config::default().spares_max;
    let (one, other) = (load(compile, &wat), load(compile, &wat));
    let burst = || {
        let json::Value::Object(fields) = json::parse(b"{}").expect("JSON") else {
            panic!("fields are an object")
        };
        let run = Run {
            value: b"{}",
            fields,
            deadline_epoch_ms: None,
        };
        // None ends before all have run.
        drop(
            (0..3 * each)
                .map(|_| engine().run(&one, &run, &Unwatched))
                .collect::<Vec<_>>(),
        );
    };
    burst();
    assert_eq!(one.spares(), 2 * each);
    drop(other);
    assert_eq!(one.spares(), each);
    burst();
    assert_eq!(one.spares(), each);
}

/// Pages that an instance leaves behind, full of what its guest wrote, come to the next one empty.
pub fn memories_come_empty(compile: Compile) {
    let wat = r#"(module
      (memory (export "memory") 3)
      (func (export "ow_allocate") (param i32) (result i32) (i32.const 64))
      ;; No answer, if something is there beside the input; else fills all there is, and traps.
      (func (export "ow_run") (param i32 i32) (result i64) (local $at i32)
        (loop $next
          (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then
            (if (i32.ne (local.get $at) (i32.const 64)) (then (return (i64.const 0))))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $next (i32.lt_u (local.get $at) (i32.const 0x30000))))
        (memory.fill (i32.const 0) (i32.const 0xaa) (i32.const 0x30000))
        (unreachable)))"#;
    for _ in 0..3 {
        let action = load(compile, wat);
        for _ in 0..3 {
            assert_eq!(run(&action, "{}"), Err(RunError::Trap(Trap::Unreachable)));
        }
    }
}

/// The tests of the engine with what `$compile` makes of a Wasm module: one list, so that interpreted and AOT code are held to
/// the same.
#[allow(unused_macros, reason = "a test that counts what is loaded calls its cases itself")]
macro_rules! test_engine {
    ($compile:ident) => {
        test_engine!(@cases cases, $compile:
            containers_share_a_module,
            containers_that_come_at_once_share,
            echoes,
            every_run_is_fresh,
            faults_are_contained,
            faults_do_not_reach_those_that_share,
            main_and_environment_are_not_shared,
            main_is_checked,
            memories_come_empty,
            modules_are_checked,
            passes_the_environment,
            runs_commands,
            runs_wow,
            spares_are_bounded,
            start_functions_may_fail,
        );

        mod bulk {
            use super::cases::bulk as cases;

            test_engine!(@cases cases, super::$compile: pieces_are_not_seen);
        }

        mod stopping {
            use super::cases::stopping as cases;

            test_engine!(@cases cases, super::$compile:
                a_late_stop_hits_nobody,
                a_stop_may_come_first,
                every_guest_can_be_stopped,
                preparation_can_be_stopped,
                single_instructions_are_cut_short,
            );

            #[test]
            #[ignore = "a measurement: prints how long guests run on after a stop"]
            fn measure() {
                cases::measure(super::$compile);
            }
        }
    };
    (@cases $cases:ident, $compile:path: $($case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            $cases::$case($compile);
        }
    )*};
}
