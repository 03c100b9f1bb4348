//! Arguments into commands.
//!
//! Takes the process's arguments, gives a [`Command`] whose values have been checked; files are not opened here. Every
//! complaint names the option, the value, and what is allowed.

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use executor_core::limits::{CONTAINER_IDLE_MAX_MS, RUN_MAX_MS};
use executor_core::openwhisk::ReplyStyle;
use lexopt::Arg;
use log::LevelFilter;

use super::defaults::Defaults;
use super::help;
use crate::memory_budget::MemoryBudget;
use crate::sandbox;
use crate::wasi_files::Grant;

/// The least that can be divided: a quarter of it, the longest body of an `/init`, takes any of our example bundles.
const MEMORY_TOTAL_LEAST_BYTES: u64 = 8 << 20;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print this text, filled in.
    Help(&'static str),
    /// Print the version.
    Version,
    /// One action, until a signal comes.
    Action(Engine, Server),
    /// Many containers, until a signal comes.
    Invoker(Engine, Server, Invoker),
    /// One activation, on the spot.
    Run(Engine, Run),
}

/// What every command can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Public keys, or files that hold one each.
    pub trust: Vec<String>,
    /// Run unsigned native code.
    pub trust_any_aot: bool,
    /// Run native code that cannot be stopped.
    pub allow_uninterruptible: bool,
    /// Directories that guests may use.
    pub allow_dirs: Vec<Grant>,
    /// How the process confines itself.
    pub sandbox: sandbox::Mode,
    /// The memory for bodies, code and guests. `None`: no limit.
    pub memory_total_bytes: Option<usize>,
    /// The most linear memory of an instance. `None`: a share of the total.
    pub memory_max_bytes: Option<usize>,
    /// The longest that a run may take.
    pub run_max: Duration,
    /// The executor's own messages. `None`: as the environment says.
    pub log: Option<LevelFilter>,
}

/// What both servers can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The most requests at once.
    pub threads_max: usize,
    /// The most connections that wait for their next request.
    pub connections_max: usize,
    /// How long requests may take to end after the first signal.
    pub drain: Duration,
    /// Whether a sentinel line follows each activation's log.
    pub log_sentinels: bool,
}

/// What only the invoker's server can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// The form of its replies.
    pub reply: ReplyStyle,
    /// The containers' own ports. `None`: the kernel picks them.
    pub ports: Option<RangeInclusive<u16>>,
    /// The most containers at once.
    pub containers_max: usize,
    /// A container that has been idle for this time is removed.
    pub idle: Duration,
}

/// A bundle to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The file.
    pub bundle: PathBuf,
    /// The input. `None`: standard input, if it is not a terminal, else `{}`.
    pub input: Option<String>,
    /// The function to run. Empty: the bundle's default.
    pub main: String,
}

impl Engine {
    fn new(defaults: &Defaults) -> Self {
        Engine {
            trust: Vec::new(),
            trust_any_aot: false,
            allow_uninterruptible: false,
            allow_dirs: Vec::new(),
            sandbox: sandbox::Mode::Auto,
            memory_total_bytes: defaults.memory_total_bytes,
            memory_max_bytes: None,
            run_max: Duration::from_millis(RUN_MAX_MS),
            log: None,
        }
    }

    /// The memory, divided.
    pub fn memory_budget(&self) -> MemoryBudget {
        MemoryBudget::new(self.memory_total_bytes, self.memory_max_bytes)
    }
}

impl Server {
    fn on(listen: SocketAddr, log_sentinels: bool, defaults: &Defaults) -> Self {
        Server {
            listen,
            threads_max: defaults.threads_max,
            connections_max: defaults.connections_max,
            drain: Duration::from_secs(30),
            log_sentinels,
        }
    }
}

impl Invoker {
    fn new(defaults: &Defaults) -> Self {
        Invoker {
            reply: ReplyStyle::Plain,
            ports: None,
            containers_max: defaults.containers_max,
            idle: Duration::from_millis(CONTAINER_IDLE_MAX_MS),
        }
    }
}

/// Arguments that cannot be followed, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        UsageError(error.to_string())
    }
}

/// Read the arguments (without the program's name).
///
/// # Errors
/// [`UsageError`]: the sentence for the user.
pub fn parse(arguments: impl IntoIterator<Item = OsString>, defaults: &Defaults) -> Result<Command, UsageError> {
    let mut arguments = lexopt::Parser::from_args(arguments);
    let command = match arguments.next()? {
        None => return Err(UsageError("a command is missing: action, invoker or run".into())),
        Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help(help::TOP)),
        Some(Arg::Short('V') | Arg::Long("version")) => return Ok(Command::Version),
        Some(Arg::Value(command)) => command,
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.to_str() {
        Some("action") => parse_action(arguments, defaults),
        Some("invoker") => parse_invoker(arguments, defaults),
        Some("run") => parse_run(arguments, defaults),
        Some("help") => Ok(Command::Help(help::TOP)),
        _ => Err(UsageError(format!(
            "{command:?} is no command; there are action, invoker and run"
        ))),
    }
}

fn parse_action(mut arguments: lexopt::Parser, defaults: &Defaults) -> Result<Command, UsageError> {
    let mut engine = Engine::new(defaults);
    let mut server = Server::on((Ipv4Addr::UNSPECIFIED, 8080).into(), true, defaults);
    while let Some(option) = next(&mut arguments)? {
        match option.as_str() {
            "help" => return Ok(Command::Help(help::ACTION)),
            option if engine.take(option, &mut arguments)? || server.take(option, &mut arguments)? => {}
            option => return Err(unknown(option)),
        }
    }
    Ok(Command::Action(engine, server))
}

fn parse_invoker(mut arguments: lexopt::Parser, defaults: &Defaults) -> Result<Command, UsageError> {
    let mut engine = Engine::new(defaults);
    let mut server = Server::on((Ipv4Addr::LOCALHOST, 9000).into(), false, defaults);
    let mut invoker = Invoker::new(defaults);
    while let Some(option) = next(&mut arguments)? {
        match option.as_str() {
            "help" => return Ok(Command::Help(help::INVOKER)),
            "log-sentinels" => server.log_sentinels = true,
            option
                if engine.take(option, &mut arguments)?
                    || server.take(option, &mut arguments)?
                    || invoker.take(option, &mut arguments)? => {}
            option => return Err(unknown(option)),
        }
    }
    Ok(Command::Invoker(engine, server, invoker))
}

fn parse_run(mut arguments: lexopt::Parser, defaults: &Defaults) -> Result<Command, UsageError> {
    let mut engine = Engine::new(defaults);
    let mut main = String::new();
    let mut positional = Vec::new();
    while let Some(argument) = arguments.next()? {
        let option = match argument {
            Arg::Value(value) => {
                positional.push(value);
                continue;
            }
            Arg::Short('h') => "help".to_owned(),
            Arg::Long(option) => option.to_owned(),
            other => return Err(other.unexpected().into()),
        };
        match option.as_str() {
            "help" => return Ok(Command::Help(help::RUN)),
            "main" => main = text("main", &mut arguments)?,
            option if engine.take(option, &mut arguments)? => {}
            option => return Err(unknown(option)),
        }
    }
    let mut positional = positional.into_iter();
    let bundle = positional
        .next()
        .ok_or_else(|| UsageError("run: the bundle's file is missing".into()))?
        .into();
    let input = match positional.next() {
        Some(input) if input == "-" => None,
        Some(input) => Some(
            input
                .into_string()
                .map_err(|_| UsageError("run: the input is not UTF-8".into()))?,
        ),
        None => None,
    };
    match positional.next() {
        Some(more) => Err(UsageError(format!(
            "run: {more:?} is one argument too many; quote the JSON"
        ))),
        None => Ok(Command::Run(engine, Run { bundle, input, main })),
    }
}

impl Engine {
    /// Take the option's value, if the option is one of these.
    fn take(&mut self, option: &str, arguments: &mut lexopt::Parser) -> Result<bool, UsageError> {
        match option {
            "trust" => self.trust.push(text(option, arguments)?),
            "trust-any-aot" => self.trust_any_aot = true,
            "allow-uninterruptible-aot" => self.allow_uninterruptible = true,
            "allow-dir" => {
                let Directory(grant) = value(option, "HOST or HOST::/GUEST", arguments)?;
                self.allow_dirs.push(grant);
            }
            "sandbox" => self.sandbox = value(option, "on, off or auto", arguments)?,
            "memory-max" => {
                // One page to the most that a 32-bit memory can have.
                let bytes = bytes(option, ("64K", 64 << 10), Some(("4G", 4 << 30)), arguments)?;
                self.memory_max_bytes = Some(bytes);
            }
            "memory-total" => {
                self.memory_total_bytes = Some(bytes(option, ("8M", MEMORY_TOTAL_LEAST_BYTES), None, arguments)?);
            }
            "run-seconds-max" => self.run_max = seconds(option, 1, arguments)?,
            "log" => self.log = Some(value(option, "off, error, warn, info, debug or trace", arguments)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Server {
    fn take(&mut self, option: &str, arguments: &mut lexopt::Parser) -> Result<bool, UsageError> {
        match option {
            "listen" => self.listen = value(option, "ADDRESS:PORT, as 127.0.0.1:9000 or [::1]:9000", arguments)?,
            "threads-max" => {
                self.threads_max = count(option, "a number from 2 to 65536", 2..=65_536, arguments)?;
            }
            "connections-max" => {
                self.connections_max = count(option, "a number from 1 to 1000000", 1..=1_000_000, arguments)?;
            }
            "drain-seconds" => self.drain = seconds(option, 0, arguments)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Invoker {
    fn take(&mut self, option: &str, arguments: &mut lexopt::Parser) -> Result<bool, UsageError> {
        match option {
            "reply" => {
                let Reply(style) = value(option, "plain or envelope", arguments)?;
                self.reply = style;
            }
            "ports" => {
                let Ports(ports) = value(option, "0 (any) or LOW-HIGH, as 20000-29999", arguments)?;
                self.ports = ports;
            }
            "max-containers" => {
                self.containers_max = count(option, "a number from 1 to 1000000", 1..=1_000_000, arguments)?;
            }
            "idle-seconds" => self.idle = seconds(option, 1, arguments)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The next option's name. Servers take no positional arguments.
fn next(arguments: &mut lexopt::Parser) -> Result<Option<String>, UsageError> {
    match arguments.next()? {
        None => Ok(None),
        Some(Arg::Long(option)) => Ok(Some(option.to_owned())),
        Some(Arg::Short('h')) => Ok(Some("help".to_owned())),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn unknown(option: &str) -> UsageError {
    UsageError(format!("--{option} is no option of this command; --help lists them"))
}

fn text(option: &str, arguments: &mut lexopt::Parser) -> Result<String, UsageError> {
    let value = arguments
        .value()
        .map_err(|_| UsageError(format!("--{option}: a value is missing")))?;
    value
        .into_string()
        .map_err(|value| UsageError(format!("--{option}: {value:?} is not UTF-8")))
}

fn value<T: FromStr>(option: &str, allowed: &str, arguments: &mut lexopt::Parser) -> Result<T, UsageError> {
    let text = text(option, arguments)?;
    text.parse().map_err(|_| not_allowed(option, &text, allowed))
}

fn count(
    option: &str,
    allowed: &str,
    range: RangeInclusive<usize>,
    arguments: &mut lexopt::Parser,
) -> Result<usize, UsageError> {
    let text = text(option, arguments)?;
    text.parse()
        .ok()
        .filter(|count| range.contains(count))
        .ok_or_else(|| not_allowed(option, &text, allowed))
}

fn seconds(option: &str, least: u64, arguments: &mut lexopt::Parser) -> Result<Duration, UsageError> {
    const MOST: u64 = 7 * 24 * 3600;
    let text = text(option, arguments)?;
    match text.parse() {
        Ok(seconds) if (least..=MOST).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(not_allowed(
            option,
            &text,
            &format!("a number of seconds from {least} to {MOST}"),
        )),
    }
}

/// A number of bytes, from the least to the most that is allowed, each with its name. What this machine cannot count is as
/// much as it can.
fn bytes(
    option: &str,
    (least_name, least): (&str, u64),
    most: Option<(&str, u64)>,
    arguments: &mut lexopt::Parser,
) -> Result<usize, UsageError> {
    let text = text(option, arguments)?;
    let range = least..=most.map_or(u64::MAX, |(_, most)| most);
    match text.parse() {
        Ok(Bytes(bytes)) if range.contains(&bytes) => Ok(usize::try_from(bytes).unwrap_or(usize::MAX)),
        _ => {
            let most = most.map(|(name, _)| format!(" to {name}")).unwrap_or_default();
            let allowed = format!("a number of bytes from {least_name}{most}; K, M and G are understood");
            Err(not_allowed(option, &text, &allowed))
        }
    }
}

fn not_allowed(option: &str, value: &str, allowed: &str) -> UsageError {
    UsageError(format!("--{option}: {value:?} is not allowed; give {allowed}"))
}

/// A value that has no form of its own in `std`; what is allowed is said by whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

struct Bytes(u64);

impl FromStr for Bytes {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'K') => (&text[..text.len() - 1], 1 << 10),
            Some(b'M') => (&text[..text.len() - 1], 1 << 20),
            Some(b'G') => (&text[..text.len() - 1], 1 << 30),
            _ => (text, 1_u64),
        };
        let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
        bytes.map(Bytes).ok_or(Malformed)
    }
}

struct Ports(Option<RangeInclusive<u16>>);

impl FromStr for Ports {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text == "0" {
            return Ok(Ports(None));
        }
        let (low, high) = text.split_once('-').ok_or(Malformed)?;
        let low: NonZeroU16 = low.parse().map_err(|_| Malformed)?;
        let high: NonZeroU16 = high.parse().map_err(|_| Malformed)?;
        if low > high {
            Err(Malformed)
        } else {
            Ok(Ports(Some(low.get()..=high.get())))
        }
    }
}

struct Reply(ReplyStyle);

impl FromStr for Reply {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "plain" => Ok(Reply(ReplyStyle::Plain)),
            "envelope" => Ok(Reply(ReplyStyle::Envelope)),
            _ => Err(Malformed),
        }
    }
}

struct Directory(Grant);

impl FromStr for Directory {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (host, guest) = text.split_once("::").unwrap_or((text, text));
        if host.is_empty() || guest.is_empty() || text.contains('\0') {
            return Err(Malformed);
        }
        Ok(Directory(Grant {
            guest: guest.to_owned(),
            host: host.into(),
            read_only: false,
        }))
    }
}

#[cfg(test)]
mod tests;
