//! One request through the executor's `http.get`, and how many milliseconds it took.

use std::time::Instant;

use openwhisk_action::Value;
use openwhisk_action::http::{self, HttpError};
use serde::Serialize;

openwhisk_action::main!(net);

#[derive(Serialize)]
struct Output {
    /// What the executor returned.
    response: i32,
    request_time: u128,
}

fn net(_: Value) -> Result<Output, HttpError> {
    let start = Instant::now();
    let response = http::get()?;
    Ok(Output {
        response,
        request_time: start.elapsed().as_millis(),
    })
}
