//! `cargo xtask`: the build driver.

mod baked;
mod build;
mod demo;
mod deny;
mod deploy;
mod emulate;
mod evaluate;
mod fuzz;
mod http;
mod instructions;
mod invoker;
mod measure;
mod miri;
mod project;
mod resident;
mod running;
mod shell;
mod sizes;
mod soak;
mod system;
mod test;
mod toolchain;
mod wedge;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use boards::{Board, Run};
use clap::{Args, Parser, Subcommand};

use project::Project;
use shell::Shell;
use system::Need;
use toolchain::{Source, Toolchain, Toolchains};

/// Build, try and test the executor.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
    /// Show each program that is run
    #[arg(long, short, global = true)]
    verbose: bool,
    /// Install what is missing without asking
    #[arg(long, short, global = true)]
    yes: bool,
}

/// Which board.
#[derive(Args)]
struct OfBoard {
    /// A name of `cargo xtask boards`, or the path of a board.toml
    #[arg(long, value_name = "BOARD", default_value = REFERENCE)]
    board: String,
}

impl OfBoard {
    fn find(&self) -> Result<Board> {
        Ok(Board::find(&self.board)?)
    }

    /// One whose program runs here.
    fn find_to_run(&self) -> Result<Board> {
        let board = self.find()?;
        if matches!(board.run, Run::HardwareOnly {}) {
            bail!(
                "nothing here emulates {name}: `cargo xtask build --board {name}` makes its image",
                name = board.name
            );
        }
        Ok(board)
    }
}

#[derive(Subcommand)]
enum Task {
    /// Build everything, start the invoker, and let the action `add` answer: interpreted and as native code
    ///
    /// Another board's invoker runs here under emulation.
    Demo(OfBoard),
    /// Run every test; with --board, those of a board's executor
    Test {
        /// Build this board's executor, and run everything that speaks to it over sockets; may be repeated
        #[arg(long = "board", value_name = "BOARD")]
        boards: Vec<String>,
        /// Only this step; may be repeated
        #[arg(long = "only", value_name = "STEP")]
        only: Vec<String>,
        /// Print the steps and end
        #[arg(long)]
        list: bool,
    },
    /// Fuzz everything that reads hostile input, under AddressSanitizer, and compare with oracles
    ///
    /// Goes on where it was left: what it learns is kept in target/fuzz. A crash leaves its input there.
    Fuzz {
        /// Only this target; may be repeated
        #[arg(long = "target", value_name = "TARGET")]
        targets: Vec<String>,
        /// How long each target runs
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        seconds: u32,
    },
    /// Build a board's executor, and say where it is
    Build {
        #[command(flatten)]
        of: OfBoard,
        /// A public key, or a file with one: native code that it has signed may run. For boards without an operating system;
        /// may be repeated
        #[arg(long, value_name = "KEY")]
        trust: Vec<String>,
        /// A bundle that becomes a part of the image: the board is ready to run it when it has booted. Its container is named
        /// as the file. For boards without an operating system; may be repeated
        #[arg(long, value_name = "BUNDLE")]
        bake: Vec<PathBuf>,
    },
    /// Run a board without an operating system here, emulated, with one of its ports on loopback
    Emulate(emulate::Emulate),
    /// Install a board's executor on a board, as a service
    ///
    /// Builds it, copies it with rsync, and starts a hardened systemd service, by ssh with sudo. Deploying again updates it.
    #[command(after_help = deploy::EXAMPLES)]
    Deploy(deploy::Deploy),
    /// Install what is missing: system packages and Rust targets
    Setup {
        /// Also what this board's executor takes; may be repeated
        #[arg(long = "board", value_name = "BOARD")]
        boards: Vec<String>,
        /// Use Debian's Rust compiler even where rustup has the targets
        #[arg(long)]
        force_fallback: bool,
    },
    /// Measure the executor beside its peers (Wasmtime, wasmi, a process per run, nodejs) and the floor of bare HTTP
    ///
    /// Cold and warm starts, throughput, memory, process start; as tables, JSON and plots, with the goals that are met or not.
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(evaluate::Evaluate),
    /// Measure cold and warm starts, memory and size
    Measure(OfBoard),
    /// Let 1000 containers come and go under load, and fail if memory or descriptors do not stay flat
    ///
    /// Actions of all kinds, interpreted, native and WASI, some of which trap, never end, or are none; clients that destroy
    /// their containers, leave them, or break off. Prints a table of requests, times, memory and descriptors.
    Soak {
        #[command(flatten)]
        of: OfBoard,
        /// For so long; may have a fraction
        #[arg(long, value_name = "N", default_value_t = 5.0)]
        minutes: f64,
    },
    /// Print each board's sizes and memory, and compare them with boards/sizes.toml
    Sizes {
        /// Only this board; may be repeated
        #[arg(long = "board", value_name = "BOARD")]
        boards: Vec<String>,
        /// Write them to boards/sizes.toml instead
        #[arg(long)]
        write: bool,
    },
    /// Count the instructions of an /init and a /run of `add`, and compare them with boards/instructions.toml
    ///
    /// By Callgrind for this machine's executor, by QEMU for other boards'. Times are noisy; these numbers are not.
    Instructions {
        /// Only this board; may be repeated [default: those of `cargo xtask test`]
        #[arg(long = "board", value_name = "BOARD")]
        boards: Vec<String>,
        /// Write them to boards/instructions.toml instead
        #[arg(long)]
        write: bool,
    },
    /// List the boards
    Boards,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The board that the others are measured against: this machine.
const REFERENCE: &str = "linux-amd64";
/// What guests are built for.
const WASM_TARGETS: &[&str] = &["wasm32-unknown-unknown", "wasm32-wasip1"];
/// What the core is built for to prove that it needs no system.
const BARE_TARGET: &str = "thumbv7em-none-eabihf";

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = match &arguments.command {
        // The tests start it without an environment.
        Task::Emulate(emulate::Emulate { cache: Some(cache), .. }) => Project::with_cache(cache.clone())?,
        _ => Project::find()?,
    };
    let shell = Shell {
        is_verbose: arguments.verbose,
    };
    let is_agreed = arguments.yes;
    match &arguments.command {
        Task::Demo(of) => {
            let board = of.find_to_run()?;
            let toolchains = provide(&project, shell, &board, is_agreed)?;
            demo::demo(&project, shell, &board, &toolchains)?;
        }
        Task::Measure(of) => {
            let board = of.find_to_run()?;
            let toolchains = provide(&project, shell, &board, is_agreed)?;
            measure::measure(&project, shell, &board, &toolchains)?;
        }
        Task::Evaluate(options) => {
            let board = Board::find(REFERENCE)?;
            let toolchains = provide(&project, shell, &board, is_agreed)?;
            return evaluate::evaluate(&project, shell, &board, &toolchains, options);
        }
        Task::Soak { of, minutes } => {
            let board = of.find_to_run()?;
            let toolchains = provide(&project, shell, &board, is_agreed)?;
            soak::soak(
                &project,
                shell,
                &board,
                &toolchains,
                soak::Extent::of_minutes(*minutes)?,
            )?;
        }
        Task::Build { of, trust, bake } => {
            let board = of.find()?;
            let image = build::Image::new(&board, trust, bake)?;
            println!("{}", build_only(&project, shell, &board, &image, is_agreed)?.display());
        }
        Task::Emulate(arguments) => return emulate::emulate(&project, arguments),
        Task::Deploy(deploy) => deploy::deploy(&project, shell, deploy, is_agreed)?,
        Task::Test { list: true, .. } => {
            for (name, what) in test::steps() {
                print(&format!("{name:<12} {what}\n"));
            }
        }
        Task::Test { boards, only, .. } => return test::test(&project, shell, &found(boards)?, only, is_agreed),
        Task::Fuzz { targets, seconds } => {
            system::provide(shell, &[system::compiler(), system::fuzz()].concat(), is_agreed)?;
            fetch(&project, shell)?;
            fuzz::fuzz(&project, shell, targets, fuzz::Bound::Seconds(*seconds))?;
        }
        Task::Sizes { boards, write } => {
            let boards = if boards.is_empty() {
                found(&boards::names().collect::<Vec<_>>())?
            } else {
                found(boards)?
            };
            return sizes::sizes(&project, shell, &boards, *write, is_agreed);
        }
        Task::Instructions { boards, write } => {
            let boards = if boards.is_empty() {
                let mut tested = found(test::TESTED)?;
                tested.retain(|board| !matches!(board.run, Run::HardwareOnly {}));
                tested
            } else {
                found(boards)?
            };
            return instructions::instructions(&project, shell, &boards, *write, is_agreed);
        }
        Task::Setup { boards, force_fallback } => {
            let boards = found(boards)?;
            let needs = boards.iter().flat_map(system::of_board);
            let needs: Vec<Need> = [system::build(), system::tests()]
                .concat()
                .into_iter()
                .chain(needs)
                .collect();
            system::provide(shell, &needs, is_agreed)?;
            let source = if *force_fallback {
                Source::DebianOnly
            } else {
                Source::RustupThenDebian
            };
            let guests: Vec<&str> = WASM_TARGETS.iter().copied().chain([BARE_TARGET]).collect();
            let boards = boards.iter().map(|board| vec![board.build.rust_target.as_str()]);
            for targets in [guests].into_iter().chain(boards) {
                let toolchain = provide_targets(&project, shell, &targets, source)?;
                println!("ready: {} for {}", toolchain.describe(), targets.join(", "));
            }
        }
        Task::Boards => {
            for name in boards::names() {
                let Board {
                    description,
                    verified,
                    build,
                    aot,
                    ..
                } = Board::find(name)?;
                print(&format!(
                    "{name:<12} {description}\n{:12} {}, AOT {} ({})\n{:12} verified: {verified}\n",
                    "", build.rust_target, aot.target, aot.cpu, ""
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line of a list, even if nobody reads on (`| head`).
fn print(line: &str) {
    let _ = std::io::stdout().write_all(line.as_bytes());
}

fn found(names: &[impl AsRef<str>]) -> Result<Vec<Board>> {
    names.iter().map(|name| Ok(Board::find(name.as_ref())?)).collect()
}

/// All that building and running a board's executor and its bundles takes.
fn provide(project: &Project, shell: Shell, board: &Board, is_agreed: bool) -> Result<Toolchains> {
    let needs = [system::build(), system::of_board(board)].concat();
    system::provide(shell, &needs, is_agreed)?;
    Ok(Toolchains {
        guests: provide_targets(project, shell, WASM_TARGETS, Source::RustupThenDebian)?,
        board: provide_for_board(project, shell, board)?,
    })
}

/// A board's executor, and nothing else.
fn build_only(
    project: &Project,
    shell: Shell,
    board: &Board,
    image: &build::Image,
    is_agreed: bool,
) -> Result<PathBuf> {
    system::provide(
        shell,
        &[system::compiler(), system::of_board(board)].concat(),
        is_agreed,
    )?;
    let toolchain = provide_for_board(project, shell, board)?;
    build::executor_with(project, shell, board, &toolchain, image, None)
}

/// A cargo that can build a board's executor.
fn provide_for_board(project: &Project, shell: Shell, board: &Board) -> Result<Toolchain> {
    provide_targets(project, shell, &[&board.build.rust_target], Source::RustupThenDebian)
}

/// A cargo that can build for the targets.
fn provide_targets(project: &Project, shell: Shell, targets: &[&str], source: Source) -> Result<Toolchain> {
    fetch(project, shell)?;
    toolchain::provide(targets, source, &project.cache, &mut |line| shell.say(line))
}

/// Every crate of the lock file. WAMR's sources lie in one that Cargo never compiles, so that a build alone would not
/// download it, and build scripts do not use the network.
fn fetch(project: &Project, shell: Shell) -> Result<()> {
    shell
        .run("crates", project.cargo().args(["fetch", "--locked"]))
        .map(drop)
        .context("the crates cannot be downloaded: is there a network, and does Cargo.lock fit the manifests?")
}
