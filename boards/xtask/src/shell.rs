//! Running other programs: quiet when all is well, everything told when not.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Often enough for a person, seldom enough for a log.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// Tells what is going on: a spinner on a terminal, lines elsewhere.
#[derive(Clone, Copy)]
pub struct Shell {
    pub is_verbose: bool,
}

impl Shell {
    /// Run a program that may take long; `what` says what it does. Gives its standard output; all of its output is shown if
    /// it fails.
    pub fn run(self, what: &str, command: &mut Command) -> Result<String> {
        let start = Instant::now();
        if self.is_verbose {
            eprintln!("  $ {}", display(command));
        }
        let spinner = self.spinner(what);
        let signs_of_life = SignsOfLife::of(what, spinner.is_hidden());
        let output = command.stdin(Stdio::null()).output();
        drop(signs_of_life);
        spinner.finish_and_clear();
        let output = output.with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let duration = start.elapsed();
        if !output.status.success() {
            eprintln!("--- {}", display(command));
            eprint!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            bail!(
                "{what}: `{}` failed ({})",
                command.get_program().display(),
                output.status
            );
        }
        if duration > Duration::from_secs(1) || self.is_verbose {
            eprintln!("  {what}: {:.1} s", duration.as_secs_f64());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Say that something long begins, for work that is not a program's.
    pub fn say(self, what: &str) {
        eprintln!("  {what}");
    }

    fn spinner(self, what: &str) -> ProgressBar {
        if !std::io::stderr().is_terminal() || self.is_verbose {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(120));
        spinner
    }
}

/// Where no spinner turns, a line now and then says that a long step still runs. Ends when it is dropped.
struct SignsOfLife {
    /// The thread waits for this end to go.
    _until: Option<Sender<()>>,
}

impl SignsOfLife {
    fn of(what: &str, is_wanted: bool) -> Self {
        if !is_wanted {
            return SignsOfLife { _until: None };
        }
        let (until, ended) = channel::<()>();
        let (what, start) = (what.to_owned(), Instant::now());
        thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(SIGN_OF_LIFE) {
                eprintln!("  {what}: {:.0} s so far", start.elapsed().as_secs_f64());
            }
        });
        SignsOfLife { _until: Some(until) }
    }
}

/// What a program prints, if it can be run and succeeds.
pub fn ask(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
