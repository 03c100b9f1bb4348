//! The evaluation: the executor beside its peers, in one run. `cargo xtask evaluate` builds all of them and starts it.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`inputs`] | the actions, in the form that each system takes |
//! | [`system`] | the systems: how each is started |
//! | [`client`] | the one client that all are asked by |
//! | [`experiments`] | what is measured |
//! | [`results`] | as data: `results.json` |
//! | [`goals`], [`table`] | as words |
//! | [`plots`] | as pictures |
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are told with three digits, and counts are far below 2^52"
)]

mod client;
mod cores;
mod experiments;
mod goals;
mod inputs;
mod machine;
mod plots;
mod progress;
mod results;
mod statistics;
mod system;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use experiments::Setting;
use inputs::Inputs;
use machine::Machine;
use results::Results;

/// Measure the executor beside its peers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What `cargo xtask evaluate` has built: paths, as JSON
    #[arg(long, value_name = "FILE")]
    inputs: PathBuf,
    /// Where results go
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Only these experiments, with commas
    #[arg(long, value_name = "EXPERIMENTS", value_delimiter = ',')]
    only: Vec<Experiment>,
    /// Few repetitions: a look in two minutes
    #[arg(long)]
    quick: bool,
    /// Measure nothing: print what was measured before
    #[arg(long)]
    show: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Experiment {
    Cold,
    First,
    Split,
    Load,
    Warm,
    Throughput,
    Scaling,
    Start,
    Memory,
    Zipf,
    Sizes,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let path = arguments.out.join("results.json");
    let results = if arguments.show {
        Results::read(&path)?
    } else {
        let results = measure(arguments)?;
        fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {}", arguments.out.display()))?;
        results.write(&path)?;
        results
    };
    let plots = plots::draw(&results, &arguments.out)?;
    fs::write(arguments.out.join("README.md"), markdown(&results, &plots))?;
    println!("{}", results.machine.describe());
    results.notes.iter().for_each(|note| println!("{note}"));
    print!("{}", table::table(&results));
    println!("\nGoals\n{}", goals::table(&goals::goals(&results)));
    println!("{}", path.display());
    Ok(())
}

/// The results as a page: goals, plots, all figures.
fn markdown(results: &Results, plots: &[String]) -> String {
    let mut text = format!(
        "# Results\n\n{}; the executor's commit is {}{}. Made by `cargo xtask evaluate`; [how](../README.md).{}\n\n## Goals\n\n{}",
        results.machine.describe(),
        results.revision,
        results.notes.iter().map(|note| format!("; {note}")).collect::<String>(),
        if results.is_quick {
            " A quick run: for a look only."
        } else {
            ""
        },
        goals::markdown(&goals::goals(results))
    );
    text += "\n## Plots\n\n";
    for plot in plots {
        text += &format!("![{plot}]({plot}.svg)\n\n");
    }
    text + "## Figures\n\n```text" + &table::table(results) + "```\n"
}

fn measure(arguments: &Arguments) -> Result<Results> {
    let inputs = Inputs::read(&arguments.inputs)?;
    inputs.prepare()?;
    let setting = Setting {
        inputs: &inputs,
        is_quick: arguments.quick,
    };
    let is_wanted = |experiment| arguments.only.is_empty() || arguments.only.contains(&experiment);
    let mut results = Results {
        machine: Machine::read(),
        revision: inputs.revision.clone(),
        is_quick: arguments.quick,
        notes: inputs.notes.clone(),
        ..Results::default()
    };
    if is_wanted(Experiment::Sizes) {
        results.sizes = experiments::sizes::sizes(&setting)?;
    }
    if is_wanted(Experiment::Start) {
        results.start = experiments::start::start(&setting)?;
    }
    if is_wanted(Experiment::Cold) {
        results.cold = experiments::cold::cold(&setting)?;
    }
    if is_wanted(Experiment::First) {
        results.first = experiments::cold::first(&setting)?;
    }
    if is_wanted(Experiment::Split) {
        results.split = experiments::split::split(&setting)?;
    }
    if is_wanted(Experiment::Load) {
        results.load = experiments::load::load(&setting)?;
    }
    if is_wanted(Experiment::Warm) {
        results.warm = experiments::warm::warm(&setting)?;
    }
    if is_wanted(Experiment::Throughput) {
        results.throughput = experiments::throughput::throughput(&setting)?;
    }
    if is_wanted(Experiment::Scaling) {
        results.scaling = experiments::throughput::scaling(&setting)?;
    }
    if is_wanted(Experiment::Zipf) {
        results.zipf = experiments::zipf::zipf(&setting)?;
    }
    if is_wanted(Experiment::Memory) {
        results.memory = experiments::memory::memory(&setting)?;
    }
    Ok(results)
}
