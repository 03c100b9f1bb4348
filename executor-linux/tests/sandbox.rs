//! The sandbox holds what it promises, and holds nothing in reserve.
//!
//! Each attempt is made in a process of its own (this test program, started again), behind the walls of the product's own
//! `sandbox` module. The table of system calls is compared with what a server under `strace` really calls.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "attempts are system calls that no safe function makes")]
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

#[path = "sandbox/attempts.rs"]
mod attempts;
mod common;
#[path = "sandbox/trace.rs"]
mod trace;

use std::process::Command;
use std::sync::OnceLock;

use attempts::Outcome::{self, Aborted, Killed, Refused, Works};
use attempts::{SERVER, Walls, attempt};
use executor_linux::sandbox::{Role, calls};

const NO_SUCH_CALL: Outcome = Refused(libc::ENOSYS);
const NO_ACCESS: Outcome = Refused(libc::EACCES);

/// Not a test: what the tests' children do.
#[test]
fn in_a_child() {
    attempts::in_this_process();
}

/// Which Landlock this kernel has, if it has all that a sandbox needs; says so if not.
fn landlock() -> Option<u32> {
    static VERSION: OnceLock<Option<u32>> = OnceLock::new();
    let version = *VERSION.get_or_init(|| {
        let nothing = tempfile::NamedTempFile::new().unwrap();
        let program = env!("CARGO_BIN_EXE_executor-linux");
        let output = Command::new(program)
            .args(["run", "--log", "info", "--sandbox", "on"])
            .arg(nothing.path())
            .arg("{}")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let version = text
            .split_once("; Landlock ")
            .and_then(|(_, rest)| rest.split_once(':'));
        if version.is_none() {
            eprintln!("{text}");
        }
        version.map(|(version, _)| version.parse().unwrap())
    });
    if version.is_none() {
        eprintln!("skipped: this kernel has not all that a sandbox needs");
    }
    version
}

/// The first that knows what leads from one directory to another.
const KNOWS_REFER: u32 = 2;
/// The first that knows TCP.
const KNOWS_TCP: u32 = 4;

fn check(walls: Walls, attempts: &[(&str, Outcome)]) {
    check_since(0, walls, attempts);
}

/// What holds since this version of Landlock.
fn check_since(since: u32, walls: Walls, attempts: &[(&str, Outcome)]) {
    if landlock().is_none_or(|version| version < since) {
        return;
    }
    for &(text, expected) in attempts {
        assert_eq!(attempt(walls, text), expected, "{text}, {walls:?}");
    }
}

#[test]
fn granted_directories_are_all_that_there_is() {
    let attempts = [
        ("read data", Works),
        ("read fixed", Works),
        ("write data", Works),
        ("empty data", Works),
        ("read outside", NO_ACCESS),
        ("read by a way out", NO_ACCESS),
        ("read /etc/passwd", NO_ACCESS),
        ("read /proc/self/maps", NO_ACCESS),
        ("list outside", NO_ACCESS),
        ("write fixed", NO_ACCESS),
        ("create in fixed", NO_ACCESS),
        ("write outside", NO_ACCESS),
    ];
    let by_landlock = Walls {
        role: None,
        ports: false,
        files: true,
    };
    check(by_landlock, &attempts);
    check(by_landlock, &[("make a pipe in data", NO_ACCESS)]);
    let between = [("move in data", Works), ("steal from fixed", NO_ACCESS)];
    check_since(KNOWS_REFER, by_landlock, &between);
    // std's own symlink is not among a server's calls.
    let by_all = Walls { files: true, ..SERVER };
    let without_symlink: Vec<_> = attempts
        .into_iter()
        .filter(|(text, _)| *text != "read by a way out")
        .collect();
    check(by_all, &without_symlink);
    check_since(KNOWS_REFER, by_all, &between);
    check(by_all, &[("make a pipe in data", NO_SUCH_CALL)]);
    // Without a grant there is not even the call.
    check(
        SERVER,
        &[
            ("read data", NO_SUCH_CALL),
            ("read /etc/passwd", NO_SUCH_CALL),
            ("list outside", NO_SUCH_CALL),
        ],
    );
}

#[test]
fn nobody_calls_out() {
    let by_landlock = Walls {
        role: None,
        ports: false,
        files: false,
    };
    check_since(KNOWS_TCP, by_landlock, &[("connect", NO_ACCESS), ("listen", NO_ACCESS)]);
    check_since(
        KNOWS_TCP,
        Walls {
            ports: true,
            ..by_landlock
        },
        &[("connect", NO_ACCESS), ("listen", Works)],
    );
    check(
        SERVER,
        &[
            // There is no socket to connect.
            ("connect", NO_SUCH_CALL),
            ("listen", NO_SUCH_CALL),
            ("datagrams", NO_SUCH_CALL),
            ("a pair of sockets", NO_SUCH_CALL),
            ("packets", Killed),
            ("netlink", Killed),
        ],
    );
    check(
        Walls { ports: true, ..SERVER },
        &[
            ("listen", Works),
            ("connect", Killed),
            ("connect in a thread", Killed),
            ("connect by sending", Killed),
            ("datagrams", NO_SUCH_CALL),
            ("packets", Killed),
        ],
    );
}

#[test]
fn there_are_no_other_programs_and_processes() {
    check(
        SERVER,
        &[
            ("a thread", Works),
            ("another program", Killed),
            ("become another program", Killed),
            ("a process", Killed),
            ("a namespace", Killed),
            ("a thread of the new call", NO_SUCH_CALL),
            ("trace", Killed),
            ("signal", NO_SUCH_CALL),
            ("another filter", NO_SUCH_CALL),
            ("something else", NO_SUCH_CALL),
            ("give up", Aborted),
        ],
    );
    let watchdog = Walls {
        role: Some(Role::Watchdog),
        ..SERVER
    };
    check(watchdog, &[("watch", Works)]);
    for role in [Role::Run, Role::Watchdog] {
        check(
            Walls {
                role: Some(role),
                ..SERVER
            },
            &[("a thread", NO_SUCH_CALL), ("another program", Killed)],
        );
    }
}

#[test]
fn memory_is_written_or_run() {
    for role in [Role::Server, Role::Run, Role::Watchdog] {
        check(
            Walls {
                role: Some(role),
                ..SERVER
            },
            &[
                ("write, then run", Works),
                ("write and run", Killed),
                ("map to write and run", Killed),
                ("map to run", NO_SUCH_CALL),
            ],
        );
    }
}

#[test]
fn every_deadly_call_is() {
    for call in calls::DEADLY {
        if matches!(call.rule, calls::Rule::Any) {
            check(SERVER, &[(&format!("call {}", call.number), Killed)]);
        }
    }
}

/// All, as much as there is, or nothing: the log tells, and what was asked for and cannot be had is an error.
#[test]
fn the_log_tells_what_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("module.wasm");
    std::fs::write(&module, common::guests::echo()).unwrap();
    let run = |mode: &str| {
        let mut command = common::command();
        command
            .args(["run", "--log", "info", "--sandbox", mode])
            .arg(&module)
            .arg("{}");
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (works, log) = run("off");
    assert!(works && log.contains("sandbox: off\n"), "{log}");
    let (works, log) = run("auto");
    assert!(works && log.contains("sandbox: "), "{log}");
    let is_all = |log: &str| log.contains("sandbox: no new privileges; Landlock ") && log.contains("; seccomp: ");
    let has_all = is_all(&log);
    let (works, log) = run("on");
    assert_eq!(works, has_all, "{log}");
    assert!(is_all(&log) || log.contains(": --sandbox: "), "{log}");
}

/// What a server calls is in the table, and what is in the table is called.
#[test]
fn the_table_has_what_is_called_and_no_more() {
    if common::is_emulated() || landlock().is_none() {
        return;
    }
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("skipped: strace is not installed");
        return;
    }
    trace::compare();
}
