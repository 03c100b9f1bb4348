//! The calls of a server in a representative conversation, as `strace` tells them, beside the table.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use executor_linux::sandbox::{Needs, Role, calls};
use executor_linux::wasi_files::Grant;
use serde_json::json;

use crate::common::{self, Server, guests, init_body, run_body};

/// Calls of the table that this conversation does not need, each with the occasion on which they are made.
const OTHER_OCCASIONS: &[(&str, &str)] = &[
    ("futex", "two threads want a lock at once"),
    ("sched_yield", "two threads want a lock at once"),
    ("brk", "malloc's first arena, the main thread's, grows"),
    (
        "clock_gettime",
        "the clock cannot be read from user space: a source that the vDSO does not know",
    ),
    ("restart_syscall", "the process was stopped and goes on"),
    ("exit", "a worker has had nothing to do for ten seconds"),
    ("getpid", "a panic: abort"),
    ("tgkill", "a panic: abort"),
    ("fcntl", "built with debug assertions"),
    (
        "openat",
        "a kernel before 5.6; malloc asks for the number of processors",
    ),
];

/// Calls beyond the table that are made and refused.
const REFUSED: &[(&str, &str)] = &[("clone3", "libraries take clone then")];

pub fn compare() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let record = folder.path().join("record");
    converse(&data, &record, &guest(folder.path()));
    let record = std::fs::read_to_string(record).unwrap();

    let grants = [Grant {
        guest: "/data".to_owned(),
        host: data,
        read_only: false,
    }];
    let needs = Needs {
        grants: &grants,
        ports: true,
    };
    let of_role = |role| calls::allowed(role, needs).map(|call| call.name).collect::<Vec<_>>();
    let (server, watchdog) = (of_role(Role::Server), of_role(Role::Watchdog));
    let called = calls_in_force(&record);
    let is_called = |name: &str| called.keys().any(|(_, called)| *called == name);
    assert!(called.len() > 20 && is_called("accept4"), "{called:?}");
    assert!(called.contains_key(&(Role::Watchdog, "ppoll")), "{called:?}");
    for ((role, name), line) in &called {
        let allowed = if *role == Role::Watchdog { &watchdog } else { &server };
        let is_refused = REFUSED.iter().any(|(refused, _)| refused == name);
        assert!(allowed.contains(name) != is_refused, "{name} is called: {line}");
        assert!(!line.contains("ENOSYS") || is_refused || *name == "openat", "{line}");
    }
    for name in server.iter().chain(&watchdog) {
        let on_occasion = OTHER_OCCASIONS.iter().any(|(other, _)| other == name);
        assert!(
            on_occasion || is_called(name),
            "{name} is allowed, and nothing calls it; called: {:?}",
            called.keys()
        );
    }
}

/// The calls after the last filter was in force, by the role of the thread, each with the first line about it.
fn calls_in_force(record: &str) -> BTreeMap<(Role, &str), &str> {
    let watchdog = record
        .lines()
        .find(|line| line.contains("PR_SET_NAME, \"watchdog\""))
        .and_then(|line| line.split_whitespace().next())
        .expect("there is a watchdog");
    let last_filter = record.rfind("seccomp(").expect("filters are installed");
    let mut calls = BTreeMap::new();
    for line in record[last_filter..].lines().skip(1) {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        if let Some((name, _)) = rest.trim_start().split_once('(')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            let role = if thread == watchdog {
                Role::Watchdog
            } else {
                Role::Server
            };
            calls.entry((role, name)).or_insert(line);
        }
    }
    calls
}

/// What clients do: containers come, run, print, use files, grow, wait, fail and go; then the server drains.
fn converse(data: &Path, record: &Path, files: &[u8]) {
    let server = common::command();
    let mut command = Command::new("strace");
    // -D: strace is the child, so that signals meet the server.
    command
        .args(["-D", "-f", "-qq", "-s", "16", "-o"])
        .arg(record)
        .arg("--")
        .arg(server.get_program());
    command.args([
        "invoker",
        "--listen",
        "127.0.0.1:0",
        "--log",
        "info",
        "--log-sentinels",
        "--sandbox",
        "on",
    ]);
    command
        .arg("--allow-dir")
        .arg(format!("{}::/data", data.display()))
        .env_clear();
    let mut server = Server::spawn(command);
    let start = server.post("/start", "");
    assert_eq!(start.status, 200, "{}", start.body);
    let id = start.json()["containerId"].as_str().unwrap().to_owned();
    let run = |name: &str, code: &[u8], value: &str| {
        let mut client = server.client();
        let init = client.post(&format!("/{name}/init"), &init_body(code));
        assert_eq!(init.status, 200, "{}", init.body);
        // Kept, and parked: the worker that waits for it gives up.
        std::thread::sleep(std::time::Duration::from_millis(30));
        client.post(&format!("/{name}/run"), &run_body(value))
    };
    let done = run(&id, files, "{}");
    assert_eq!(done.json(), json!({"done": true}), "{}", server.stderr.text());
    assert_eq!(run("echo", &guests::echo(), r#"{"a":1}"#).json(), json!({"a": 1}));
    assert_eq!(run("trap", &guests::does("unreachable"), "{}").status, 502);
    // The work is done by several.
    std::thread::scope(|scope| {
        for name in ["one", "two", "three"] {
            scope.spawn(move || run(name, &guests::sleeps(50), "{}"));
        }
    });
    let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(600_000));
    assert_eq!(run("long", &guests::echo(), &long).status, 200);
    assert_ne!(server.post("/nothing", "x").status, 200);
    assert_eq!(server.post(&format!("/{id}/destroy"), "").status, 200);
    // The drain waits for the last request.
    let last = server.client();
    let init = server.post("/last/init", &init_body(&guests::sleeps(300)));
    assert_eq!(init.status, 200);
    let last = std::thread::spawn(move || {
        let mut last = last;
        last.post("/last/run", &run_body("{}")).status
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    server.signal("TERM");
    assert_eq!(last.join().unwrap(), 200);
    assert!(server.wait().success());
    // strace has written everything when the server's streams are closed by the last who has them.
    server.stderr.whole();
}

/// Compiled for a target that `cargo xtask test` installs.
fn guest(folder: &Path) -> Vec<u8> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/guest.rs");
    let wasm = folder.join("guest.wasm");
    let output = Command::new(rustc)
        .args(["--edition=2024", "--target=wasm32-wasip1", "-Copt-level=2", "-o"])
        .args([&wasm, &source])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(wasm).unwrap()
}
