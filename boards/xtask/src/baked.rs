//! Actions in a board's image: it boots, and they answer, without any `/init`; and what the board tells of itself.

use std::fs;

use anyhow::{Context, Result, ensure};
use boards::Board;
use serde_json::{Value, json};

use crate::build::{self, Image};
use crate::demo;
use crate::http::Connection;
use crate::invoker::{ANSWER, INPUT, init_body};
use crate::project::Project;
use crate::running::Running;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// Build an image with native code, with what is no bundle, and with a module to be interpreted, and ask both of its ports.
pub fn check(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = demo::prepare(project, shell, board, toolchains)?.native().to_owned();
    let module = build::module(project, shell, &toolchains.guests, "echo", "wasm32-unknown-unknown", "")?;
    let keep = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).map(|()| path)
    };
    let bake = [
        keep("sum.zip", &fs::read(bundle)?)?,
        keep("broken.zip", b"no bundle")?,
        keep("echo.wasm", &fs::read(&module)?)?,
    ];
    let (_, key) = build::key(project, shell, &build::tools(project, shell)?)?;
    let image = Image::new(board, &[key.display().to_string()], &bake)?.beside("baked");
    let program = build::executor_with(project, shell, board, &toolchains.board, &image, None)?;
    let start = |port: &str| {
        let mut command = build::command(project, board, &program);
        command.arg(port);
        Running::start(command)
    };
    control_port(board, &start("invoker")?, &init_body(&module)?).context("on the control port")?;
    action_port(board, &start("action")?, &init_body(&module)?).context("on the action port")
}

/// Containers by their names. `init`: an `/init` with `echo`.
fn control_port(board: &Board, running: &Running, init: &str) -> Result<()> {
    check_log(&running.log)?;
    let mut client = Client(Connection::open(running.address)?);
    client.expect("/sum/run", INPUT, 200, ANSWER)?;
    client.expect("/echo/run", ECHO_INPUT, 200, ECHO_ANSWER)?;
    // As any container that has an action, or none.
    client.expect("/sum/init", init, 403, "more than once")?;
    client.expect("/sum/run", INPUT, 200, ANSWER)?;
    client.expect("/broken/run", INPUT, 403, "initialize")?;
    client.expect("/broken/init", init, 200, "")?;
    client.expect("/broken/run", ECHO_INPUT, 200, ECHO_ANSWER)?;
    check_status(board, running, 4)?;
    client.expect("/sum/destroy", "", 200, "")?;
    client.expect("/sum/run", INPUT, 404, "")?;
    client.expect("/sum/init", init, 200, "")?;
    client.expect("/sum/run", ECHO_INPUT, 200, ECHO_ANSWER)
}

/// The one container of the first action.
fn action_port(board: &Board, running: &Running, init: &str) -> Result<()> {
    check_log(&running.log)?;
    let mut client = Client(Connection::open(running.address)?);
    client.expect("/run", INPUT, 200, ANSWER)?;
    client.expect("/init", init, 403, "more than once")?;
    client.expect("/run", INPUT, 200, ANSWER)?;
    check_status(board, running, 4)
}

/// What was baked in is told: what was loaded, as what, and what could not be.
fn check_log(log: &str) -> Result<()> {
    for (text, count) in [
        ("sum is ready, from flash", 1),
        ("broken is in flash and cannot be loaded: ", 1),
        ("echo is ready, from flash", 1),
        // For both of its containers.
        ("loaded native code", 1),
        ("to be interpreted", 1),
        ("ERROR", 1),
    ] {
        let found = log.matches(text).count();
        ensure!(found == count, "`{text}` is {found} times in the log:\n{log}");
    }
    Ok(())
}

/// What the board tells of itself, on the port that is asked.
fn check_status(board: &Board, running: &Running, containers: u64) -> Result<()> {
    let reply = Connection::open(running.address)?.get("/")?;
    let status: Value =
        serde_json::from_str(&reply.body).with_context(|| format!("`GET /` gives no JSON: {}", reply.body))?;
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64);
    ensure!(
        reply.status == 200
            && status["board"] == board.name
            && status["baked"] == json!(["sum", "broken", "echo"])
            && number("/containers") == Some(containers)
            && number("/modules") == Some(2)
            // Native code that can stay in flash takes nothing of the memory for native code.
            && number("/memory/code_bytes").map(|bytes| bytes == 0) == Some(board.aot.xip)
            && ["/uptime_ms", "/memory/engine_bytes", "/memory/bodies_bytes"]
                .iter()
                .all(|pointer| number(pointer) > Some(0)),
        "`GET /` gives {}: {}",
        reply.status,
        reply.body
    );
    Ok(())
}

const ECHO_INPUT: &str = r#"{"value":{"a":[1,"two"]}}"#;
const ECHO_ANSWER: &str = r#"{"a":[1,"two"]}"#;

/// A connection that is kept.
struct Client(Connection);

impl Client {
    /// The status, and what the body is or, of an error, has in it.
    fn expect(&mut self, path: &str, body: &str, status: u16, text: &str) -> Result<()> {
        let reply = self.0.post(path, body)?;
        let is_right = if status == 200 && !text.is_empty() {
            reply.body == text
        } else {
            reply.body.contains(text)
        };
        ensure!(
            reply.status == status && is_right,
            "{path} gave {}: {}",
            reply.status,
            reply.body
        );
        Ok(())
    }
}
