//! The example actions, bundled as their developers bundle them, through a client that behaves like OpenWhisk's invoker:
//! in all three guest ABIs and all languages, interpreted and as native code.
//!
//! `cargo xtask test` makes the bundles and says where they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::openwhisk::{Activation, Invoker};
use common::{SENTINEL, Server};
use serde_json::{Value, json};

fn bundles() -> PathBuf {
    let folder = std::env::var_os("EXECUTOR_TEST_BUNDLES");
    folder
        .map(PathBuf::from)
        .expect("EXECUTOR_TEST_BUNDLES is not set: run these tests by `cargo xtask test`")
}

fn bundle(name: &str) -> Vec<u8> {
    let path = bundles().join(format!("{name}.zip"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask test`", path.display()))
}

/// How a bundle is run: with its key trusted, as native code; without, interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Interpreted,
    Native,
}

impl Mode {
    /// The one word of the two with which the executor tells what it has loaded.
    fn word(self) -> &'static str {
        match self {
            Mode::Interpreted => INTERPRETED,
            Mode::Native => NATIVE,
        }
    }
}

const NATIVE: &str = "loaded native code";
const INTERPRETED: &str = "to be interpreted";

const MODES: [Mode; 2] = [Mode::Interpreted, Mode::Native];

fn server(mode: Mode, options: &[&str]) -> Server {
    let key = bundles().join("demo.pub");
    let key = key.to_str().unwrap();
    let mut all = [&["--log", "info"], options].concat();
    if mode == Mode::Native {
        all.extend(["--trust", key]);
    }
    Server::action(&all)
}

/// Initialise a container with a bundle, which then runs in this mode and no other.
fn initialise(server: &Server, mode: Mode, name: &str) -> Invoker {
    let invoker = Invoker::new(server.address);
    assert_eq!(invoker.init(&bundle(name)), Ok(()), "{name} {mode:?}");
    assert_mode(server, mode);
    invoker
}

/// What was loaded last is run in this mode: a server that quietly interprets must not pass for one that runs native code.
fn assert_mode(server: &Server, mode: Mode) {
    let text = server.stderr.wait_until("word of what was loaded", |text| {
        text.contains(NATIVE) || text.contains(INTERPRETED)
    });
    let word = mode.word();
    let of_other = if mode == Mode::Native { INTERPRETED } else { NATIVE };
    assert!(text.contains(word) && !text.contains(of_other), "{mode:?}: {text}");
}

/// Initialise a container with a bundle and run it with each input, more than once.
fn check(name: &str, cases: &[(Value, Activation)]) {
    for mode in MODES {
        let server = server(mode, &[]);
        let invoker = initialise(&server, mode, name);
        for (input, expected) in cases.iter().chain(cases) {
            let outcome = invoker.run(input);
            // Some values are a megabyte long.
            assert!(
                outcome == *expected,
                "{name} {mode:?} {input:.100}: {:.200}",
                format!("{outcome:?}")
            );
        }
        let runs = 2 * cases.len();
        for stream in [&server.stdout, &server.stderr] {
            stream.wait_until("a sentinel for each run", |text| text.matches(SENTINEL).count() == runs);
        }
    }
}

fn success(result: Value) -> Activation {
    Activation::Success(result)
}

fn application_error(message: &str) -> Activation {
    Activation::ApplicationError(json!(message))
}

#[test]
fn add_in_every_abi_and_language() {
    for name in ["add", "add-wasi", "add-wow", "as-add"] {
        check(
            name,
            &[
                (json!({"param1": 2, "param2": 2}), success(json!({"result": 4}))),
                (json!({"param1": -5, "param2": 1}), success(json!({"result": -4}))),
                (json!({"param1": 2}), application_error("Expected param2 to be present")),
                (json!({"param2": 2}), application_error("Expected param1 to be present")),
                (json!({}), application_error("Expected param1 to be present")),
            ],
        );
    }
}

#[test]
fn echo_returns_what_came() {
    let nested = json!({"a": [1, 2.5, null, {"b": "\u{1f980} \" \\ \n"}], "c": "x".repeat(100_000)});
    for name in ["echo", "echo-wasi", "echo-wow"] {
        check(
            name,
            &[
                (json!({}), success(json!({}))),
                (nested.clone(), success(nested.clone())),
                (json!([1, "two"]), success(json!([1, "two"]))),
                (json!({"error": "asked for"}), application_error("asked for")),
            ],
        );
    }
}

/// The large-echo test of OpenWhisk's runtimes: five bytes below the limit.
#[test]
fn echo_returns_a_result_of_the_greatest_size() {
    let frame = r#"{"payload":""}"#.len();
    let value = json!({"payload": "a".repeat(1_048_571 - frame)});
    for name in ["echo", "echo-wasi", "echo-wow"] {
        check(name, &[(value.clone(), success(value.clone()))]);
    }
}

#[test]
fn hash_and_prime_compute() {
    let abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    for suffix in ["", "-wasi", "-wow"] {
        check(
            &format!("hash{suffix}"),
            &[(json!({"input": "abc"}), success(json!({"hash": abc})))],
        );
        let primes = json!({"count": 1229, "largest": 9973});
        check(&format!("prime{suffix}"), &[(json!({"limit": 10000}), success(primes))]);
    }
}

#[test]
fn hello_in_rust_and_c() {
    for name in ["hello", "c-hello"] {
        check(
            name,
            &[(json!({"name": "Ada"}), success(json!({"greeting": "Hello, Ada!"})))],
        );
    }
}

#[test]
fn net_is_refused_without_a_network() {
    for mode in MODES {
        let server = server(mode, &[]);
        let invoker = initialise(&server, mode, "net");
        assert!(
            matches!(invoker.run(&json!({})), Activation::ApplicationError(_)),
            "{mode:?}"
        );
    }
}

#[test]
fn clock_and_random_differ_from_run_to_run() {
    for mode in MODES {
        for (name, field) in [("clock", "now_ms"), ("random", "random")] {
            let server = server(mode, &[]);
            let invoker = initialise(&server, mode, name);
            let number = || match invoker.run(&json!({})) {
                Activation::Success(result) => result[field].as_u64().unwrap(),
                other => panic!("{name} {mode:?}: {other:?}"),
            };
            let first = number();
            // A clock of milliseconds may show the same for a while.
            let since = Instant::now();
            while number() == first {
                assert!(since.elapsed() < common::patience(), "{name} {mode:?} stands still");
            }
        }
    }
}

#[test]
fn filesys_needs_a_granted_directory() {
    let folder = tempfile::tempdir().unwrap();
    let grant = format!("{}::/data", folder.path().display());
    let input = json!({"dir": "/data"});
    for mode in MODES {
        let granted = server(mode, &["--allow-dir", &grant]);
        let invoker = initialise(&granted, mode, "filesys");
        for _ in 0..3 {
            match invoker.run(&input) {
                Activation::Success(result) => assert_eq!(result["content"], "Hello, Wasm."),
                other => panic!("{mode:?}: {other:?}"),
            }
        }
        let not_granted = server(mode, &[]);
        let invoker = initialise(&not_granted, mode, "filesys");
        assert!(
            matches!(invoker.run(&input), Activation::ApplicationError(_)),
            "{mode:?}"
        );
    }
    assert_eq!(
        folder.path().read_dir().unwrap().count(),
        0,
        "the action removes its file"
    );
}

/// 64 actions that sleep 300 ms, at once, in one container: in turn they would take 19 s.
#[test]
fn blocking_actions_do_not_hold_up_each_other() {
    for mode in MODES {
        let server = server(mode, &[]);
        let invoker = initialise(&server, mode, "block");
        let since = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let outcome = invoker.run(&json!({"milliseconds": 300}));
                    assert!(matches!(outcome, Activation::Success(_)), "{outcome:?}");
                });
            }
        });
        // The bound is far above what it takes, and far below what it takes in turn.
        assert!(
            since.elapsed() < common::allowance(Duration::from_secs(5)),
            "{mode:?}: {:?}",
            since.elapsed()
        );
    }
}

/// OpenWhisk drops its socket when an action's time is over; others are served meanwhile and afterwards.
#[test]
fn a_client_that_gives_up_hurts_nobody() {
    let server = server(Mode::Native, &[]);
    let invoker = initialise(&server, Mode::Native, "block");
    let hasty = Invoker::new(server.address).with_timeout(Duration::from_millis(20));
    for _ in 0..8 {
        assert_eq!(hasty.run(&json!({"milliseconds": 500})), Activation::TimedOut);
    }
    assert!(matches!(
        invoker.run(&json!({"milliseconds": 1})),
        Activation::Success(_)
    ));
}

/// No memory can be written and run, neither with a module that has been loaded and has run nor beside it; and a module's code
/// is there to be run.
#[test]
fn native_code_cannot_be_written() {
    let server = server(Mode::Native, &[]);
    let executable = |text: &str| text.lines().filter(|line| line.contains("r-xp")).count();
    let Some(before) = server.mappings() else { return };
    let invoker = initialise(&server, Mode::Native, "add");
    let outcome = invoker.run(&json!({"param1": 2, "param2": 2}));
    assert_eq!(outcome, success(json!({"result": 4})));
    let after = server.mappings().unwrap();
    for line in after.lines() {
        let rights = line.split(' ').nth(1).unwrap();
        assert!(!rights.contains('w') || !rights.contains('x'), "{after}");
    }
    assert!(executable(&after) > executable(&before), "{after}");
}

/// A computation that takes minutes interpreted and seconds as native code ends with its client, and frees its worker.
#[test]
fn a_computation_ends_with_its_client() {
    for mode in MODES {
        let server = server(mode, &["--threads-max", "2"]);
        let invoker = Invoker::new(server.address);
        assert_eq!(invoker.init(&bundle("prime")), Ok(()));
        let hasty = Invoker::new(server.address).with_timeout(Duration::from_millis(20));
        for _ in 0..6 {
            assert_eq!(hasty.run(&json!({"limit": 1 << 30})), Activation::TimedOut);
        }
        let before = Instant::now();
        let outcome = invoker.run(&json!({"limit": 10}));
        assert_eq!(outcome, success(json!({"count": 4, "largest": 7})), "{mode:?}");
        assert!(
            before.elapsed() < Duration::from_secs(3),
            "{mode:?}: {:?}",
            before.elapsed()
        );
    }
}

/// Native code alone: refused with a reason where nobody trusts its key, run where its key is trusted.
#[test]
fn native_code_runs_only_if_it_is_trusted() {
    let native_only = bundle("add-native-only");
    let sum = (json!({"param1": 2, "param2": 2}), success(json!({"result": 4})));

    let trusting = server(Mode::Native, &[]);
    let invoker = Invoker::new(trusting.address);
    assert_eq!(invoker.init(&native_only), Ok(()));
    assert_mode(&trusting, Mode::Native);
    assert_eq!(invoker.run(&sum.0), sum.1);

    let wary = server(Mode::Interpreted, &[]);
    let invoker = Invoker::new(wary.address);
    let Err(Activation::DeveloperError(reason)) = invoker.init(&native_only) else {
        panic!("untrusted native code ran")
    };
    assert!(reason.as_str().unwrap().contains("trust"), "{reason}");
    // The container can be initialised still: with the same action in its portable form.
    assert_eq!(invoker.init(&bundle("add")), Ok(()));
    assert_mode(&wary, Mode::Interpreted);
    assert_eq!(invoker.run(&sum.0), sum.1);
}

#[test]
fn any_native_code_runs_if_the_operator_says_so() {
    let sum = (json!({"param1": 2, "param2": 2}), success(json!({"result": 4})));
    let reckless = server(Mode::Interpreted, &["--trust-any-aot"]);
    let invoker = Invoker::new(reckless.address);
    assert_eq!(invoker.init(&bundle("add-native-only")), Ok(()));
    assert_mode(&reckless, Mode::Native);
    assert_eq!(invoker.run(&sum.0), sum.1);
    assert!(reckless.stderr.text().contains("--trust-any-aot"), "it warns");
}

/// A bundle that says that another key than the trusted one has signed it: refused, or interpreted if it can be.
#[test]
fn native_code_of_another_key_never_runs() {
    let of_another_key = |name: &str| {
        let mut bundle = bundle(name);
        // Behind the algorithm.
        *signature_byte(&mut bundle, 1) ^= 1;
        bundle
    };
    let server = server(Mode::Native, &[]);
    let invoker = Invoker::new(server.address);
    let Err(Activation::DeveloperError(reason)) = invoker.init(&of_another_key("add-native-only")) else {
        panic!("another key's native code ran")
    };
    assert!(reason.as_str().unwrap().contains("does not trust"), "{reason}");
    assert_eq!(invoker.init(&of_another_key("add")), Ok(()));
    assert_mode(&server, Mode::Interpreted);
    let outcome = invoker.run(&json!({"param1": 2, "param2": 2}));
    assert_eq!(outcome, success(json!({"result": 4})));
}

/// The entry `manifest.sig`: one byte for the algorithm, 32 of the key, 64 of the signature.
fn signature_byte(bundle: &mut [u8], at: usize) -> &mut u8 {
    let name = b"manifest.sig";
    let start = bundle.windows(name.len()).position(|bytes| bytes == name).unwrap();
    // In a zip, the length of what lies between the name and the content stands before the name.
    let between = usize::from(u16::from_le_bytes([bundle[start - 2], bundle[start - 1]]));
    &mut bundle[start + name.len() + between + at]
}

/// One byte of the native code changed: its signature no longer speaks for it, and the bundle is refused.
#[test]
fn changed_native_code_never_runs() {
    let mut changed = bundle("add-native-only");
    // That of every board: this server takes one of them.
    let starts: Vec<usize> = (0..changed.len())
        .filter(|&at| changed[at..].starts_with(b"\0aot"))
        .collect();
    assert!(!starts.is_empty(), "it has AOT artifacts");
    for start in starts {
        changed[start + 200] ^= 1;
    }
    let server = server(Mode::Native, &[]);
    let outcome = Invoker::new(server.address).init(&changed);
    assert!(matches!(outcome, Err(Activation::DeveloperError(_))), "{outcome:?}");
}

/// Native code that a container of the process has loaded stays out of reach for a bundle whose signature does not hold.
#[test]
fn loaded_native_code_is_not_reached_by_a_bad_signature() {
    let key = bundles().join("demo.pub");
    let server = Server::invoker(&["--trust", key.to_str().unwrap()]);
    let container = |id| Invoker::of_container(server.address, id);
    let signed = bundle("add-native-only");
    let mut forged = signed.clone();
    *signature_byte(&mut forged, 96) ^= 1;

    let sum = (json!({"param1": 2, "param2": 2}), success(json!({"result": 4})));
    let trusted = container("trusted");
    assert_eq!(trusted.init(&signed), Ok(()));
    assert_eq!(trusted.run(&sum.0), sum.1);
    let Err(Activation::DeveloperError(reason)) = container("forged").init(&forged) else {
        panic!("the signature was not looked at")
    };
    assert!(reason.as_str().unwrap().contains("signature does not fit"), "{reason}");
    // A second one with the good signature shares what the first has loaded.
    let second = container("second");
    assert_eq!(second.init(&signed), Ok(()));
    assert_eq!(second.run(&sum.0), sum.1);
}
