//! The invoker as a client meets it: started, asked over HTTP, timed, ended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64_simd::STANDARD;
use boards::{Board, Run};
use serde_json::Value;

use crate::build;
use crate::http::{Connection, Reply};
use crate::project::Project;
use crate::resident;

/// What `add` is asked, and what it has to answer.
pub const INPUT: &str = r#"{"value":{"param1":2,"param2":2}}"#;
pub const ANSWER: &str = r#"{"result":4}"#;

/// Times, sorted.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Times(times)
    }

    /// The time that `percent` of all did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Cold starts, and the answer that all of them gave.
pub struct ColdStarts {
    pub answer: String,
    pub times: Times,
}

/// What becomes of a container that was started cold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It stays: the next one finds the action loaded.
    Keep,
    /// It goes before the next one comes, which has to load the action anew.
    Destroy,
}

/// The invoker, ended when it goes out of scope.
pub struct Invoker {
    child: Child,
    pub address: SocketAddr,
    /// Where its memory lies in the process, if that is an emulator's.
    guest_memory: Option<[u64; 2]>,
    /// Each container has a port of its own.
    has_ports: bool,
}

impl Invoker {
    /// Start a board's executor, as it runs on this machine, with room for `containers_max` containers if that is given.
    pub fn start(
        project: &Project,
        board: &Board,
        executor: &Path,
        public_key: &Path,
        containers_max: Option<usize>,
    ) -> Result<Self> {
        let containers_max = containers_max.map(|most| format!("--max-containers={most}"));
        let options: Vec<&str> = containers_max.iter().map(String::as_str).collect();
        Invoker::start_as(build::command(project, board, executor), board, public_key, &options)
    }

    /// Start an executor by this command, with these options besides.
    pub fn start_as(mut command: Command, board: &Board, public_key: &Path, options: &[&str]) -> Result<Self> {
        command.args(["invoker", "--listen", "127.0.0.1:0"]);
        // A board without an operating system has both in its image.
        if board.bare.is_none() {
            command.arg("--trust").arg(public_key).args(options);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null()) // what guests print
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let guest_memory = match board.run {
            Run::Native | Run::QemuSystem { .. } | Run::HardwareOnly {} => None,
            Run::QemuUser { guest_memory, .. } => Some(guest_memory),
        };
        let stderr = child.stderr.take().context("standard error is piped")?;
        let mut said = String::new();
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            // The address may stand in a URL.
            let words = line.split_whitespace().map(|word| word.trim_start_matches("http://"));
            if let Some(address) = words.filter_map(|word| word.parse::<SocketAddr>().ok()).next() {
                return Ok(Invoker {
                    child,
                    address,
                    guest_memory,
                    has_ports: board.bare.is_none(),
                });
            }
            said.push_str(&line);
        }
        let _ = child.wait();
        bail!("the invoker ended before it listened: {said}")
    }

    /// Let it end by itself: it drains first.
    pub fn end(self) -> Result<()> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(status.success(), "the invoker has ended before its time");
        self.wait()
    }

    /// Wait until it has ended.
    pub fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "the invoker ended with {status}");
        Ok(())
    }

    /// A new container: its id, and by which address and which beginning of a path it is reached.
    fn start_container(&self) -> Result<(String, SocketAddr, String)> {
        let reply = Connection::open(self.address)?.post("/start", "")?;
        if self.has_ports {
            let (id, address) = self.started(&reply)?;
            return Ok((id, address, String::new()));
        }
        let started: Value = serde_json::from_str(&reply.body)?;
        let id = started["containerId"].as_str().context("/start names no container")?;
        Ok((id.to_owned(), self.address, format!("/{id}")))
    }

    /// What a reply to `/start` tells of the new container: its id, and its own address.
    pub fn started(&self, reply: &Reply) -> Result<(String, SocketAddr)> {
        ensure!(reply.status == 200, "/start gave {}: {}", reply.status, reply.body);
        let started: Value = serde_json::from_str(&reply.body)?;
        let port = started["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .context("/start names no port")?;
        let id = started["containerId"].as_str().context("/start names no container")?;
        Ok((id.to_owned(), SocketAddr::new(self.address.ip(), port)))
    }

    /// So many containers, one after the other: connect, /init and the first /run, on one connection.
    pub fn cold_starts(&self, bundle: &Path, count: usize, then: Then) -> Result<ColdStarts> {
        let init = init_body(bundle)?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, address, prefix) = self.start_container()?;
            let begin = Instant::now();
            let mut connection = Connection::open(address)?;
            let initialised = connection.post(&format!("{prefix}/init"), &init)?;
            let answer = connection.post(&format!("{prefix}/run"), INPUT)?;
            times.push(begin.elapsed());
            ensure!(
                initialised.status == 200,
                "/init gave {}: {}",
                initialised.status,
                initialised.body
            );
            ensure!(
                answer.status == 200 && answer.body == ANSWER,
                "/run gave {}: {}",
                answer.status,
                answer.body
            );
            if then == Then::Destroy {
                let destroyed = Connection::open(self.address)?.post(&format!("/{id}/destroy"), "")?;
                ensure!(destroyed.status == 200, "/destroy gave {}", destroyed.status);
            }
        }
        Ok(ColdStarts {
            answer: ANSWER.to_owned(),
            times: Times::new(times),
        })
    }

    /// So many runs of one container, on one connection.
    pub fn warm_runs(&self, bundle: &Path, count: usize) -> Result<Times> {
        let (_, address, prefix) = self.start_container()?;
        let mut connection = Connection::open(address)?;
        connection.post(&format!("{prefix}/init"), &init_body(bundle)?)?;
        exchanges(&mut connection, &format!("{prefix}/run"), INPUT, count, |reply| {
            reply.body == ANSWER
        })
    }

    /// What HTTP alone costs: so many refusals, each pair over a new connection, as a cold start has it.
    pub fn floor_cold(&self, bundle: &Path, count: usize) -> Result<Times> {
        let body = init_body(bundle)?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begin = Instant::now();
            let mut connection = Connection::open(self.address)?;
            // The bodies are as long as a cold start's; the first goes where bodies are short enough to be read.
            connection.post("/nothing/run", &body)?;
            connection.post("/nothing/run", INPUT)?;
            times.push(begin.elapsed());
        }
        Ok(Times::new(times))
    }

    /// The same on a kept connection: one exchange.
    pub fn floor_warm(&self, count: usize) -> Result<Times> {
        let mut connection = Connection::open(self.address)?;
        exchanges(&mut connection, "/nothing/run", INPUT, count, |reply| {
            reply.status == 404
        })
    }

    /// Resident memory in bytes: the executor's own, without an emulator's.
    pub fn resident_bytes(&self) -> Result<u64> {
        resident::bytes(self.child.id(), self.guest_memory)
    }

    /// How many descriptors the process has open, an emulator's own included.
    pub fn descriptors(&self) -> Result<usize> {
        self.entries("fd")
    }

    /// How many threads the process has, an emulator's own included.
    pub fn threads(&self) -> Result<usize> {
        self.entries("task")
    }

    fn entries(&self, folder: &str) -> Result<usize> {
        let path = format!("/proc/{}/{folder}", self.child.id());
        let entries = fs::read_dir(&path).with_context(|| format!("the invoker has ended: no {path}"))?;
        Ok(entries.count())
    }
}

fn exchanges(
    connection: &mut Connection,
    path: &str,
    body: &str,
    count: usize,
    is_right: fn(&Reply) -> bool,
) -> Result<Times> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = Instant::now();
        let reply = connection.post(path, body)?;
        times.push(begin.elapsed());
        ensure!(is_right(&reply), "{path} gave {}: {}", reply.status, reply.body);
    }
    Ok(Times::new(times))
}

/// The body of an `/init` with this bundle or module.
pub fn init_body(bundle: &Path) -> Result<String> {
    Ok(init_body_of(&fs::read(bundle)?))
}

/// The body of an `/init` with this code.
pub fn init_body_of(code: &[u8]) -> String {
    let code = STANDARD.encode_to_string(code);
    format!(r#"{{"value":{{"name":"add","main":"main","binary":true,"env":{{}},"code":"{code}"}}}}"#)
}

impl Drop for Invoker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
