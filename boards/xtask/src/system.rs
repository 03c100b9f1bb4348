//! What a build needs of the system: Debian's packages, installed if they are missing.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{Shell, ask};

/// A need of the build: how to see that it is met, and the packages that meet it.
struct Need {
    what: &'static str,
    /// A program and arguments that succeed where the need is met.
    check: &'static [&'static str],
    packages: &'static [&'static str],
}

/// For the executor and the demo.
const BUILD: &[Need] = &[
    Need {
        what: "a C compiler",
        check: &["cc", "--version"],
        packages: &["gcc", "libc6-dev"],
    },
    Need {
        what: "a C++ compiler (for the AOT compiler)",
        check: &["c++", "--version"],
        packages: &["g++"],
    },
    Need {
        what: "LLVM 19's development files (for the AOT compiler)",
        check: &["llvm-config-19", "--version"],
        packages: &["llvm-19-dev", "libzstd-dev", "zlib1g-dev"],
    },
];

/// For the examples in other languages, which the tests build.
const EXAMPLES: &[Need] = &[
    Need {
        what: "a C compiler for WebAssembly (for the C example)",
        check: &["sh", "-c", "clang-19 --version && wasm-ld-19 --version"],
        packages: &["clang-19", "lld-19"],
    },
    Need {
        what: "node (for the AssemblyScript example)",
        check: &["node", "--version"],
        packages: &["nodejs"],
    },
    Need {
        what: "npm (for the AssemblyScript example)",
        check: &["npm", "--version"],
        packages: &["npm"],
    },
];

/// How much is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Build,
    BuildAndExamples,
}

/// Install what is missing. Asks first on a terminal, unless `is_agreed`.
pub fn provide(shell: Shell, extent: Extent, is_agreed: bool) -> Result<()> {
    let needs = BUILD.iter().chain(if extent == Extent::Build { &[] } else { EXAMPLES });
    let missing: Vec<&Need> = needs.filter(|need| !is_met(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    let list = missing
        .iter()
        .map(|need| format!("  - {}", need.what))
        .collect::<Vec<_>>()
        .join("\n");
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if ask("apt-get", &["--version"]).is_none() {
        bail!(
            "this is missing:\n{list}\nOn Debian 12 it is: {by_hand}\nOn other systems, install the same by its own means."
        );
    }
    let is_root = ask("id", &["-u"]).as_deref() == Some("0");
    if !is_root && ask("sudo", &["-n", "true"]).is_none() && !io::stdin().is_terminal() {
        bail!("this is missing:\n{list}\nInstall it as root: {by_hand}");
    }
    eprintln!("This is missing:\n{list}");
    if !is_agreed && io::stdin().is_terminal() && !asks_yes(&format!("Run `{by_hand}`?"))? {
        bail!("not installed; by hand: {by_hand}");
    }
    let apt = |arguments: &[&str]| {
        let mut command = if is_root {
            Command::new("apt-get")
        } else {
            Command::new("sudo")
        };
        if !is_root {
            command.arg("apt-get");
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    shell.run("package lists", &mut apt(&["update"]))?;
    // --no-remove: a build must never take something away from the machine.
    let install = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    let install: Vec<&str> = install.into_iter().chain(packages).collect();
    shell
        .run("packages", &mut apt(&install))
        .with_context(|| format!("by hand: {by_hand}"))?;
    match missing.iter().find(|need| !is_met(need)) {
        None => Ok(()),
        Some(need) => bail!(
            "{} is still missing after installing {}",
            need.what,
            need.packages.join(" ")
        ),
    }
}

fn is_met(need: &Need) -> bool {
    need.check
        .split_first()
        .is_some_and(|(program, arguments)| ask(program, arguments).is_some())
}

fn asks_yes(question: &str) -> Result<bool> {
    eprint!("{question} [Y/n] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}
