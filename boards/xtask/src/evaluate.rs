//! `cargo xtask evaluate`: build the executor, its peers and the tool that compares them, and start it.
//!
//! The tool and the peers are a workspace of their own, `executor-linux/benches`; its README tells what is measured, and how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use boards::Board;
use clap::Args;
use serde_json::json;

use crate::build::{self, Image};
use crate::project::Project;
use crate::shell::{Shell, ask};
use crate::toolchain::Toolchains;

/// What `cargo xtask evaluate` takes. All is handed on to the tool but `--out`'s default.
#[derive(Args)]
pub struct Evaluate {
    /// Only these experiments, with commas
    #[arg(long, value_name = "EXPERIMENTS", value_delimiter = ',', value_parser = EXPERIMENTS)]
    only: Vec<String>,
    /// Few repetitions: a look in two minutes once all is built. For figures to be told, leave it out
    #[arg(long)]
    quick: bool,
    /// Where results go [default: target/evaluate/results]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write to the committed results, executor-linux/benches/results, which the README shows
    #[arg(long, conflicts_with_all = ["out", "quick", "only"])]
    commit: bool,
    /// Build and measure nothing: print what was measured before
    #[arg(long)]
    show: bool,
}

pub const EXAMPLES: &str = "\
Examples:
  cargo xtask evaluate                       everything, in a quarter of an hour once all is built
  cargo xtask evaluate --quick               a look at everything
  cargo xtask evaluate --only cold,warm      two experiments
  cargo xtask evaluate --show                the last run's tables once more

Results are results.json (times in microseconds, memory in bytes) and plots as SVG; the table of goals says what is met. The
processor should have nothing else to do meanwhile: systems take turns, so that the ratios between them hold even so, but not
the times.";

/// As the tool knows them; here too, so that a name that it does not know is refused before anything is built.
const EXPERIMENTS: [&str; 11] = [
    "cold",
    "first",
    "split",
    "load",
    "warm",
    "throughput",
    "scaling",
    "start",
    "memory",
    "zipf",
    "sizes",
];

const PEERS: &[&str] = &[
    "peer-echo",
    "peer-load-executor",
    "peer-load-wamr",
    "peer-spawn",
    "peer-wasmi",
    "peer-wasmtime",
];

/// Cargo's build folder of that workspace.
pub fn target(project: &Project) -> PathBuf {
    project.target.join("benches")
}

pub fn evaluate(
    project: &Project,
    shell: Shell,
    board: &Board,
    toolchains: &Toolchains,
    evaluate: &Evaluate,
) -> Result<ExitCode> {
    let benches = project.root.join("executor-linux/benches");
    let built = target(project);
    let work = project.target.join("evaluate");
    fs::create_dir_all(&work)?;
    let cargo = |what: &str, packages: &[&str]| {
        let mut cargo = project.cargo();
        cargo
            .args(["build", "--release", "--locked"])
            .args(packages.iter().flat_map(|package| ["--package", package]))
            .arg("--target-dir")
            .arg(&built)
            .current_dir(&benches);
        shell.run(what, &mut cargo)
    };
    cargo("the evaluation", &["evaluate"])?;
    let inputs = work.join("inputs.json");
    if !evaluate.show {
        cargo("the peers", PEERS)?;
        // Apart from the peer, which shall not have a compiler in it.
        cargo("Wasmtime's compiler", &["wasmtime-compiler"])?;
        let executor = build::executor(project, shell, board, &toolchains.board)?;
        let executor_spans = build::executor_with(
            project,
            shell,
            board,
            &toolchains.board,
            &Image::default(),
            Some("spans"),
        )?;
        let tools = build::tools(project, shell)?;
        let module = |name: &str| build::module(project, shell, &toolchains.guests, name, "wasm32-unknown-unknown", "");
        let (secret_key, public_key) = build::key(project, shell, &tools)?;
        let revision = ask(
            "git",
            &["-C", &project.root.to_string_lossy(), "describe", "--always", "--dirty"],
        );
        let (nodejs, note) = match nodejs(project, shell, &work) {
            Ok((server, version)) => (Some(server), format!("node is {version}")),
            Err(error) => (None, format!("nodejs is left out: {error:#}")),
        };
        println!("{note}");
        let paths = json!({
            "executor": executor,
            "executor_spans": executor_spans,
            "public_key": public_key,
            "secret_key": secret_key,
            "bundle": tools.bundle,
            "wamrc": tools.wamrc,
            "board": board.name,
            "peers": built.join("release"),
            "wasmtime_compiler": built.join("release/wasmtime-compiler"),
            "nodejs": nodejs,
            "notes": [note],
            "add": module("add")?,
            "hash": module("hash")?,
            "revision": revision.unwrap_or_default(),
            "work": work,
        });
        fs::write(&inputs, paths.to_string()).with_context(|| format!("cannot write {}", inputs.display()))?;
    }
    let out = match &evaluate.out {
        Some(out) => out.clone(),
        None if evaluate.commit => benches.join("results"),
        None => work.join("results"),
    };
    let mut tool = Command::new(built.join("release/evaluate"));
    tool.arg("--inputs").arg(inputs).arg("--out").arg(out);
    tool.args(evaluate.only.iter().flat_map(|only| ["--only", only.as_str()]));
    tool.args(evaluate.quick.then_some("--quick"));
    tool.args(evaluate.show.then_some("--show"));
    // It shows its own progress.
    let status = tool.status().context("cannot start the evaluation")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The peer on node, with what it needs from npm, and node's version.
fn nodejs(project: &Project, shell: Shell, work: &Path) -> Result<(PathBuf, String)> {
    let version = ask("node", &["--version"]).context("there is no `node`")?;
    let source = project.root.join("executor-linux/benches/peers/nodejs");
    let folder = work.join("nodejs");
    fs::create_dir_all(&folder)?;
    let lock = "package-lock.json";
    let read = |path: PathBuf| fs::read(path).unwrap_or_default();
    let is_installed = folder.join("node_modules").is_dir() && read(folder.join(lock)) == read(source.join(lock));
    for file in ["server.js", "package.json", lock] {
        fs::copy(source.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    if !is_installed {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"])
            .current_dir(&folder);
        if let Err(error) = shell.run("the peer on node", &mut npm) {
            // So that the next run tries again.
            let _ = fs::remove_file(folder.join(lock));
            return Err(error);
        }
    }
    Ok((folder.join("server.js"), version))
}
