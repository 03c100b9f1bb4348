//! Both clocks: the time of day in milliseconds since 1970, and how many nanoseconds a look at the other one takes.

use std::time::{Instant, SystemTime, SystemTimeError};

use openwhisk_action::Value;
use serde::Serialize;

openwhisk_action::main!(clock);

#[derive(Serialize)]
struct Output {
    now_ms: u128,
    elapsed: u128,
}

fn clock(_: Value) -> Result<Output, SystemTimeError> {
    let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    Ok(Output {
        now_ms,
        elapsed: Instant::now().elapsed().as_nanos(),
    })
}
