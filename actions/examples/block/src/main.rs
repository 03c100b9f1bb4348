//! Sleeps, as an action does that waits for something else: `{"milliseconds":300}` gives `{"sleep":300}`.

use std::convert::Infallible;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

openwhisk_action::main!(block);

#[derive(Deserialize)]
struct Input {
    milliseconds: Option<u32>,
}

#[derive(Serialize)]
struct Output {
    /// How long it was in fact.
    sleep: u128,
}

fn block(input: Input) -> Result<Output, Infallible> {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(input.milliseconds.unwrap_or(300).into()));
    Ok(Output {
        sleep: start.elapsed().as_millis(),
    })
}
