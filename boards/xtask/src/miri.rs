//! The tests of what reads hostile bytes, under Miri: it sees undefined behaviour that happens to do no harm.
//!
//! Miri interprets, some thousand times slower than the processor: only the crates without a system and without WAMR are
//! tested so, with few random cases each. It comes with rustup's nightly compiler only.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::bounded;

/// For questions about what is installed.
const ASK_LIMIT: Duration = Duration::from_secs(60);
/// For a nightly compiler with Miri: some 150 MB.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Random cases of each property: the ordinary tests try hundreds.
const CASES: &str = "2";

/// A package, and what its unit tests are called that end within a minute together; all of them if nothing is named. Left out are
/// those that cut requests at every byte or search for names with one hash.
const PACKAGES: &[(&str, &[&str])] = &[
    ("action-bundle", &[]),
    (
        "executor-core",
        &[
            "openwhisk::",
            "json::tests::nesting",
            "json::tests::members",
            "contents_alone",
            "names_are_found",
            "the_longest_head",
            "a_client_that_waits",
            "bodies_that_do_not",
        ],
    ),
];

/// Run them; where Miri cannot be had, say why, and leave it at that.
pub fn test(project: &Project, shell: Shell) -> Result<()> {
    if let Err(error) = provide(shell) {
        shell.say(&format!("skipped: there is no Miri here: {error:#}"));
        return Ok(());
    }
    for (package, names) in PACKAGES {
        // rustup's proxy chooses the toolchain: not the `cargo` that runs this program.
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&project.root)
            .args([
                "+nightly",
                "miri",
                "test",
                "--lib",
                "--package",
                package,
                "--target-dir",
            ])
            .arg(project.target.join("miri"))
            .arg("--")
            .args(*names)
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("RUSTC")
            // proptest looks for the file of an earlier failure.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env("PROPTEST_CASES", CASES);
        let printed = shell.run(&format!("{package} under Miri"), &mut cargo)?;
        for line in printed.lines().filter(|line| line.starts_with("test result")) {
            println!("{package}: {line}");
        }
    }
    Ok(())
}

fn provide(shell: Shell) -> Result<()> {
    let is_there = || {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["+nightly", "miri", "--version"])
            .env_remove("RUSTUP_TOOLCHAIN");
        bounded::run(&mut cargo, ASK_LIMIT)
    };
    if is_there().is_ok() {
        return Ok(());
    }
    shell.say("rustup toolchain install nightly --component miri,rust-src");
    let mut rustup = Command::new("rustup");
    rustup.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
    bounded::run(rustup.args(["--component", "miri,rust-src"]), INSTALL_LIMIT)?;
    is_there().map(drop)
}
