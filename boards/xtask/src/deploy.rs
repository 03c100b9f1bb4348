//! `cargo xtask deploy`: a board's executor as a service on a board.
//!
//! Everything that goes there is first laid into one folder, whose `install.sh` does the rest. Without `--host` that is all:
//! the folder can be carried there by other means.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use boards::Board;
use clap::Args;

use crate::project::Project;
use crate::shell::{Shell, ask};

pub const EXAMPLES: &str = "\
Examples:
  cargo xtask deploy --board rpi-4 --host pi@raspberrypi.local --trust mine.pub
  cargo xtask deploy --board rpi-zero          lay the folder ready, to be copied by other means";

/// What `cargo xtask deploy` takes.
#[derive(Args)]
pub struct Deploy {
    /// A name of `cargo xtask boards`, or the path of a board.toml
    #[arg(long, value_name = "BOARD")]
    board: String,
    /// Where to: a host of ssh whose user may use sudo [default: only lay the folder ready]
    #[arg(long, value_name = "USER@HOST")]
    host: Option<String>,
    /// Run native code that this key signed: a file of `bundle keygen`; may be repeated
    #[arg(long = "trust", value_name = "FILE.pub")]
    keys: Vec<PathBuf>,
    /// Where the invoker listens. Containers get ports of their own on the same address
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Deploy although the host says that it is another kind of board
    #[arg(long)]
    any_model: bool,
}

/// The repository's files that go with the program.
const FILES: &[&str] = &["executor.service", "install.sh"];

/// Where the folder goes on the host, below the user's home.
const REMOTE_FOLDER: &str = "executor-deploy";

/// Build, lay ready, and install.
pub fn deploy(project: &Project, shell: Shell, deploy: &Deploy, is_agreed: bool) -> Result<()> {
    let board = Board::find(&deploy.board)?;
    // What can fail at once fails before what takes long.
    if let Some(host) = &deploy.host {
        for program in ["ssh", "rsync"] {
            ensure!(
                ask(program, &["-V"]).is_some(),
                "`{program}` is missing here; on Debian: apt-get install openssh-client rsync"
            );
        }
        let said = shell.run("asking the host what it is", ssh(host).arg(QUESTIONS))?;
        check_host(&board, host, &said, deploy.any_model)?;
    }
    ensure!(
        board.bare.is_none(),
        "{} has no operating system: `cargo xtask build` makes an image, which its debugger or boot loader puts into its flash",
        board.name
    );
    let executor = crate::build_only(project, shell, &board, &crate::build::Image::default(), is_agreed)?;
    let folder = project.target.join("boards").join(&board.name).join("deploy");
    lay_ready(project, &board, &executor, deploy, &folder)?;
    let Some(host) = &deploy.host else {
        println!(
            "{} holds all of it. Copy it to the board, then there: sudo sh install.sh",
            folder.display()
        );
        return Ok(());
    };
    let mut rsync = Command::new("rsync");
    rsync.args(["--archive", "--compress", "--delete"]);
    rsync
        .arg(format!("{}/", folder.display()))
        .arg(format!("{host}:{REMOTE_FOLDER}/"));
    shell.run(&format!("copying to {host}"), &mut rsync)?;
    let install = format!("sudo sh {REMOTE_FOLDER}/install.sh");
    print!("{}", shell.run("installing the service", ssh(host).arg(install))?);
    Ok(())
}

fn ssh(host: &str) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "ConnectTimeout=10", host]);
    ssh
}

/// Answered with a line each: the model (nothing where there is no such file), and what is missing.
const QUESTIONS: &str = r#"tr -d '\0' </proc/device-tree/model 2>/dev/null; echo
for program in rsync systemctl sudo; do
    command -v "$program" >/dev/null || echo "$program"
done"#;

/// Whether a host is such a board, and has what the installation takes.
fn check_host(board: &Board, host: &str, said: &str, is_any_model_fine: bool) -> Result<()> {
    let mut lines = said.lines();
    let model = lines.next().unwrap_or_default().trim();
    let missing: Vec<&str> = lines.collect();
    ensure!(
        missing.is_empty(),
        "{host} lacks {}: install it there first",
        missing.join(", ")
    );
    let models = &board.node.models;
    let is_expected =
        models.iter().any(|known| model.starts_with(known.as_str())) || models.is_empty() && model.is_empty();
    if !is_expected && !is_any_model_fine {
        let model = if model.is_empty() {
            "no board that names itself"
        } else {
            model
        };
        bail!(
            "{host} is {model}, not {} ({}): choose its board from `cargo xtask boards`, or add --any-model",
            board.name,
            board.description
        );
    }
    Ok(())
}

fn lay_ready(project: &Project, board: &Board, executor: &Path, deploy: &Deploy, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let keys = folder.join("keys");
    fs::create_dir_all(&keys).with_context(|| format!("cannot make {}", keys.display()))?;
    let copy = |from: &Path, to: &Path| {
        fs::copy(from, to)
            .map(drop)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
    };
    copy(executor, &folder.join("executor"))?;
    for file in FILES {
        copy(
            &project.root.join("executor-linux/deploy").join(file),
            &folder.join(file),
        )?;
    }
    let mut names = Vec::new();
    for key in &deploy.keys {
        let name = key_name(key)?;
        ensure!(!names.contains(&name), "two keys are called {name}: rename one");
        copy(key, &keys.join(&name))?;
        names.push(name);
    }
    fs::write(folder.join("board.conf"), board_conf(board, deploy.listen, &names))?;
    Ok(())
}

/// A key's file name, which becomes a word of the service's command line.
fn key_name(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        text.trim_start().starts_with("ed25519-public:"),
        "{} is no public key: `bundle keygen` makes NAME.pub beside NAME.key",
        path.display()
    );
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    ensure!(
        name.ends_with(".pub") && name.chars().all(is_plain),
        "{}: a key's file is called NAME.pub, of letters, digits, and - _ .",
        path.display()
    );
    Ok(name.to_owned())
}

/// What a board changes in the service. The executor takes its budgets from the limit of its memory.
fn board_conf(board: &Board, listen: SocketAddr, keys: &[String]) -> String {
    let mut options = format!("--listen {listen} --max-containers {}", board.node.containers_max);
    for key in keys {
        options += &format!(" --trust /etc/executor/keys/{key}");
    }
    let mut text = format!("# {}: {}\n[Service]\n", board.name, board.description);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "MemoryMax={}M", board.node.memory_max_mib);
    let _ = writeln!(text, "Environment=\"EXECUTOR_OPTIONS={options}\"");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn deploy(keys: &[PathBuf]) -> Deploy {
        Deploy {
            board: "rpi-4".to_owned(),
            host: None,
            keys: keys.to_vec(),
            listen: "127.0.0.1:9000".parse().unwrap(),
            any_model: false,
        }
    }

    #[test]
    fn a_host_must_be_what_was_built_for() {
        let board = Board::find("rpi-4").unwrap();
        check_host(&board, "pi", "Raspberry Pi 4 Model B Rev 1.4\n", false).unwrap();
        check_host(&board, "pi", "Raspberry Pi 3 Model B Rev 1.2\n", true).unwrap();
        check_host(&Board::find("linux-amd64").unwrap(), "pc", "\n", false).unwrap();
        for (said, complaint) in [
            ("Raspberry Pi 3 Model B Rev 1.2\n", "Raspberry Pi 3"),
            ("\n", "no board that names itself"),
            ("Raspberry Pi 4 Model B Rev 1.4\nrsync\n", "lacks rsync"),
        ] {
            let error = check_host(&board, "pi", said, false).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn the_service_gets_what_the_board_says() {
        let text = board_conf(
            &Board::find("rpi-zero-2w").unwrap(),
            "0.0.0.0:9000".parse().unwrap(),
            &["mine.pub".to_owned()],
        );
        let options = "--listen 0.0.0.0:9000 --max-containers 512 --trust /etc/executor/keys/mine.pub";
        assert!(text.contains("MemoryMax=320M\n"), "{text}");
        assert!(
            text.contains(&format!("Environment=\"EXECUTOR_OPTIONS={options}\"\n")),
            "{text}"
        );
    }

    #[test]
    fn keys_are_public_and_have_plain_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        assert_eq!(key_name(&write("a.pub", "ed25519-public:AAAA\n")).unwrap(), "a.pub");
        for (name, text, complaint) in [
            ("a.key", "ed25519-secret:AAAA\n", "no public key"),
            ("a b.pub", "ed25519-public:AAAA\n", "NAME.pub"),
            ("a", "ed25519-public:AAAA\n", "NAME.pub"),
        ] {
            let error = key_name(&write(name, text)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    /// The installer itself, into a root of its own.
    #[test]
    fn the_folder_installs_itself() {
        let project = Project::find().unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let path = |name: &str| temporary.path().join(name);
        fs::write(path("program"), "#!/bin/sh\n").unwrap();
        fs::write(path("mine.pub"), "ed25519-public:AAAA\n").unwrap();
        let (folder, root) = (path("deploy"), path("root"));
        let board = Board::find("rpi-4").unwrap();
        for _ in 0..2 {
            lay_ready(
                &project,
                &board,
                &path("program"),
                &deploy(&[path("mine.pub")]),
                &folder,
            )
            .unwrap();
            let mut install = Command::new("sh");
            install.arg(folder.join("install.sh")).env("DESTDIR", &root);
            let output = install.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            for (file, mode) in [
                ("usr/local/bin/executor", 0o755),
                ("etc/systemd/system/executor.service", 0o644),
                ("etc/systemd/system/executor.service.d/board.conf", 0o644),
                ("etc/executor/keys/mine.pub", 0o644),
            ] {
                let metadata = root.join(file).metadata().unwrap();
                assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
            }
        }
    }
}
