//! `cargo xtask`: the build driver.

mod board;
mod build;
mod demo;
mod deny;
mod http;
mod invoker;
mod measure;
mod project;
mod shell;
mod system;
mod test;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use board::Board;
use project::Project;
use shell::Shell;
use system::Extent;
use toolchain::{Source, Toolchain};

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

#[derive(Subcommand)]
enum Task {
    /// Build everything, start the invoker, and let the action `add` answer: interpreted and as native code
    Demo,
    /// Run every test
    Test {
        /// Only this step; may be repeated
        #[arg(long = "only", value_name = "STEP")]
        only: Vec<String>,
        /// Print the steps and end
        #[arg(long)]
        list: bool,
    },
    /// Install what is missing: system packages and Rust targets
    Setup {
        /// Use Debian's Rust compiler for Wasm targets even where rustup has them
        #[arg(long)]
        force_fallback: bool,
    },
    /// Measure cold and warm starts, memory and size
    Measure,
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

/// What guests are built for.
const WASM_TARGETS: &[&str] = &["wasm32-unknown-unknown", "wasm32-wasip1"];
/// What the core is built for to prove that it needs no system.
const BARE_TARGET: &str = "thumbv7em-none-eabihf";

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::find()?;
    let shell = Shell {
        is_verbose: arguments.verbose,
    };
    match &arguments.command {
        Task::Demo | Task::Measure => {
            system::provide(shell, Extent::Build, arguments.yes)?;
            let toolchain = provide_targets(&project, shell, WASM_TARGETS, Source::RustupThenDebian)?;
            let board = Board::load(&project.boards(), "linux-amd64")?;
            match arguments.command {
                Task::Measure => measure::measure(&project, shell, &board, &toolchain)?,
                _ => demo::demo(&project, shell, &board, &toolchain)?,
            }
        }
        Task::Test { list: true, .. } => {
            for step in test::STEPS {
                println!("{:<12} {}", step.name, step.what);
            }
        }
        Task::Test { only, .. } => return test::test(&project, shell, only, arguments.yes),
        Task::Setup { force_fallback } => {
            system::provide(shell, Extent::BuildAndExamples, arguments.yes)?;
            let source = if *force_fallback {
                Source::DebianOnly
            } else {
                Source::RustupThenDebian
            };
            let targets: Vec<&str> = WASM_TARGETS.iter().copied().chain([BARE_TARGET]).collect();
            let toolchain = provide_targets(&project, shell, &targets, source)?;
            println!("ready: {}", toolchain.describe());
        }
        Task::Boards => {
            for name in board::names(&project.boards())? {
                let board = Board::load(&project.boards(), &name)?;
                println!(
                    "{name:<16} {}\n{:16} {}, AOT {} ({})",
                    board.description, "", board.rust_target, board.wamrc_target, board.wamrc_cpu
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
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
