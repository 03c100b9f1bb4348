//! The systems that are compared: how each is started, what it is sent, and its colour.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::inputs::{Form, Inputs};

/// One of the systems. The order is that of tables and legends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    ExecutorAot,
    ExecutorInterpreted,
    Wasmtime,
    WasmtimeCache,
    Wasmi,
    WasmiCache,
    Process,
    Nodejs,
    Echo,
    Refused,
    StaticC,
}

impl System {
    pub fn label(self) -> &'static str {
        match self {
            System::ExecutorAot => "executor, AOT",
            System::ExecutorInterpreted => "executor, interpreted",
            System::Wasmtime => "Wasmtime",
            System::WasmtimeCache => "Wasmtime, module cache",
            System::Wasmi => "wasmi",
            System::WasmiCache => "wasmi, module cache",
            System::Process => "process per run",
            System::Nodejs => "nodejs, a process each",
            System::Echo => "bare HTTP (floor)",
            System::Refused => "executor refuses",
            System::StaticC => "static C server",
        }
    }

    /// The same everywhere.
    pub fn colour(self) -> (u8, u8, u8) {
        match self {
            System::ExecutorAot => (0, 90, 181),
            System::ExecutorInterpreted => (86, 180, 233),
            System::Wasmtime => (230, 120, 0),
            System::WasmtimeCache => (160, 70, 0),
            System::Wasmi => (0, 158, 115),
            System::WasmiCache => (0, 95, 65),
            System::Process => (170, 80, 160),
            System::Nodejs => (200, 30, 60),
            System::Echo => (110, 110, 110),
            System::Refused => (175, 175, 175),
            System::StaticC => (0, 0, 0),
        }
    }

    /// What its `/init` brings.
    pub fn form(self) -> Form {
        match self {
            System::ExecutorAot | System::Echo | System::Refused | System::StaticC => Form::Bundle,
            System::ExecutorInterpreted | System::Wasmi | System::WasmiCache => Form::Wasm,
            System::Wasmtime | System::WasmtimeCache => Form::Wasmtime,
            System::Process => Form::Native,
            System::Nodejs => Form::JavaScript,
        }
    }

    /// Whether it answers as an action does.
    pub fn runs_actions(self) -> bool {
        !matches!(self, System::Echo | System::Refused | System::StaticC)
    }

    /// The path of a container's `/init` or `/run`. A system that refuses does so at a path where it reads the body before.
    pub fn path(self, container: &str, command: &str) -> String {
        match self {
            System::Refused => "/nothing/run".to_owned(),
            // The process is the container.
            System::Nodejs => format!("/{command}"),
            _ => format!("/{container}/{command}"),
        }
    }

    pub fn program(self, inputs: &Inputs) -> PathBuf {
        let peer = |name: &str| inputs.peers.join(name);
        match self {
            System::ExecutorAot | System::ExecutorInterpreted | System::Refused => inputs.executor.clone(),
            System::Wasmtime | System::WasmtimeCache => peer("peer-wasmtime"),
            System::Wasmi | System::WasmiCache => peer("peer-wasmi"),
            System::Process => peer("peer-spawn"),
            System::Nodejs => "node".into(),
            System::Echo => peer("peer-echo"),
            System::StaticC => inputs.work.join("static_server"),
        }
    }

    /// How it is started. Port 0: any.
    pub fn command(self, inputs: &Inputs, port: u16, containers_max: usize) -> Command {
        let mut command = Command::new(self.program(inputs));
        match self {
            System::ExecutorAot | System::ExecutorInterpreted | System::Refused => {
                command
                    .args(["invoker", "--trust"])
                    .arg(&inputs.public_key)
                    .arg(format!("--max-containers={containers_max}"))
                    .arg(format!("--listen=127.0.0.1:{port}"));
            }
            System::StaticC => {
                command.arg(port.to_string());
            }
            System::Nodejs => {
                command
                    .args(&inputs.nodejs)
                    .arg("--listen")
                    .arg(format!("127.0.0.1:{port}"));
            }
            _ => {
                command.arg("--listen").arg(format!("127.0.0.1:{port}"));
            }
        }
        if matches!(self, System::WasmtimeCache | System::WasmiCache) {
            command.arg("--cache");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// A system that runs. Ended when it goes out of scope.
pub struct Server {
    pub system: System,
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Start it, and wait until it says that it listens.
    pub fn start(system: System, inputs: &Inputs, containers_max: usize) -> Result<Self> {
        Self::start_as(system, inputs, system.command(inputs, 0, containers_max))
    }

    /// The same by another command.
    pub fn start_as(system: System, inputs: &Inputs, mut command: Command) -> Result<Self> {
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", system.program(inputs).display()))?;
        let stderr = child.stderr.take().context("it is piped")?;
        let mut said = String::new();
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            let words = line.split_whitespace().map(|word| word.trim_start_matches("http://"));
            if let Some(address) = words.filter_map(|word| word.parse().ok()).next() {
                return Ok(Server { system, address, child });
            }
            said.push_str(&line);
        }
        let _ = child.wait();
        bail!("{} ended before it listened: {said}", system.label())
    }

    /// Start it on a port that is free just now, and take the time until it can be connected to.
    pub fn start_timed(system: System, inputs: &Inputs) -> Result<(Self, Duration)> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = system.command(inputs, port, 2048);
        let begin = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", system.program(inputs).display()))?;
        let mut server = Server { system, address, child };
        while TcpStream::connect(address).is_err() {
            if begin.elapsed() > Duration::from_secs(10) {
                bail!("{} does not listen after 10 s", system.label());
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended with {status}", system.label());
            }
        }
        Ok((server, begin.elapsed()))
    }

    /// Let it end by itself.
    pub fn end(mut self) -> Result<()> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(status.success(), "{} has ended before its time", self.system.label());
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status}", self.system.label());
        Ok(())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.memory_bytes("Rss:")
    }

    /// The same, where a page that so many processes share counts for each of them as that part of a page.
    pub fn share_of_memory_bytes(&self) -> Result<u64> {
        self.memory_bytes("Pss:")
    }

    /// Source: proc(5), `/proc/PID/smaps_rollup`.
    fn memory_bytes(&self, key: &str) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kilobytes = text
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|number| number.trim().parse::<u64>().ok());
        Ok(kilobytes.with_context(|| format!("{path} is not as proc(5) says"))? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
