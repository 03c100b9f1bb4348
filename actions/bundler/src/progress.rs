//! What takes long, and how long.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Show that something goes on, on a terminal only, until the returned value is dropped.
pub fn step(what: impl Into<String>) -> Step {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what.into());
    bar.enable_steady_tick(Duration::from_millis(100));
    Step(bar)
}

/// A step that goes on.
pub struct Step(ProgressBar);

impl Drop for Step {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
