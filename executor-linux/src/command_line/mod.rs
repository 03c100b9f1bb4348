//! The program: from its arguments to its exit status.

pub mod arguments;
pub mod defaults;
pub mod help;

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use executor_core::json;
use executor_core::openwhisk::Listener;
use executor_core::wamr::{self, RunStopper};
use log::{LevelFilter, info, warn};

use crate::activation_log::ActivationLog;
use crate::assembly;
use crate::memory_budget::in_units;
use crate::node::LinuxNode;
use crate::once::{self, Outcome};
use crate::ports::Ports;
use crate::sandbox::{Needs, Role, Sandbox, SandboxError};
use crate::server::activity::Activity;
use crate::server::pool::Pool;
use crate::server::reactor::Reactor;
use crate::service::Actions;
use crate::supervisor::{self, End, Signals, supervise};
use crate::watchdog::Watchdog;
use crate::{cpu_features, descriptors, hardware, logger, patient_write};
use arguments::{Command, Engine, Invoker, Run, Server};
use defaults::Program;

/// The action has failed, or the program could not do what it was told.
const FAILURE: u8 = 1;
/// The arguments are wrong.
const USAGE: u8 = 2;

/// A kept connection is closed when no request has come for this time. OpenWhisk's invoker keeps its for 5 s at most, other
/// clients for up to 60.
const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(75);

/// How often the main thread looks for what has been idle too long, unless containers live shorter.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// How long a line on standard error waits for a reader.
const COMPLAINT_PATIENCE: Duration = Duration::from_secs(1);

/// Sets the level of the executor's own messages, if `--log` does not.
const LOG_VARIABLE: &str = "EXECUTOR_LOG";

/// Why the program ends with [`FAILURE`], in a sentence.
type Failure = Box<dyn std::error::Error>;

/// Run this program.
pub fn main(program: &Program) -> ExitCode {
    let name = program.name;
    let defaults = program.defaults.within(hardware::address_space_limit());
    let command = match arguments::parse(std::env::args_os().skip(1), &defaults) {
        Ok(command) => command,
        Err(error) => {
            complain(&format!("{name}: {error}\nTry '{name} --help'."));
            return USAGE.into();
        }
    };
    let result = match command {
        Command::Help(text) => print(&help::fill(text, name, &defaults)),
        Command::Version => print(&format!("{name} {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Action(engine, server) => serve(program, &engine, &server, None),
        Command::Invoker(engine, server, invoker) => serve(program, &engine, &server, Some(&invoker)),
        Command::Run(engine, run) => run_once(&engine, &run),
    };
    result.unwrap_or_else(|error| {
        complain(&format!("{name}: {error}"));
        FAILURE.into()
    })
}

/// One action, or an invoker's many, until a signal comes.
fn serve(program: &Program, engine: &Engine, server: &Server, invoker: Option<&Invoker>) -> Result<ExitCode, Failure> {
    start_logging(engine);
    #[cfg(feature = "spans")]
    let spans = crate::spans::open()?;
    tell_machine(program, engine);
    let descriptors_max = descriptors::raise_limit();
    let signals = Signals::catch()?;
    supervisor::survive_long_files()?;
    let activity = Arc::new(Activity::new()?);
    let reactor = Arc::new(Reactor::new(server.connections_max)?);
    let mut settings = assembly::settings(engine)?;
    let mut containers_max = 1;
    let mut ports = None;
    let mut tick = HOUSEKEEPING;
    if let Some(invoker) = invoker {
        settings.reply_style = invoker.reply;
        settings.idle_max_ms = u64::try_from(invoker.idle.as_millis())?;
        containers_max = invoker.containers_max;
        let open_max = descriptors::for_ports(descriptors_max);
        if open_max < containers_max {
            warn!(
                "the limit of {} open files leaves ports for {open_max} containers at once, instead of {containers_max}",
                descriptors_max.unwrap_or_default()
            );
        }
        let range = invoker.ports.clone();
        ports = Some(Ports::new(reactor.clone(), server.listen.ip(), range, open_max));
        tick = tick.min(invoker.idle / 4);
    }
    let log = ActivationLog::to_own_streams(server.log_sentinels);
    let node = LinuxNode::new(ports, log, activity.clone());
    let executor = assembly::executor(engine, settings, node, containers_max)?;
    let listener = match invoker {
        Some(_) => Listener::Control,
        None => Listener::Container(executor.create_fixed().map_err(|refusal| refusal.to_string())?),
    };
    let (_, address) = reactor
        .open(server.listen, listener)
        .map_err(|error| format!("cannot listen on {}: {}", server.listen, io::Error::from(error)))?;
    let sandbox = raise_sandbox(engine, invoker.is_some())?;
    let watchdog = start_watchdog(engine, &sandbox)?;
    enter_sandbox(&sandbox, Role::Server)?;
    let actions = Actions { executor, watchdog };
    let pool = Pool::start(actions, reactor.clone(), activity.clone(), server.threads_max)?;
    complain(&format!("{}: listening on {address}", program.name));
    let end = supervise(&signals, &activity, tick, server.drain, || {
        reactor.expire(CONNECTION_IDLE_MAX);
        let reaped = pool.service().executor.reap_idle();
        if reaped > 0 {
            info!("removed {reaped} idle containers");
        }
        pool.ensure_waiting();
    });
    #[cfg(feature = "spans")]
    crate::spans::write(spans)?;
    Ok(match end {
        End::Drained => ExitCode::SUCCESS,
        End::Cut => FAILURE.into(),
    })
}

/// One activation, its result on standard output.
fn run_once(engine: &Engine, run: &Run) -> Result<ExitCode, Failure> {
    start_logging(engine);
    supervisor::survive_long_files()?;
    let code = read_code(&run.bundle)?;
    let input = match &run.input {
        Some(input) => input.clone(),
        None => read_input()?,
    };
    if let Err(error) = json::parse(input.as_bytes()) {
        complain(&format!("the input is not JSON: {error}"));
        return Ok(USAGE.into());
    }
    let settings = assembly::settings(engine)?;
    let node = LinuxNode::new(None, ActivationLog::to_stderr(), Arc::new(Activity::new()?));
    let executor = assembly::executor(engine, settings, node, 1)?;
    // Looks for the main thread's stack in `/proc`.
    wamr::prepare_thread();
    let sandbox = raise_sandbox(engine, false)?;
    let watchdog = start_watchdog(engine, &sandbox)?;
    enter_sandbox(&sandbox, Role::Run)?;
    let (result, status) = match once::run(&executor, &watchdog.seat(), &code, &run.main, &input) {
        Outcome::Success(result) => (result, ExitCode::SUCCESS),
        Outcome::ApplicationError(result) | Outcome::DeveloperError(result) => (result, FAILURE.into()),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(&result)?;
    stdout.write_all(b"\n")?;
    stdout.flush()?;
    Ok(status)
}

/// Everything is open now: from here on this process has its own files and ports, and what is granted to guests.
fn raise_sandbox(engine: &Engine, ports: bool) -> Result<Arc<Sandbox>, Failure> {
    let needs = Needs {
        grants: &engine.allow_dirs,
        ports,
    };
    Sandbox::raise(engine.sandbox, needs).map(Arc::new).map_err(no_sandbox)
}

/// The one thread with a role of its own. It starts before the main thread has its role, in which no other can be started.
fn start_watchdog(engine: &Engine, sandbox: &Arc<Sandbox>) -> Result<Arc<Watchdog<RunStopper>>, Failure> {
    let sandbox = sandbox.clone();
    let confine = move || {
        if let Err(error) = sandbox.enter(Role::Watchdog) {
            warn!("--sandbox: the watchdog: {error}");
        }
    };
    Ok(Watchdog::start(engine.run_max, confine)?)
}

/// The main thread's system calls, and those of all threads that it will start.
fn enter_sandbox(sandbox: &Sandbox, role: Role) -> Result<(), Failure> {
    sandbox.enter(role).map_err(no_sandbox)?;
    sandbox.tell(role);
    Ok(())
}

fn no_sandbox(error: SandboxError) -> Failure {
    format!("--sandbox: {error}").into()
}

fn read_code(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn read_input() -> Result<String, Failure> {
    let mut stdin = io::stdin();
    let mut input = String::new();
    if !stdin.is_terminal() {
        stdin.read_to_string(&mut input)?;
    }
    Ok(if input.trim().is_empty() {
        "{}".to_owned()
    } else {
        input
    })
}

fn start_logging(engine: &Engine) {
    let from_environment = || std::env::var(LOG_VARIABLE).ok()?.parse().ok();
    logger::start(engine.log.or_else(from_environment).unwrap_or(LevelFilter::Warn));
}

/// What this program has found, and what follows from it.
fn tell_machine(program: &Program, engine: &Engine) {
    if !log::log_enabled!(log::Level::Info) {
        return;
    }
    let hardware = &program.hardware;
    let group = hardware
        .group_bytes
        .map(|bytes| format!(", of which the control group allows {}", in_units(bytes)));
    info!(
        "machine: {}, cores: {}, memory: {}{}",
        program.board.as_deref().unwrap_or("unnamed"),
        hardware.cores,
        hardware.memory_bytes.map_or("unknown".to_owned(), in_units),
        group.unwrap_or_default()
    );
    let cpu_features = cpu_features::detect();
    let target = wamr::node_target(&cpu_features);
    info!(
        "native code: {}, CPU features: {}",
        target.target,
        cpu_features.join(",")
    );
    let budget = engine.memory_budget();
    let limit = |bytes: usize| budget.total.map_or("no limit".to_owned(), |_| in_units(bytes as u64));
    info!(
        "memory budget: {}, bodies and code: {}, one /init: {}, one instance: {}",
        limit(budget.total.unwrap_or_default()),
        limit(budget.buffers),
        in_units(budget.init_body as u64),
        in_units(budget.instance as u64)
    );
}

fn print(text: &str) -> Result<ExitCode, Failure> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A line on standard error, even if nobody reads it.
fn complain(line: &str) {
    let _ = patient_write::write_all(io::stderr(), [line.as_bytes(), b"\n"], COMPLAINT_PATIENCE);
}
