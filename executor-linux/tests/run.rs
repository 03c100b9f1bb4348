//! `run`, and what the program says about itself.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::io::Write;
use std::process::{Output, Stdio};

use common::{SENTINEL, command, guests, program_name};

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().unwrap())
    }

    fn module(&self, code: &[u8]) -> String {
        let path = self.0.path().join("module.wasm");
        std::fs::write(&path, code).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end without reading it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_result_is_on_standard_output() {
    let files = Files::new();
    let echo = files.module(&guests::echo());
    for (arguments, stdin, result) in [
        (&["run", &echo, r#"{"a":1}"#][..], "", r#"{"a":1}"#),
        (&["run", &echo, "-"], r#"{"b":2}"#, r#"{"b":2}"#),
        (&["run", &echo], "[1,2]", "[1,2]"),
        (&["run", &echo], "", "{}"),
        (&["run", "--main", "ow_run", &echo, "{}"], "", "{}"),
    ] {
        let output = run(arguments, stdin);
        assert_eq!(
            text(&output.stdout),
            format!("{result}\n"),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn what_the_guest_prints_is_on_standard_error() {
    let files = Files::new();
    let output = run(&["run", &files.module(&guests::prints("out\n", "err\n")), "{}"], "");
    assert_eq!(text(&output.stdout), "{}\n");
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("out\n") && stderr.contains("err\n") && !stderr.contains(SENTINEL),
        "{stderr}"
    );
}

#[test]
fn failures_have_a_status() {
    let files = Files::new();
    for (guest, input, error) in [
        (guests::answers(r#"{"error":"sorry"}"#), "{}", "sorry"),
        (guests::does("unreachable"), "{}", "unreachable"),
        (guests::answers("42"), "{}", "did not return a dictionary or array"),
        (b"not a module".to_vec(), "{}", ""),
        (guests::echo(), "42", "did not receive a dictionary or array"),
    ] {
        let output = run(&["run", &files.module(&guest), input], "");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        let reply: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            reply["error"].as_str().is_some_and(|text| text.contains(error)),
            "{reply}"
        );
    }
    let missing = run(&["run", "--main", "other", &files.module(&guests::echo()), "{}"], "");
    assert_eq!(missing.status.code(), Some(1));
    let output = run(&["run", "/nonexistent.wasm"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read /nonexistent.wasm"));
}

#[test]
fn input_must_be_one_json_text() {
    let files = Files::new();
    let echo = files.module(&guests::echo());
    for input in ["{", r#"{"a":1},"value":{"b":2}"#, "{} {}"] {
        let output = run(&["run", &echo, input], "");
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains("the input is not JSON"));
    }
}

#[test]
fn help_teaches_and_wrong_arguments_are_named() {
    let help = run(&["--help"], "");
    assert_eq!(help.status.code(), Some(0));
    for command in ["action", "invoker", "run"] {
        assert!(text(&help.stdout).contains(&format!("\n  {command} ")));
        let help = run(&[command, "--help"], "");
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains(&format!("{} {command} ", program_name())));
        assert!(text(&help.stdout).contains("Example"));
    }
    let version = run(&["--version"], "");
    assert!(text(&version.stdout).starts_with(&format!("{} 0.", program_name())));
    for (arguments, complaint) in [
        (
            &["action", "--listen", "nowhere"][..],
            "--listen: \"nowhere\" is not allowed; give ADDRESS:PORT",
        ),
        (&["bake"], "\"bake\" is no command"),
        (&[], "a command is missing"),
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(complaint), "{}", text(&output.stderr));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["action", "--listen", &address], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&format!("cannot listen on {address}: Address already in use")));
    for (option, value) in [
        ("--trust", "/nonexistent/key"),
        ("--allow-dir", "/nonexistent/directory"),
    ] {
        let output = run(&["action", "--listen", "127.0.0.1:0", option, value], "");
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(&format!("{option} {value}")),
            "{}",
            text(&output.stderr)
        );
    }
}
