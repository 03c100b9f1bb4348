//! What a build needs of the system: Debian's packages, installed if they are missing.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::Command;

use anyhow::{Context, Result, bail};
use boards::{Board, Run};

use crate::shell::{Shell, ask};

/// A need of the build: how to see that it is met, and the packages that meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    what: String,
    /// A program and arguments that succeed where the need is met.
    check: Vec<String>,
    packages: Vec<String>,
}

fn need(what: &str, check: &[&str], packages: &[&str]) -> Need {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Need {
        what: what.to_owned(),
        check: owned(check),
        packages: owned(packages),
    }
}

/// For whatever is compiled on and for this machine.
pub fn compiler() -> Vec<Need> {
    vec![need("a C compiler", &["cc", "--version"], &["gcc", "libc6-dev"])]
}

/// For the executor of this machine, the bundler and the AOT compiler.
pub fn build() -> Vec<Need> {
    let mut needs = compiler();
    needs.extend([
        need("a C++ compiler (for the AOT compiler)", &["c++", "--version"], &["g++"]),
        need(
            "LLVM 19's development files (for the AOT compiler)",
            &["llvm-config-19", "--version"],
            &["llvm-19-dev", "libzstd-dev", "zlib1g-dev"],
        ),
    ]);
    needs
}

/// For the tests: the examples in other languages, and what looks at the sandbox from outside.
pub fn tests() -> Vec<Need> {
    vec![
        need(
            "strace (for the sandbox's table of system calls)",
            &["strace", "--version"],
            &["strace"],
        ),
        need(
            "a C compiler for WebAssembly (for the C example)",
            &["sh", "-c", "clang-19 --version && wasm-ld-19 --version"],
            &["clang-19", "lld-19"],
        ),
        need(
            "node (for the AssemblyScript example)",
            &["node", "--version"],
            &["nodejs"],
        ),
        need("npm (for the AssemblyScript example)", &["npm", "--version"], &["npm"]),
    ]
}

/// For counting instructions of a board's executor; the emulator of others counts by itself.
pub fn counting(board: &Board) -> Vec<Need> {
    match board.run {
        Run::Native => vec![need(
            "valgrind (to count instructions)",
            &["valgrind", "--version"],
            &["valgrind"],
        )],
        Run::QemuUser { .. } | Run::QemuSystem { .. } | Run::HardwareOnly {} => Vec::new(),
    }
}

/// For the fuzz targets.
pub fn fuzz() -> Vec<Need> {
    vec![
        need("a C++ compiler (for libFuzzer)", &["c++", "--version"], &["g++"]),
        need(
            "clang (for WAMR under AddressSanitizer)",
            &["clang-19", "--version"],
            &["clang-19"],
        ),
    ]
}

/// For a board's executor: its C compiler with a C library, and what runs the result here.
pub fn of_board(board: &Board) -> Vec<Need> {
    let compiler = &board.build.c_compiler;
    let (what, links) = if board.bare.is_some() {
        let target = &board.build.rust_target;
        (
            format!("a C compiler for {}", board.name),
            format!("echo 'int zero;' | {compiler} --target={target} -c -x c -o /dev/null - && llvm-ar-19 --version"),
        )
    } else {
        (
            format!("a C compiler and library for {}", board.name),
            format!("echo 'int main(void){{return 0;}}' | {compiler} -static -x c -o /dev/null -"),
        )
    };
    let packages = |packages: &[String]| packages.to_vec();
    let mut needs = vec![Need {
        what,
        check: ["sh", "-c", &links].map(str::to_owned).to_vec(),
        packages: packages(&board.build.packages),
    }];
    if let Run::QemuUser {
        program,
        packages: of_run,
        ..
    } = &board.run
    {
        needs.push(Need {
            what: format!("QEMU's emulation of one program (to run {}'s)", board.name),
            check: vec![program.clone(), "--version".to_owned()],
            packages: packages(of_run),
        });
    }
    // The machine's own compiler is asked for elsewhere.
    needs.retain(|need| !need.packages.is_empty());
    needs
}

/// Install what is missing. Asks first on a terminal, unless `is_agreed`.
pub fn provide(shell: Shell, needs: &[Need], is_agreed: bool) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_met(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.packages.iter().map(String::as_str))
        .collect();
    packages.sort_unstable();
    packages.dedup();
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
    need.check.split_first().is_some_and(|(program, arguments)| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ask(program, &arguments).is_some()
    })
}

fn asks_yes(question: &str) -> Result<bool> {
    eprint!("{question} [Y/n] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    #[test]
    fn a_board_needs_what_its_description_names() {
        assert_eq!(of_board(&Board::find("linux-amd64").unwrap()), []);
        let needs = of_board(&Board::find("rpi-2").unwrap());
        let packages: Vec<&str> = needs
            .iter()
            .flat_map(|need| need.packages.iter().map(String::as_str))
            .collect();
        assert_eq!(
            packages,
            ["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross", "qemu-user"]
        );
        assert!(needs[0].check[2].contains("arm-linux-gnueabihf-gcc -static"));
        assert_eq!(needs[1].check, ["qemu-arm", "--version"]);
    }

    #[test]
    fn a_need_is_met_or_not() {
        assert!(is_met(&need("a shell", &["sh", "-c", "true"], &[])));
        assert!(!is_met(&need("failure", &["sh", "-c", "false"], &[])));
        assert!(!is_met(&need("nothing", &["no-such-program-anywhere"], &[])));
    }
}
