//! `cargo xtask measure`: the figures of the README, each with the floor beside it.

use anyhow::Result;
use boards::Board;

use crate::demo::{self, Demonstration};
use crate::invoker::{Invoker, Then, Times, micros};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

const COLD_STARTS: usize = 1000;
const WARM_RUNS: usize = 20_000;

pub fn measure(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    let demonstration = demo::prepare(project, shell, board, toolchains)?;
    let print = |what: &str, times: &Times| {
        println!(
            "{what:<44} p50 {:7.1} µs   p99 {:7.1} µs",
            micros(times.percentile(50)),
            micros(times.percentile(99))
        );
    };
    let start = || {
        let Demonstration {
            executor, public_key, ..
        } = &demonstration;
        Invoker::start(project, board, executor, public_key, Some(2 * COLD_STARTS))
    };
    println!("binary: {} bytes", demonstration.executor.metadata()?.len());
    for (mode, bundle) in &demonstration.bundles {
        println!("\n{mode} (bundle: {} bytes)", bundle.metadata()?.len());
        // A process for each, so that none finds what another has left.
        let invoker = start()?;
        print(
            "first cold start of the process",
            &invoker.cold_starts(bundle, 1, Then::Destroy)?.times,
        );
        print(
            "cold start (connect + /init + first /run)",
            &invoker.cold_starts(bundle, COLD_STARTS, Then::Destroy)?.times,
        );
        drop(invoker);
        let invoker = start()?;
        let idle = invoker.resident_bytes()?;
        // The first one loads the action for the others.
        invoker.cold_starts(bundle, 1, Then::Keep)?;
        let before = invoker.resident_bytes()?;
        let cold = invoker.cold_starts(bundle, COLD_STARTS, Then::Keep)?.times;
        let after = invoker.resident_bytes()?;
        print("  beside a container with the same action", &cold);
        print(
            "  floor: connect + two refused requests",
            &invoker.floor_cold(bundle, COLD_STARTS)?,
        );
        print("warm /run, kept connection", &invoker.warm_runs(bundle, WARM_RUNS)?);
        print("  floor: one refused request", &invoker.floor_warm(WARM_RUNS)?);
        let each = after.saturating_sub(before) / COLD_STARTS as u64;
        println!(
            "resident: {} KiB idle; {} bytes more per warm container at {COLD_STARTS}",
            idle / 1024,
            each
        );
    }
    Ok(())
}
