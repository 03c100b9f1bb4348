//! `cargo xtask demo`: from a checkout to two answers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64_simd::STANDARD;
use serde_json::Value;

use crate::build::{self, Bundle};
use crate::http::Connection;
use crate::project::Project;
use crate::shell::Shell;
use crate::{board::Board, toolchain::Toolchain};

const INPUT: &str = r#"{"value":{"param1":2,"param2":2}}"#;
const ANSWER: &str = r#"{"result":4}"#;
const WARM_RUNS: usize = 1000;

/// Build everything, start the invoker, and let `add` answer twice: interpreted, and as native code.
pub fn demo(project: &Project, shell: Shell, board: &Board, toolchain: &Toolchain) -> Result<()> {
    let executor = build::executor(project, shell, board)?;
    let tools = build::tools(project, shell)?;
    let source = Path::new("actions/examples/add");
    let native = build::bundle(project, shell, board, &tools, toolchain, &Bundle { name: "demo-add", source })?;
    let portable = {
        // The same bundle without its native code: what a node does that has no artifact for it.
        let output = project.bundles().join("demo-add-portable.zip");
        let mut command = Command::new(&tools.bundle);
        command.arg("build").arg(project.root.join(source)).arg("--no-aot").arg("--output").arg(&output);
        shell.run("bundle demo-add-portable", command.envs(toolchain.environment()))?;
        output
    };
    let (_, public_key) = build::key(project, shell, &tools)?;
    let invoker = Invoker::start(&executor, &public_key)?;
    println!("invoker listening on {}", invoker.address);
    for (mode, bundle) in [("interpreted", &portable), ("AOT", &native)] {
        let times = activate(invoker.address, bundle)?;
        println!(
            "{mode:>11}: {INPUT} -> {}   cold (connect + /init + first /run) {:.0} µs, warm p50 {:.0} µs",
            times.answer,
            micros(times.cold),
            micros(times.warm_p50)
        );
    }
    Ok(())
}

/// What one container did.
struct Times {
    answer: String,
    cold: Duration,
    warm_p50: Duration,
}

fn activate(control: SocketAddr, bundle: &Path) -> Result<Times> {
    let code = STANDARD.encode_to_string(fs::read(bundle)?);
    let init = format!(r#"{{"value":{{"name":"add","main":"main","binary":true,"env":{{}},"code":"{code}"}}}}"#);
    // The median of a few containers, so that one page fault more or less does not matter; the first is not counted.
    let mut colds = Vec::new();
    let mut last = None;
    for round in 0..11 {
        let started: Value = serde_json::from_str(&Connection::open(control)?.post("/start", "")?.body)?;
        let port = started["port"].as_u64().and_then(|port| u16::try_from(port).ok()).context("no port in /start's reply")?;
        let address = SocketAddr::new(control.ip(), port);
        let begin = Instant::now();
        let mut connection = Connection::open(address)?;
        let initialised = connection.post("/init", &init)?;
        let answer = connection.post("/run", INPUT)?;
        let cold = begin.elapsed();
        ensure!(initialised.status == 200, "/init gave {}: {}", initialised.status, initialised.body);
        ensure!(answer.status == 200 && answer.body == ANSWER, "/run gave {}: {}", answer.status, answer.body);
        if round > 0 {
            colds.push(cold);
        }
        last = Some((connection, answer.body));
    }
    let (mut connection, answer) = last.context("no container was started")?;
    let mut warm = Vec::with_capacity(WARM_RUNS);
    for _ in 0..WARM_RUNS {
        let begin = Instant::now();
        let reply = connection.post("/run", INPUT)?;
        warm.push(begin.elapsed());
        ensure!(reply.body == ANSWER, "a warm /run gave {}: {}", reply.status, reply.body);
    }
    Ok(Times { answer, cold: median(colds), warm_p50: median(warm) })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The invoker, ended when it goes out of scope.
struct Invoker {
    child: Child,
    address: SocketAddr,
}

impl Invoker {
    fn start(executor: &Path, public_key: &Path) -> Result<Self> {
        let mut child = Command::new(executor)
            .args(["invoker", "--listen", "127.0.0.1:0", "--trust"])
            .arg(public_key)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", executor.display()))?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let mut said = String::new();
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            let address = line.split_whitespace().find_map(|word| word.parse::<SocketAddr>().ok());
            if let Some(address) = address {
                return Ok(Invoker { child, address });
            }
            said.push_str(&line);
        }
        let _ = child.wait();
        bail!("the invoker ended before it listened: {said}")
    }
}

impl Drop for Invoker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
