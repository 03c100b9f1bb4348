//! `cargo xtask test`: every test, as steps with a name, a time and a result.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use boards::{Board, Run};

use crate::build::{self, Bundle};
use crate::project::Project;
use crate::shell::Shell;
use crate::system::{self, Need};
use crate::toolchain::{Source, Toolchain, Toolchains};
use crate::{
    BARE_TARGET, WASM_TARGETS, baked, demo, deny, evaluate, fuzz, instructions, miri, provide_for_board,
    provide_targets, sizes, soak, wedge,
};

/// One step.
struct Step<F> {
    name: &'static str,
    what: &'static str,
    run: F,
}

type OfProject = Step<fn(&Context<'_>) -> Result<()>>;
type OfBoard = Step<fn(&BoardContext<'_>) -> Result<()>>;

/// What the project's steps share.
struct Context<'a> {
    project: &'a Project,
    shell: Shell,
    toolchain: Toolchain,
}

/// What a board's steps share.
struct BoardContext<'a> {
    project: &'a Project,
    shell: Shell,
    board: &'a Board,
    toolchains: Toolchains,
}

/// In the order in which they run: what fails fast comes first.
const STEPS: &[OfProject] = &[
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
        run: |context| {
            deny::check(
                context.project,
                context.shell,
                &[&["", BENCHES, BARE_WORKSPACE], GUEST_WORKSPACES].concat(),
            )
        },
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
    BUNDLES,
    Step {
        name: "tests",
        what: "the tests of every crate, those over sockets among them",
        run: tests,
    },
    Step {
        name: "fuzz",
        what: "some thousand hostile inputs for each target, under AddressSanitizer",
        run: |context| fuzz::fuzz(context.project, context.shell, &[], fuzz::Bound::Executions),
    },
    Step {
        name: "miri",
        what: "the unit tests of the crates without a system, under Miri (skipped where rustup has none)",
        run: |context| miri::test(context.project, context.shell),
    },
    Step {
        name: "fallback",
        what: "guests can be built without rustup's targets",
        run: fallback,
    },
];

/// What the steps of boards need, too.
const BUNDLES: OfProject = Step {
    name: "bundles",
    what: "the examples as signed bundles for all boards, in all ABIs and languages",
    run: bundles,
};

/// For each board whose program runs here.
const BOARD_STEPS: &[OfBoard] = &[
    Step {
        name: "sockets",
        what: "everything that speaks to the executor over sockets, interpreted and as native code",
        run: sockets,
    },
    Step {
        name: "demo",
        what: "the demo's two answers",
        run: |context| demo::demo(context.project, context.shell, context.board, &context.toolchains),
    },
    SIZES,
    Step {
        name: "instructions",
        what: "an /init and a /run take as many instructions as boards/instructions.toml says",
        run: |context| instructions::check(context.project, context.shell, context.board, &context.toolchains),
    },
];

/// All that there is for a board whose program runs nowhere here.
const SIZES: OfBoard = Step {
    name: "sizes",
    what: "program and memory are as boards/sizes.toml says",
    run: |context| sizes::check(context.project, context.shell, context.board, &context.toolchains),
};

/// For each board whose program runs here as it is: an emulator's memory and descriptors would be counted with it.
const NATIVE_STEPS: &[OfBoard] = &[Step {
    name: "soak",
    what: "memory and descriptors stay flat while containers come and go (10 s; `cargo xtask soak` for longer)",
    run: |context| soak::short(context.project, context.shell, context.board, &context.toolchains),
}];

/// For each board without an operating system.
const BARE_STEPS: &[OfBoard] = &[
    Step {
        name: "baked",
        what: "an image with actions in it is ready when it has booted, and tells what it holds",
        run: |context| baked::check(context.project, context.shell, context.board, &context.toolchains),
    },
    Step {
        name: "faults",
        what: "a board that hangs or faults resets itself, and its next boot tells why",
        run: |context| {
            wedge::check(
                context.project,
                context.board,
                &build::program(context.project, context.board),
            )
        },
    },
];

/// The boards that are tested with the project: each architecture once.
pub const TESTED: &[&str] = &[
    "linux-amd64",
    "rpi-4",
    "rpi-2",
    "rpi-zero",
    "mps2-an500",
    "qemu-virt-aarch64",
    "nucleo-h743zi",
];

/// The boards that the tests' bundles carry native code for. `qemu-virt-aarch64` runs that of rpi-4, `nucleo-h743zi` would run
/// that of mps2-an500.
const FLEET: &[&str] = &["linux-amd64", "rpi-4", "rpi-2", "rpi-zero", "mps2-an500"];

/// Names and meanings of the steps.
pub fn steps() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_boards = BOARD_STEPS
        .iter()
        .chain(NATIVE_STEPS)
        .chain(BARE_STEPS)
        .map(|step| (step.name, step.what));
    STEPS.iter().map(|step| (step.name, step.what)).chain(of_boards)
}

/// Run the steps, then tell how each went. Without `boards`: the project's, and those of the boards that stand for all.
pub fn test(project: &Project, shell: Shell, boards: &[Board], only: &[String], is_agreed: bool) -> Result<ExitCode> {
    if let Some(unknown) = only.iter().find(|name| !steps().any(|(step, _)| step == **name)) {
        bail!("there is no step `{unknown}`; `cargo xtask test --list` prints them");
    }
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    let (steps, boards) = if boards.is_empty() {
        (
            STEPS,
            TESTED
                .iter()
                .map(|name| Board::find(name))
                .collect::<Result<Vec<_>, _>>()?,
        )
    } else {
        (&[BUNDLES][..], boards.to_vec())
    };
    let mut report = Report::default();
    let Some(context) = report.record("setup", "what the steps need is installed", || {
        prepare(project, shell, &boards, is_agreed)
    }) else {
        return Ok(report.print());
    };
    for step in steps.iter().filter(|step| is_wanted(step.name)) {
        report.record(step.name, step.what, || (step.run)(&context));
    }
    if !BOARD_STEPS
        .iter()
        .chain(NATIVE_STEPS)
        .chain(BARE_STEPS)
        .any(|step| is_wanted(step.name))
    {
        return Ok(report.print());
    }
    for board in &boards {
        let name = |step: &str| format!("{} {step}", board.name);
        let Some(toolchains) = report.record(&name("build"), "the board's executor", || for_board(&context, board))
        else {
            continue;
        };
        let context = BoardContext {
            project,
            shell,
            board,
            toolchains,
        };
        for step in steps_of(board).filter(|step| is_wanted(step.name)) {
            report.record(&name(step.name), step.what, || (step.run)(&context));
        }
    }
    Ok(report.print())
}

/// A board's steps, by how its program is run here.
fn steps_of(board: &Board) -> impl Iterator<Item = &'static OfBoard> {
    let lists: &[&[OfBoard]] = match board.run {
        Run::Native => &[BOARD_STEPS, NATIVE_STEPS],
        Run::QemuUser { .. } => &[BOARD_STEPS],
        Run::QemuSystem { .. } => &[BOARD_STEPS, BARE_STEPS],
        Run::HardwareOnly {} => &[&[SIZES]],
    };
    lists.iter().copied().flatten()
}

/// Everything that the steps share. Without it none of them can run.
fn prepare<'a>(project: &'a Project, shell: Shell, boards: &[Board], is_agreed: bool) -> Result<Context<'a>> {
    let of_boards = boards
        .iter()
        .flat_map(|board| [system::of_board(board), system::counting(board)].concat());
    let needs: Vec<Need> = [system::build(), system::tests(), system::fuzz()]
        .concat()
        .into_iter()
        .chain(of_boards)
        .collect();
    system::provide(shell, &needs, is_agreed)?;
    let targets: Vec<&str> = WASM_TARGETS.iter().copied().chain([BARE_TARGET]).collect();
    Ok(Context {
        project,
        shell,
        toolchain: provide_targets(project, shell, &targets, Source::RustupThenDebian)?,
    })
}

/// What a board's steps need.
fn for_board(context: &Context<'_>, board: &Board) -> Result<Toolchains> {
    let toolchain = provide_for_board(context.project, context.shell, board)?;
    build::executor(context.project, context.shell, board, &toolchain)?;
    Ok(Toolchains {
        guests: context.toolchain.clone(),
        board: toolchain,
    })
}

/// How each step went. One that fails does not keep the others from running.
#[derive(Default)]
struct Report(Vec<Line>);

/// One step that has ended.
struct Line {
    name: String,
    what: &'static str,
    duration: Duration,
    is_passed: bool,
}

impl Report {
    fn record<T>(&mut self, name: &str, what: &'static str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        eprintln!("{name}: {what}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("{name} failed: {error:#}");
        }
        self.0.push(Line {
            name: name.to_owned(),
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
            println!("{:<20} {verdict}  {seconds:>7.1} s  {}", line.name, line.what);
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
/// The evaluation and what it compares the executor with: other engines are not the project's dependencies.
const BENCHES: &str = "executor-linux/benches";

/// The workspace of boards without an operating system.
const BARE_WORKSPACE: &str = "executor-arm/bare-metal";

fn format(context: &Context<'_>) -> Result<()> {
    for folder in ["", BENCHES, BARE_WORKSPACE].iter().chain(GUEST_WORKSPACES) {
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
    // As the evaluation builds it.
    lint(&["--package", "executor-linux", "--features", "spans"])?;
    for folder in GUEST_WORKSPACES.iter().chain([&BENCHES]) {
        let mut cargo = context.project.cargo();
        cargo.args(["clippy", "--all-targets", "--", "-D", "warnings"]);
        if *folder == BENCHES {
            cargo.env("CARGO_TARGET_DIR", evaluate::target(context.project));
        }
        context
            .shell
            .run("clippy", cargo.current_dir(context.project.root.join(folder)))?;
    }
    for name in boards::names() {
        let board = Board::find(name)?;
        if board.bare.is_some() {
            clippy_of_bare(context, &board)?;
        }
    }
    Ok(())
}

/// A board's program and what it is made of. There are no tests in them: those would need a system.
fn clippy_of_bare(context: &Context<'_>, board: &Board) -> Result<()> {
    let Context { project, shell, .. } = context;
    let toolchain = provide_for_board(project, *shell, board)?;
    if !toolchain.has_clippy() {
        shell.say(&format!(
            "skipped for {}: {} has no clippy",
            board.name,
            toolchain.describe()
        ));
        return Ok(());
    }
    let (mut cargo, _) = build::cargo_for(project, board, &toolchain, &build::Image::default(), "clippy");
    cargo.args(["--", "-D", "warnings"]);
    shell.run(&format!("clippy of {}", board.name), &mut cargo).map(drop)
}

/// Each feature set that needs no system. With `wamr` it is built for each board without one.
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
        toolchain,
    } = context;
    let tools = build::tools(project, *shell)?;
    let fleet = FLEET
        .iter()
        .map(|name| Board::find(name))
        .collect::<Result<Vec<_>, _>>()?;
    let bundle = |name: &str, source: &Path| {
        build::bundle(
            project,
            *shell,
            &fleet,
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
    build::bundle(project, *shell, &fleet, &tools, toolchain, &native_only)?;
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
    let mut cargo = context.project.cargo();
    cargo.args([
        "test",
        "--package",
        "executor-core",
        "--features",
        "spans",
        "--lib",
        "spans",
    ]);
    context.shell.run("tests of the core's spans", &mut cargo)?;
    let mut cargo = context.project.cargo();
    cargo
        .args(["test", "--locked", "--package", "evaluate", "--package", "peer-http"])
        .env("CARGO_TARGET_DIR", evaluate::target(context.project))
        .current_dir(context.project.root.join(BENCHES));
    context.shell.run("tests of the evaluation", &mut cargo)?;
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

/// What speaks to a board without an operating system, and what of it needs one: processes and their signals and variables,
/// files, threads, containers with ports of their own, more memory than a board has, or options of the command line.
const WITHOUT_A_SYSTEM: &[(&str, &[&str])] = &[
    ("conversations", &[]),
    (
        "action",
        &[
            "a_second_signal",
            "concurrent_activations",
            "guests_that_block",
            "idle_connections_hold_no_thread",
            "sentinels_end_failed",
            "sentinels_end_each_activation_and_nothing_else",
            "sigterm_drains",
            "stalled_clients_hold_up_nobody",
            "the_environment_is_that_of_process",
        ],
    ),
    (
        "bundles",
        &[
            "any_native_code_runs",
            "blocking_actions",
            "filesys_needs",
            "native_code_cannot_be_written", // of /proc
        ],
    ),
    ("choice", &["the_start_says"]),
    (
        "deadline",
        &[
            "a_client_that_goes",
            "at_the_nodes_maximum",
            "many_endless_guests",
            "the_command_ends",
        ],
    ),
    (
        "hostile_http",
        &[
            "a_crowd_of_idle_connections",
            "a_pause_is_not_held", // of more clients than a board has sockets
            "chunks_of_a_large_bundle",
            "slow_clients_do_not_stop",
        ],
    ),
    (
        "invoker",
        &[
            "a_busy_container",
            "a_thousand_containers",
            "each_container_has_a_port",
            "idle_containers_are_removed",
            "logs_pass_without_sentinels",
            "ports_come_from_the_range",
            "results_can_be_dressed",
            "runs_leave_nothing",
            "the_container_that_is_idle_for_longest",
        ],
    ),
];

/// The tests are this machine's programs; the executor that they speak to is the board's.
fn sockets(context: &BoardContext<'_>) -> Result<()> {
    let BoardContext {
        project, shell, board, ..
    } = context;
    let mut command = build::command(project, board, &build::program(project, board));
    if board.bare.is_some() {
        let image = build::Image::untrusting();
        let untrusting = build::executor_with(project, *shell, board, &context.toolchains.board, &image, None)?;
        command.arg("--untrusting").arg(untrusting);
    }
    let words: Vec<&str> = [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .map(|word| word.to_str())
        .collect::<Option<_>>()
        .context("a path is not UTF-8")?;
    let mut cargo = project.cargo();
    cargo.args(["test", "--package", "executor-linux"]);
    if board.bare.is_some() {
        cargo.args(WITHOUT_A_SYSTEM.iter().flat_map(|(test, _)| ["--test", test]));
        cargo.args(["--", "--test-threads", "2"]);
        cargo.args(
            WITHOUT_A_SYSTEM
                .iter()
                .flat_map(|(_, left_out)| *left_out)
                .flat_map(|name| ["--skip", name]),
        );
    } else {
        cargo.args(["--test", "*"]);
    }
    cargo
        .env("EXECUTOR_TEST_COMMAND", serde_json::to_string(&words)?)
        .envs(test_environment(project));
    let printed = shell.run(&format!("tests of {}'s executor", board.name), &mut cargo)?;
    for line in printed.lines().filter(|line| line.starts_with("test result")) {
        println!("{line}");
    }
    Ok(())
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
    fn of_a_board_that_nothing_emulates_only_sizes_are_looked_at() {
        let names = |board: &str| {
            let board = Board::find(board).unwrap_or_else(|error| panic!("{error}"));
            steps_of(&board).map(|step| step.name).collect::<Vec<_>>()
        };
        assert_eq!(names("nucleo-h743zi"), ["sizes"]);
        let of_emulated = names("mps2-an500");
        assert!(of_emulated.contains(&"sockets") && of_emulated.contains(&"sizes"));
        assert!(TESTED.contains(&"nucleo-h743zi"));
    }

    #[test]
    fn steps_have_names_of_their_own() {
        let mut names: Vec<_> = steps().map(|(name, _)| name).chain(["setup", "build"]).collect();
        names.sort_unstable();
        names.dedup();
        let of_boards = BOARD_STEPS.len() + NATIVE_STEPS.len() + BARE_STEPS.len();
        assert_eq!(names.len(), STEPS.len() + of_boards + 2);
    }
}
