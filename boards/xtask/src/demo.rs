//! `cargo xtask demo`: from a checkout to two answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;

use anyhow::Result;
use boards::Board;

use crate::build::{self, Bundle};
use crate::invoker::{INPUT, Invoker, Then, micros};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// A demo's answer comes at once; `cargo xtask measure` takes its time.
const CONTAINERS: usize = 20;
const WARM_RUNS: usize = 1000;

/// What is demonstrated, and measured: the executor, and `add` as it runs interpreted and as native code.
pub struct Demonstration {
    pub executor: PathBuf,
    pub public_key: PathBuf,
    /// (mode, bundle)
    pub bundles: [(&'static str, PathBuf); 2],
}

impl Demonstration {
    /// The bundle with native code.
    pub fn native(&self) -> &Path {
        let [_, (_, native)] = &self.bundles;
        native
    }
}

/// Build all of it.
pub fn prepare(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<Demonstration> {
    let executor = build::executor(project, shell, board, &toolchains.board)?;
    let tools = build::tools(project, shell)?;
    let source = Path::new("actions/examples/add");
    let native = build::bundle(
        project,
        shell,
        slice::from_ref(board),
        &tools,
        &toolchains.guests,
        &Bundle {
            name: &format!("demo-add-{}", board.name),
            source,
            is_native_only: false,
        },
    )?;
    // The same action without its native code: what a node runs that has no artifact for it.
    let portable = project.bundles().join("demo-add-portable.zip");
    let mut command = Command::new(&tools.bundle);
    command
        .arg("build")
        .arg(project.root.join(source))
        .arg("--no-aot")
        .arg("--output")
        .arg(&portable);
    shell.run(
        "bundle demo-add-portable",
        command.envs(toolchains.guests.environment()),
    )?;
    let (_, public_key) = build::key(project, shell, &tools)?;
    Ok(Demonstration {
        executor,
        public_key,
        bundles: [("interpreted", portable), ("AOT", native)],
    })
}

/// Build everything, start the invoker, and let `add` answer twice: interpreted, and as native code.
pub fn demo(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    let demonstration = prepare(project, shell, board, toolchains)?;
    let invoker = Invoker::start(project, board, &demonstration.executor, &demonstration.public_key, None)?;
    println!("{}: invoker listening on {}", board.name, invoker.address);
    for (mode, bundle) in &demonstration.bundles {
        let cold = invoker.cold_starts(bundle, CONTAINERS, Then::Destroy)?;
        let warm = invoker.warm_runs(bundle, WARM_RUNS)?;
        println!(
            "{mode:>11}: {INPUT} -> {}   cold (connect + /init + first /run) p50 {:.0} µs, warm p50 {:.0} µs",
            cold.answer,
            micros(cold.times.percentile(50)),
            micros(warm.percentile(50))
        );
    }
    Ok(())
}
