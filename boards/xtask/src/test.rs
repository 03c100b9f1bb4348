//! `cargo xtask test`: every test, as steps with a name, a time and a result.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::board::Board;
use crate::build::{self, Bundle};
use crate::project::Project;
use crate::shell::Shell;
use crate::system::{self, Extent};
use crate::toolchain::{Source, Toolchain};
use crate::{BARE_TARGET, WASM_TARGETS, demo, deny, provide_targets};

/// One step.
pub struct Step {
    pub name: &'static str,
    pub what: &'static str,
    run: fn(&Context<'_>) -> Result<()>,
}

/// What the steps share.
struct Context<'a> {
    project: &'a Project,
    shell: Shell,
    board: Board,
    toolchain: Toolchain,
}

/// In the order in which they run: what fails fast comes first.
pub const STEPS: &[Step] = &[
    Step {
        name: "format",
        what: "every Rust file is formatted",
        run: format,
    },
    Step {
        name: "clippy",
        what: "no lint warns",
        run: clippy,
    },
    Step {
        name: "deny",
        what: "no dependency of a licence or a source that the rules do not allow",
        run: |context| deny::check(context.project, context.shell, &[&[""], GUEST_WORKSPACES].concat()),
    },
    Step {
        name: "bare",
        what: "the core builds without a system",
        run: bare,
    },
    Step {
        name: "guests",
        what: "the SDK's tests, and the examples on another engine",
        run: guests,
    },
    Step {
        name: "bundles",
        what: "the examples as signed bundles, in all ABIs and languages",
        run: bundles,
    },
    Step {
        name: "tests",
        what: "the tests of every crate, those over sockets among them",
        run: tests,
    },
    Step {
        name: "fallback",
        what: "guests can be built without rustup's targets",
        run: fallback,
    },
    Step {
        name: "demo",
        what: "the demo's two answers",
        run: run_demo,
    },
];

/// Run the steps, then tell how each went.
pub fn test(project: &Project, shell: Shell, only: &[String], is_agreed: bool) -> Result<ExitCode> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        bail!("there is no step `{unknown}`; `cargo xtask test --list` prints them");
    }
    let mut report = Report::default();
    let Some(context) = report.record("setup", "what the steps need is installed", || {
        prepare(project, shell, is_agreed)
    }) else {
        return Ok(report.print());
    };
    for step in STEPS
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|name| name == step.name))
    {
        report.record(step.name, step.what, || (step.run)(&context));
    }
    Ok(report.print())
}

/// Everything that the steps share. Without it none of them can run.
fn prepare(project: &Project, shell: Shell, is_agreed: bool) -> Result<Context<'_>> {
    system::provide(shell, Extent::BuildAndExamples, is_agreed)?;
    let targets: Vec<&str> = WASM_TARGETS.iter().copied().chain([BARE_TARGET]).collect();
    let toolchain = provide_targets(project, shell, &targets, Source::RustupThenDebian)?;
    let board = Board::load(&project.boards(), "linux-amd64")?;
    Ok(Context {
        project,
        shell,
        board,
        toolchain,
    })
}

/// How each step went. One that fails does not keep the others from running.
#[derive(Default)]
struct Report(Vec<Line>);

/// One step that has ended.
struct Line {
    name: &'static str,
    what: &'static str,
    duration: Duration,
    is_passed: bool,
}

impl Report {
    fn record<T>(&mut self, name: &'static str, what: &'static str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        eprintln!("{name}: {what}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("{name} failed: {error:#}");
        }
        self.0.push(Line {
            name,
            what,
            duration: start.elapsed(),
            is_passed: result.is_ok(),
        });
        result.ok()
    }

    /// The table and, as the last line, what a machine reads.
    fn print(&self) -> ExitCode {
        println!();
        for line in &self.0 {
            let verdict = if line.is_passed { "passed" } else { "FAILED" };
            let seconds = line.duration.as_secs_f64();
            println!("{:<10} {verdict}  {seconds:>7.1} s  {}", line.name, line.what);
        }
        let (passed, failed) = self.count();
        println!("{passed} passed, {failed} failed");
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// How many steps passed, and how many failed.
    fn count(&self) -> (usize, usize) {
        let failed = self.0.iter().filter(|line| !line.is_passed).count();
        (self.0.len() - failed, failed)
    }
}

/// Cargo workspaces besides the root's: guests are built with profiles of their own.
const GUEST_WORKSPACES: &[&str] = &["actions/sdk", "actions/examples"];

fn format(context: &Context<'_>) -> Result<()> {
    for folder in [""].iter().chain(GUEST_WORKSPACES) {
        let mut cargo = context.project.cargo();
        cargo
            .args(["fmt", "--all", "--check"])
            .current_dir(context.project.root.join(folder));
        context.shell.run("format", &mut cargo)?;
    }
    Ok(())
}

fn clippy(context: &Context<'_>) -> Result<()> {
    let lint = |arguments: &[&str]| {
        let mut cargo = context.project.cargo();
        cargo
            .arg("clippy")
            .args(arguments)
            .args(["--all-targets", "--", "-D", "warnings"]);
        context.shell.run("clippy", &mut cargo).map(drop)
    };
    lint(&["--workspace"])?;
    // Without its features, as a crate of its own.
    lint(&["--package", "executor-core"])?;
    for folder in GUEST_WORKSPACES {
        let mut cargo = context.project.cargo();
        cargo.args(["clippy", "--all-targets", "--", "-D", "warnings"]);
        context
            .shell
            .run("clippy", cargo.current_dir(context.project.root.join(folder)))?;
    }
    Ok(())
}

/// Each feature set that needs no system. `wamr` does until its platform layer for boards exists.
fn bare(context: &Context<'_>) -> Result<()> {
    for package in ["action-bundle", "executor-wasi", "executor-core"] {
        let mut cargo = context.toolchain.cargo();
        cargo.args([
            "build",
            "--package",
            package,
            "--no-default-features",
            "--target",
            BARE_TARGET,
        ]);
        context.shell.run(
            &format!("{package} for {BARE_TARGET}"),
            cargo.current_dir(&context.project.root),
        )?;
    }
    Ok(())
}

fn guests(context: &Context<'_>) -> Result<()> {
    for folder in GUEST_WORKSPACES {
        let mut cargo = context.project.cargo();
        cargo
            .args(["test", "--locked"])
            .current_dir(context.project.root.join(folder));
        context.shell.run(
            &format!("tests of {folder}"),
            cargo.envs(context.toolchain.environment()),
        )?;
    }
    Ok(())
}

/// Examples that speak the ABI of their own package.
const PACKAGES: &[&str] = &[
    "add", "block", "clock", "echo", "filesys", "hash", "hello", "net", "prime", "random",
];

/// Examples that are also built as a WASI command and for WOW's ABI.
const IN_ALL_ABIS: &[&str] = &["add", "echo", "hash", "prime"];

fn bundles(context: &Context<'_>) -> Result<()> {
    let Context {
        project,
        shell,
        board,
        toolchain,
    } = context;
    let tools = build::tools(project, *shell)?;
    let bundle = |name: &str, source: &Path| {
        build::bundle(
            project,
            *shell,
            board,
            &tools,
            toolchain,
            &Bundle {
                name,
                source,
                is_native_only: false,
            },
        )
    };
    let examples = Path::new("actions/examples");
    for package in PACKAGES {
        bundle(package, &examples.join(package))?;
    }
    for package in IN_ALL_ABIS {
        for (abi, features) in [("wasi", ""), ("wow", "wow")] {
            let module = build::module(project, *shell, toolchain, package, "wasm32-wasip1", features)?;
            bundle(&format!("{package}-{abi}"), &module)?;
        }
    }
    let native_only = Bundle {
        name: "add-native-only",
        source: &examples.join("add"),
        is_native_only: true,
    };
    build::bundle(project, *shell, board, &tools, toolchain, &native_only)?;
    bundle("c-hello", &examples.join("c-hello/hello.c"))?;
    npm_packages(context)?;
    bundle("as-add", &examples.join("as-add"))?;
    Ok(())
}

fn npm_packages(context: &Context<'_>) -> Result<()> {
    let package = context.project.root.join("actions/examples/as-add");
    let is_installed = package.join("node_modules/.package-lock.json");
    if is_newer(&is_installed, &package.join("package-lock.json")) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&package);
    context.shell.run("npm packages", &mut npm).map(drop)
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    matches!((changed(file), changed(than)), (Some(file), Some(than)) if file >= than)
}

/// The variables by which tests find what the step `bundles` made.
fn test_environment(project: &Project) -> [(&'static str, PathBuf); 1] {
    [("EXECUTOR_TEST_BUNDLES", project.bundles())]
}

fn tests(context: &Context<'_>) -> Result<()> {
    let mut cargo = context.project.cargo();
    cargo
        .args(["test", "--workspace"])
        .envs(test_environment(context.project));
    let printed = context.shell.run("tests", &mut cargo)?;
    for line in printed.lines().filter(|line| line.starts_with("test result")) {
        println!("{line}");
    }
    // The core alone: with the features that others ask for, `--workspace` never builds it so.
    let mut cargo = context.project.cargo();
    cargo.args(["test", "--package", "executor-core"]);
    context.shell.run("tests of the core without features", &mut cargo)?;
    Ok(())
}

fn fallback(context: &Context<'_>) -> Result<()> {
    let toolchain = provide_targets(context.project, context.shell, WASM_TARGETS, Source::DebianOnly)?;
    context.shell.say(&toolchain.describe());
    for target in WASM_TARGETS {
        let module = build::module(context.project, context.shell, &toolchain, "add", target, "")?;
        if !module.is_file() {
            bail!("{} was not built", module.display());
        }
    }
    Ok(())
}

fn run_demo(context: &Context<'_>) -> Result<()> {
    demo::demo(context.project, context.shell, &context.board, &context.toolchain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_counted_and_hides_no_other() {
        let mut report = Report::default();
        assert_eq!(report.record("one", "passes", || Ok(1)), Some(1));
        assert_eq!(
            report.record("two", "fails", || -> Result<u8> { bail!("because") }),
            None
        );
        assert_eq!(report.record("three", "passes", || Ok(3)), Some(3));
        assert_eq!(report.count(), (2, 1));
        assert_eq!(report.print(), ExitCode::FAILURE);
        assert_eq!(Report::default().print(), ExitCode::SUCCESS);
    }

    #[test]
    fn steps_have_names_of_their_own() {
        let mut names: Vec<_> = STEPS.iter().map(|step| step.name).chain(["setup"]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len() + 1);
    }
}
