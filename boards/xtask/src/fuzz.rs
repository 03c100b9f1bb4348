//! The fuzz targets of `executor-core/fuzz`, built with AddressSanitizer and run by libFuzzer.
//!
//! The stable compiler builds them: `RUSTC_BOOTSTRAP` lets it take `-Zsanitizer`, and its own runtime of the sanitizer is
//! linked. WAMR's C is compiled by clang, whose instrumentation that runtime and libFuzzer understand.
//!
//! What libFuzzer finds worth keeping goes to `target/fuzz/corpus`, what crashes to `target/fuzz/artifacts`; the committed
//! seeds are only read.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::shell::Shell;

/// A target, and how many executions it gets in the tests: a few seconds of each.
const TARGETS: &[(&str, u32)] = &[
    ("http", 30_000),
    ("json", 30_000),
    ("command", 30_000),
    ("base64", 30_000),
    ("inflate", 3_000),
    ("zip", 4_000),
    ("manifest", 15_000),
    ("conversation", 4_000),
    ("module", 6_000),
    ("engine", 400),
    ("wasi", 10_000),
];

/// When a target has had enough.
#[derive(Clone, Copy)]
pub enum Bound {
    /// After the executions of [`TARGETS`], which are the same each time: the seed is fixed, and only the committed corpus
    /// is read.
    Executions,
    /// After so many seconds, begun where the last run has ended.
    Seconds(u32),
}

/// Build the targets and run those of `only`, or all. One that crashes keeps no other from running.
pub fn fuzz(project: &Project, shell: Shell, only: &[String], bound: Bound) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !TARGETS.iter().any(|(known, _)| known == name)) {
        let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        bail!("there is no target `{unknown}`; there are: {}", known.join(", "));
    }
    let programs = build(project, shell)?;
    let mut lines = Vec::new();
    let mut crashed = Vec::new();
    for &(name, executions) in TARGETS {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        match run(project, shell, &programs, name, executions, bound) {
            Ok(figures) => lines.push(format!("{name:<14} {figures}")),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                lines.push(format!("{name:<14} CRASHED"));
                crashed.push(name);
            }
        }
    }
    println!("target         executions  per second   coverage     corpus");
    for line in lines {
        println!("{line}");
    }
    if crashed.is_empty() {
        return Ok(());
    }
    bail!(
        "{} crashed: mend it, and keep the input of {} as executor-core/fuzz/regressions/TARGET/NAME",
        crashed.join(", "),
        folder(project).join("artifacts").display()
    )
}

fn folder(project: &Project) -> PathBuf {
    project.target.join("fuzz")
}

/// Where the programs are.
fn build(project: &Project, shell: Shell) -> Result<PathBuf> {
    let target = format!("{ARCH}-unknown-linux-gnu");
    let of_target = |variable: &str| format!("{variable}_{}", target.replace('-', "_"));
    let mut cargo = project.cargo();
    cargo
        .args([
            "build",
            "--profile",
            "fuzz",
            "--package",
            "fuzz",
            "--features",
            "libfuzzer",
        ])
        .args(["--bins", "--target", &target, "--target-dir"])
        .arg(folder(project))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_WRAPPER", project.root.join("executor-core/fuzz/rustc"))
        .env(of_target("CC"), "clang-19")
        .env(of_target("CFLAGS"), "-fsanitize=address,fuzzer-no-link");
    shell.run("fuzz targets with AddressSanitizer (once; some minutes)", &mut cargo)?;
    Ok(folder(project).join(target).join("fuzz"))
}

/// Run one target. An error is a crash, whose trace has been shown.
fn run(project: &Project, shell: Shell, programs: &Path, name: &str, executions: u32, bound: Bound) -> Result<Figures> {
    let artifacts = folder(project).join("artifacts").join(name);
    fs::create_dir_all(&artifacts)?;
    let fresh = tempfile::tempdir()?;
    // libFuzzer tells everything on its standard error.
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"exec "$@" 2>&1"#, "fuzz"])
        .arg(programs.join(format!("fuzz-{name}")))
        .args(["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=3072"])
        // Theirs ends the process; the product has a handler of its own for files that become too long.
        .arg("-handle_xfsz=0")
        .arg(format!("-artifact_prefix={}/", artifacts.display()));
    match bound {
        Bound::Executions => command.args(["-seed=1".to_owned(), format!("-runs={executions}")]),
        Bound::Seconds(seconds) => command.arg(format!("-max_total_time={seconds}")),
    };
    match bound {
        Bound::Executions => command.arg(fresh.path()),
        Bound::Seconds(_) => {
            let corpus = folder(project).join("corpus").join(name);
            fs::create_dir_all(&corpus)?;
            command.arg(corpus)
        }
    };
    for inputs in ["corpus", "regressions"] {
        let committed = project.root.join("executor-core/fuzz").join(inputs).join(name);
        if committed.is_dir() {
            command.arg(committed);
        }
    }
    let printed = shell.run(&format!("fuzzing {name}"), &mut command)?;
    Figures::parse(&printed).with_context(|| format!("libFuzzer ended without its figures:\n{printed}"))
}

/// What libFuzzer says at its end.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    executions: u64,
    per_second: u64,
    coverage: u64,
    /// Inputs that are worth keeping.
    corpus: u64,
}

impl Figures {
    /// From `#60000 DONE cov: 210 ft: 612 corp: 134/2716b lim: 80 …` and the lines `stat::…: 60000`.
    fn parse(printed: &str) -> Option<Self> {
        let stat = |name: &str| {
            let mut lines = printed.lines();
            lines.find_map(|line| {
                line.strip_prefix("stat::")?
                    .strip_prefix(name)?
                    .strip_prefix(':')?
                    .trim()
                    .parse()
                    .ok()
            })
        };
        let last: Vec<&str> = printed
            .lines()
            .rfind(|line| line.starts_with('#') && line.contains("cov: "))?
            .split_whitespace()
            .collect();
        let after = |word: &str| last.iter().skip_while(|found| **found != word).nth(1);
        Some(Figures {
            executions: stat("number_of_executed_units")?,
            per_second: stat("average_exec_per_sec")?,
            coverage: after("cov:")?.parse().ok()?,
            corpus: after("corp:")?.split('/').next()?.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Figures {
            executions,
            per_second,
            coverage,
            corpus,
        } = self;
        write!(f, "{executions:>10}  {per_second:>10}  {coverage:>9}  {corpus:>9}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let printed = "INFO: Seed: 1\n#2\tINITED cov: 71 ft: 71 corp: 1/1b exec/s: 0 rss: 33Mb\n\
            #20000\tDONE   cov: 210 ft: 612 corp: 134/2716b lim: 80 exec/s: 20000 rss: 50Mb\n\
            ###### Recommended dictionary. ######\n\
            Done 20000 runs in 1 second(s)\n\
            stat::number_of_executed_units: 20000\nstat::average_exec_per_sec:     19000\n";
        let figures = Figures {
            executions: 20_000,
            per_second: 19_000,
            coverage: 210,
            corpus: 134,
        };
        assert_eq!(Figures::parse(printed), Some(figures));
        assert_eq!(Figures::parse("==1== ERROR: AddressSanitizer"), None);
    }

    #[test]
    fn each_target_has_a_driver_and_seeds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../executor-core/fuzz");
        for (name, _) in TARGETS {
            assert!(root.join("fuzz_targets").join(format!("{name}.rs")).is_file(), "{name}");
            assert!(root.join("corpus").join(name).is_dir(), "{name}");
        }
        let drivers = fs::read_dir(root.join("fuzz_targets")).expect("a folder");
        assert_eq!(drivers.count(), TARGETS.len());
    }
}
