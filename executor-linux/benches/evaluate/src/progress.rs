//! Progress: a bar on a terminal, a line elsewhere.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
    what: String,
    begin: Instant,
}

impl Progress {
    pub fn new(what: &str, steps: usize) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(steps as u64)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("  {msg:<44} {bar:30} {pos}/{len} {elapsed} (eta {eta})") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Progress {
            bar,
            what: what.to_owned(),
            begin: Instant::now(),
        }
    }

    pub fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        eprintln!("  {}: {:.1} s", self.what, self.begin.elapsed().as_secs_f64());
    }
}
