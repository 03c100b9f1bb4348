//! ABIs 2 and 3: the same source on WASI.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tests::build::Build;
use tests::wasi::{Guest, World};

const PACKAGES: [&str; 6] = ["add", "echo", "clock", "random", "net", "misbehave"];

fn folder(build: Build) -> &'static Path {
    static WOW: OnceLock<PathBuf> = OnceLock::new();
    static COMMAND: OnceLock<PathBuf> = OnceLock::new();
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it is in the target folder");
    if build == Build::Wow { &WOW } else { &COMMAND }.get_or_init(|| build.packages(target_dir, &PACKAGES))
}

fn module(build: Build, name: &str) -> Vec<u8> {
    fs::read(folder(build).join(name).with_extension("wasm")).expect("it was built")
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {}", text.escape_ascii()))
}

/// What a WASI command prints, given arguments and standard input.
fn command(name: &str, arguments: &[&str], stdin: &str, http_get: i32) -> Vec<u8> {
    let arguments = arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    let world = World {
        arguments,
        stdin: stdin.into(),
        http_get,
        ..World::default()
    };
    let mut guest = Guest::new(&module(Build::Command, name), world);
    assert_eq!(guest.start().expect("no trap"), 0, "{name}");
    assert_eq!(guest.world().stderr, b"");
    guest.world().stdout.clone()
}

/// What is in WOW's buffer after a run.
fn wow(name: &str, arguments: &[&str], input: &str) -> Vec<u8> {
    let arguments = arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    let mut guest = Guest::new(
        &module(Build::Wow, name),
        World {
            arguments,
            ..World::default()
        },
    );
    guest.call::<_, ()>(
        "wasm_memory_buffer_allocate_space",
        i32::try_from(input.len()).expect("short"),
    );
    let at = guest.call::<_, u32>("get_wasm_memory_buffer_pointer", ()) as usize;
    guest.memory()[at..at + input.len()].copy_from_slice(input.as_bytes());
    assert_eq!(guest.start().expect("no trap"), 0, "{name}");
    let at = guest.call::<_, u32>("get_wasm_memory_buffer_pointer", ()) as usize;
    let len = guest.call::<_, u32>("get_wasm_memory_buffer_len", ()) as usize;
    assert_eq!(
        (guest.world().stdout.as_slice(), guest.world().stderr.as_slice()),
        (&b""[..], &b""[..])
    );
    guest.memory()[at..at + len].to_vec()
}

#[test]
fn a_command_reads_either_input_and_prints_one_line() {
    let input = r#"{"param1":2,"param2":2}"#;
    for (arguments, stdin) in [
        (&["add", input][..], input),
        (&["add"], input),
        (&[], input),
        (&["add", input], ""),
        (&["add", "cut off: {\"param1\""], input), // a long input fits standard input only
    ] {
        assert_eq!(
            command("add", arguments, stdin, 0),
            b"{\"result\":4}\n",
            "{arguments:?} {stdin}"
        );
    }
    assert_eq!(
        command("add", &["add"], r#"{"param1":2}"#, 0),
        b"{\"error\":\"Expected param2 to be present\"}\n"
    );
    assert!(json(&command("add", &["add"], "", 0))["error"].is_string());
}

#[test]
fn a_command_gets_the_longest_input() {
    let input = format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20));
    let output = command("echo", &["echo"], &input, 0);
    assert!(output.strip_suffix(b"\n") == Some(input.as_bytes()));
}

#[test]
fn a_panic_of_a_command_traps_and_says_why() {
    let world = World {
        stdin: br#"{"how":"panic"}"#.to_vec(),
        ..World::default()
    };
    let mut guest = Guest::new(&module(Build::Command, "misbehave"), world);
    let error = guest.start().expect_err("a panic");
    assert_eq!(error.as_trap_code(), Some(wasmi::TrapCode::UnreachableCodeReached));
    let stderr = String::from_utf8_lossy(&guest.world().stderr);
    assert!(stderr.contains("as asked"), "{stderr}");
}

#[test]
fn wow_answers_with_a_result() {
    let input = r#"{"param1":2,"param2":2}"#;
    let len = input.len().to_string();
    for arguments in [&[len.as_str()][..], &["add", &len]] {
        assert_eq!(wow("add", arguments, input), br#"{"Ok":{"result":4}}"#, "{arguments:?}");
    }
    assert_eq!(
        wow("add", &["2"], "{}"),
        br#"{"Err":{"error":"Expected param1 to be present"}}"#
    );
    assert!(
        json(&wow("add", &["1"], "{}"))["Err"]["error"].is_string(),
        "the length cuts the input"
    );
    assert!(json(&wow("add", &["0"], ""))["Err"]["error"].is_string());
}

#[test]
fn clock_and_random() {
    assert_eq!(
        json(&command("clock", &[], "{}", 0)),
        json!({ "now_ms": 1_700_000_000_000_u64, "elapsed": 0 })
    );
    assert_eq!(
        json(&command("random", &[], "{}", 0)),
        json!({ "random": 0x0707_0707_0707_0707_u64 })
    );
}

#[test]
fn net_tells_a_refusal_from_an_answer() {
    assert_eq!(
        json(&command("net", &[], "{}", 200)),
        json!({ "response": 200, "request_time": 0 })
    );
    assert_eq!(
        json(&command("net", &[], "{}", -1)),
        json!({ "error": "The executor refused http.get (-1)" })
    );
}
