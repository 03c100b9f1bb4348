//! Whole boards, emulated: QEMU with a board's image, its port forwarded to loopback.
//!
//! `cargo xtask emulate --board B action|invoker --listen 127.0.0.1:0` behaves as the executor's own program does on Linux: it
//! tells on standard error where it listens, guests' output comes on standard output, and it ends when it is killed. So the
//! tests that speak to the executor over sockets speak to a board, too.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use boards::{Bare, Board, Run};
use clap::{Args, ValueEnum};

use crate::project::Project;
use crate::shell::ask;
use crate::toolchain::packages::{self, Archive};

/// A port that was free may be taken by another process before QEMU binds it.
const ATTEMPTS: u32 = 5;

/// What the tests give to the program under test.
#[derive(Args)]
pub struct Emulate {
    /// A name of `cargo xtask boards`
    #[arg(long, value_name = "BOARD")]
    board: String,
    /// The image, if not the one that `cargo xtask build` has made last
    #[arg(long, value_name = "PATH")]
    image: Option<PathBuf>,
    /// The image to take instead if no key is given, as a program has none then
    #[arg(long, value_name = "PATH", hide = true)]
    untrusting: Option<PathBuf>,
    /// The folder of what is slow to make
    #[arg(long, value_name = "PATH")]
    pub cache: Option<PathBuf>,
    /// A key that the image has to trust, or a file with it; may be repeated
    #[arg(long, value_name = "KEY")]
    trust: Vec<String>,
    /// Accepted, since the executor on Linux takes it: a board has one thread
    #[arg(long, hide = true)]
    threads_max: Option<u32>,
    /// The same: a board has the connections of its board.toml
    #[arg(long, hide = true)]
    connections_max: Option<u32>,
    /// The same: a board logs what it logs
    #[arg(long, hide = true)]
    log: Option<String>,
    /// More arguments for QEMU
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    qemu: Vec<String>,
    /// Which of the board's two ports is meant
    port: Port,
    /// Where to listen: 127.0.0.1 and a port; 0 is any
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddrV4,
}

/// The two ports of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Port {
    /// The port of one action.
    Action,
    /// The port of many.
    Invoker,
}

impl Port {
    fn of(self, bare: &Bare) -> u16 {
        match self {
            Port::Action => bare.network.action_port,
            Port::Invoker => bare.network.control_port,
        }
    }
}

/// Run a board until it or this process ends.
pub fn emulate(project: &Project, arguments: &Emulate) -> Result<ExitCode> {
    let board = Board::find(&arguments.board)?;
    let bare = board
        .bare
        .as_ref()
        .context("the board has an operating system: run its program")?;
    let image = arguments
        .image
        .clone()
        .unwrap_or_else(|| crate::build::program(project, &board));
    if *arguments.listen.ip() != Ipv4Addr::LOCALHOST {
        bail!("an emulated board listens on 127.0.0.1 only");
    }
    check_trust(&image, &arguments.trust)?;
    let image = match &arguments.untrusting {
        Some(untrusting) if arguments.trust.is_empty() => untrusting.clone(),
        _ => image,
    };
    let qemu = Qemu::find(project, &board)?;
    for _ in 0..ATTEMPTS {
        let port = match arguments.listen.port() {
            0 => free_port()?,
            port => port,
        };
        let mut command = qemu.command(&board, &image, &[(port, arguments.port.of(bare))])?;
        command.args(&arguments.qemu);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let (status, has_listened) = relay(&mut child, port)?;
        if has_listened || arguments.listen.port() != 0 {
            return Ok(if status.success() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
    }
    bail!("QEMU does not start")
}

/// Whether the image was built with these keys.
fn check_trust(image: &Path, keys: &[String]) -> Result<()> {
    let bytes = fs::read(image).with_context(|| format!("there is no image {}: build it", image.display()))?;
    for key in keys {
        let text = fs::read_to_string(key).unwrap_or_else(|_| key.clone());
        let text = text.trim().as_bytes();
        if !bytes.windows(text.len()).any(|window| window == text) {
            bail!("the image does not trust {key}: build it with --trust");
        }
    }
    Ok(())
}

/// Pass on what the board logs, with the address by which it is reached from here. That comes when the board knows the date, a
/// second after its start at most: requests have deadlines.
fn relay(child: &mut Child, port: u16) -> Result<(ExitStatus, bool)> {
    let log = BufReader::new(child.stdout.take().context("QEMU has no output")?);
    let (mut has_address, mut has_date, mut is_told) = (false, false, false);
    for line in log.split(b'\n') {
        let line = line?;
        let mut errors = std::io::stderr().lock();
        let text = String::from_utf8_lossy(&line);
        if !has_address && text.contains("listening on ") {
            has_address = true;
        } else if !has_date && text.ends_with("the date is known") {
            has_date = true;
        } else {
            // Nobody may read on, as of any program's log.
            let _ = errors.write_all(&line).and_then(|()| errors.write_all(b"\n"));
        }
        if has_address && has_date && !is_told {
            is_told = true;
            let _ = writeln!(errors, "listening on 127.0.0.1:{port} (an emulated board)");
        }
    }
    Ok((child.wait()?, is_told))
}

/// A port of loopback that nobody has.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// QEMU's emulation of whole boards: the system's, or Debian's packages unpacked into the cache. (To install them may take
/// others away, where QEMU's tools come from another archive.)
pub struct Qemu {
    program: PathBuf,
    /// Where the packages are unpacked.
    root: Option<PathBuf>,
}

impl Qemu {
    /// Find it, or unpack it.
    pub fn find(project: &Project, board: &Board) -> Result<Self> {
        let Run::QemuSystem { program, packages, .. } = &board.run else {
            bail!("{} is not emulated as a whole", board.name);
        };
        if ask(program, &["--version"]).is_some() {
            return Ok(Qemu {
                program: program.into(),
                root: None,
            });
        }
        let root = project.cache.join("qemu-system");
        let qemu = Qemu {
            program: root.join("usr/bin").join(program),
            root: Some(root.clone()),
        };
        if !qemu.works() {
            unpack(packages, &root).context("QEMU's packages cannot be unpacked")?;
        }
        if !qemu.works() {
            bail!("{} was unpacked and does not run", qemu.program.display());
        }
        Ok(qemu)
    }

    fn works(&self) -> bool {
        self.program.is_file()
            && self
                .start()
                .arg("--version")
                .output()
                .is_ok_and(|output| output.status.success())
    }

    fn start(&self) -> Command {
        // It ends with this process, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
        if let Some(root) = &self.root {
            let libraries: Vec<String> = ["usr/lib", "lib"]
                .iter()
                .map(|folder| root.join(folder).join("x86_64-linux-gnu").display().to_string())
                .collect();
            command
                .env("LD_LIBRARY_PATH", libraries.join(":"))
                .arg("-L")
                .arg(root.join("usr/share/qemu"));
        }
        command
    }

    /// QEMU with a board's image. Its log comes on standard output, what guests write on this process's standard output.
    /// `forwards`: ports of loopback, and the board's that they lead to.
    pub fn command(&self, board: &Board, image: &Path, forwards: &[(u16, u16)]) -> Result<Command> {
        let Run::QemuSystem {
            arguments,
            network,
            output: output_device,
            ..
        } = &board.run
        else {
            bail!("{} is not emulated as a whole", board.name);
        };
        let forwards: String = forwards
            .iter()
            .map(|(from, to)| format!(",hostfwd=tcp:127.0.0.1:{from}-:{to}"))
            .collect();
        let net = format!("user,restrict=on{forwards}");
        let output = format!("file,id=output,path=/proc/{}/fd/1", std::process::id());
        let mut command = self.start();
        command
            .args(arguments)
            .args(network.iter().map(|argument| argument.replace("{net}", &net)))
            .args(["-display", "none", "-monitor", "none", "-nodefaults"])
            .args(["-chardev", "stdio,id=errors,signal=off", "-serial", "chardev:errors"])
            .args(["-chardev", &output])
            .args(output_device)
            .arg("-kernel")
            .arg(image);
        if board.bare.as_ref().is_some_and(|bare| bare.semihosting) {
            command.args(["-semihosting-config", "enable=on,target=native"]);
        }
        Ok(command)
    }
}

/// Unpack packages, and what they need that the system has not, below `root`.
fn unpack(wanted: &[String], root: &Path) -> Result<()> {
    packages::check_presence()?;
    let partial = root.with_extension(format!("{}.partial", std::process::id()));
    let fetch = |archive: &Archive| -> Result<()> {
        let mut all = Vec::new();
        for package in wanted {
            all.extend(archive.closure(package)?);
        }
        all.sort();
        all.dedup();
        let installed = packages::installed(&all)?;
        all.retain(|package| !installed.contains(package));
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial)?;
        archive.unpack(&all, &["./usr/share/doc", "./usr/share/man"], &partial)
    };
    fetch(&Archive::of_the_system()).or_else(|_| fetch(&Archive::fresh(&root.with_extension("apt"))?))?;
    let _ = fs::remove_dir_all(root);
    fs::rename(&partial, root)?;
    Ok(())
}
