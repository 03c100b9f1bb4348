//! ABI 1, as the bare targets build it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tests::build::Build;
use tests::lean::Lean;
use wasmi::TrapCode;

/// As the SDK documents it.
const DEPTH_MAX: usize = 64;

const PACKAGES: [&str; 6] = ["add", "echo", "hash", "hello", "prime", "misbehave"];

fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it is in the target folder")
}

fn module(name: &str) -> Vec<u8> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| Build::Lean.packages(target_dir(), &PACKAGES));
    fs::read(folder.join(name).with_extension("wasm")).expect("it was built")
}

/// Run each case on a fresh instance.
fn check(name: &str, cases: &[(&str, Value)]) {
    let module = module(name);
    for (input, expected) in cases {
        let answer = Lean::new(&module).run("ow_run", input.as_bytes()).expect("no trap");
        let answer: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
        assert_eq!(answer, *expected, "{name} {input}");
    }
}

#[test]
fn exports_are_the_abi_and_nothing_else() {
    for name in PACKAGES {
        let module = module(name);
        let others: &[&str] = if name == "misbehave" { &["churn"] } else { &[] };
        assert_eq!(
            Lean::new(&module).exports(),
            [others, &["ow_allocate", "ow_run"]].concat(),
            "{name}"
        );
    }
}

#[test]
fn add() {
    check(
        "add",
        &[
            (r#"{"param1":2,"param2":2}"#, json!({ "result": 4 })),
            (
                r#"{"param2":-9223372036854775807,"param1":-1,"x":[]}"#,
                json!({ "result": i64::MIN }),
            ),
            (r#"{"param1":1.5,"param2":2}"#, json!({ "result": 3.5 })),
            (r#"{"param1":2}"#, json!({ "error": "Expected param2 to be present" })),
            (r#"{"param2":2}"#, json!({ "error": "Expected param1 to be present" })),
            ("{}", json!({ "error": "Expected param1 to be present" })),
            (
                r#"{"param1":9223372036854775807,"param2":1}"#,
                json!({ "error": "The sum is too large" }),
            ),
            (
                r#"{"param1":1e308,"param2":1e308}"#,
                json!({ "error": "The sum is too large" }),
            ),
        ],
    );
    let module = module("add");
    for input in ["", "{", "{}{}", r#"{"param1":"2","param2":2}"#, "\0", "[1"] {
        let answer = Lean::new(&module).run("ow_run", input.as_bytes()).expect("no trap");
        let answer: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
        assert!(answer["error"].is_string(), "{input:?}: {answer}");
    }
}

#[test]
fn a_small_action_has_one_page_and_keeps_it() {
    for name in ["add", "echo", "hello"] {
        let module = module(name);
        let mut lean = Lean::new(&module);
        assert_eq!(lean.pages(), 1, "{name} at its start");
        for _ in 0..20 {
            let input = r#"{"param1":2,"param2":2,"name":"Ada"}"#;
            lean.run("ow_run", input.as_bytes()).expect("no trap");
        }
        assert_eq!(
            lean.pages(),
            1,
            "{name} after twenty runs that nobody has cleaned up after"
        );
    }
}

#[test]
fn hash() {
    let abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    let zeros = blake3::hash(blake3::hash(&[0; 5000]).as_bytes()).to_hex();
    check(
        "hash",
        &[
            (r#"{"input":"abc"}"#, json!({ "hash": abc })),
            (r#"{"input":"abc","iterations":1}"#, json!({ "hash": abc })),
            (
                r#"{"input":"abc","bytes":1}"#,
                json!({ "error": "Expected either input or bytes to be present" }),
            ),
            (r#"{"bytes":5000,"iterations":2}"#, json!({ "hash": zeros.as_str() })),
            ("{}", json!({ "error": "Expected either input or bytes to be present" })),
        ],
    );
}

#[test]
fn prime() {
    check(
        "prime",
        &[
            (r#"{"limit":0}"#, json!({ "count": 0, "largest": null })),
            (r#"{"limit":2}"#, json!({ "count": 1, "largest": 2 })),
            (r#"{"limit":16384}"#, json!({ "count": 1900, "largest": 16381 })),
            (r#"{"limit":100000}"#, json!({ "count": 9592, "largest": 99991 })),
            ("{}", json!({ "count": 78498, "largest": 999_983 })),
            (
                r#"{"limit":4294967295}"#,
                json!({ "error": "Expected limit to be at most 1073741824" }),
            ),
        ],
    );
}

#[test]
fn hello() {
    check(
        "hello",
        &[
            (r#"{"name":"Ada"}"#, json!({ "greeting": "Hello, Ada!" })),
            (
                r#"{"name":"\u00c5\"\n\ud83d\ude00"}"#,
                json!({ "greeting": "Hello, Å\"\n😀!" }),
            ),
            ("{}", json!({ "greeting": "Hello, stranger!" })),
        ],
    );
}

#[test]
fn echo_gives_back_the_longest_input_byte_for_byte() {
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat((1 << 20) - 11));
    assert_eq!(long.len(), 1 << 20);
    let module = module("echo");
    for input in [r#"{"b":1.0,"a":[1e3,"\u0041"]}"#, r#"[ 1 ]"#, long.as_str()] {
        let answer = Lean::new(&module).run("ow_run", input.as_bytes()).expect("no trap");
        assert!(answer == input.as_bytes(), "{} bytes", input.len());
    }
}

#[test]
fn what_goes_wrong_traps() {
    let module = module("misbehave");
    for (input, expected) in [
        (r#"{"how":"panic"}"#, TrapCode::UnreachableCodeReached),
        (r#"{"how":"exhaust"}"#, TrapCode::UnreachableCodeReached),
        // The stack is at the bottom of memory: an overflow leaves memory instead of spoiling data.
        (r#"{"how":"overflow"}"#, TrapCode::MemoryOutOfBounds),
    ] {
        let error = Lean::new(&module).run("ow_run", input.as_bytes()).expect_err(input);
        assert_eq!(error.as_trap_code(), Some(expected), "{input}");
    }
    let answer = Lean::new(&module).run("ow_run", br#"{"how":"fail"}"#).expect("no trap");
    assert_eq!(answer, br#"{"error":"Failed as asked"}"#);
}

#[test]
fn another_entry_point_runs_and_freed_memory_is_used_again() {
    let module = module("misbehave");
    let mut lean = Lean::new(&module);
    let answer = lean.run("churn", b"{}").expect("no trap");
    assert_eq!(answer, br#"{"sum":5455000}"#);
    assert_eq!(lean.pages(), 1);
}

#[test]
fn the_deepest_value_that_is_read_fits_the_stack() {
    let sum = r#"{"sum":5455000}"#;
    let too_deep = r#"{"error":"Expected no deeper nesting at byte "#;
    let module = module("misbehave");
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for (depth, expected) in [(DEPTH_MAX, sum), (DEPTH_MAX + 1, too_deep), (100_000, too_deep)] {
            let input = [open.repeat(depth).as_str(), "0", &close.repeat(depth)].concat();
            let answer = Lean::new(&module).run("churn", input.as_bytes()).expect("no trap");
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with(expected), "{depth} of {open}: {answer}");
        }
    }
}

#[test]
#[ignore = "needs the target wasm32v1-none"]
fn the_target_without_any_std_builds_the_same_actions() {
    let folder = Build::LeanBare.packages(target_dir(), &PACKAGES);
    for name in PACKAGES {
        let module = fs::read(folder.join(name).with_extension("wasm")).expect("it was built");
        let answer = Lean::new(&module).run("ow_run", br#"{"param1":2,"param2":2,"how":"fail","input":""}"#);
        let answer: Value = serde_json::from_slice(&answer.expect("no trap")).expect("the answer is JSON");
        assert!(answer.is_object());
        assert!(name != "add" || answer == json!({ "result": 4 }), "{answer}");
    }
}
