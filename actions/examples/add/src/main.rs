//! `{"param1":2,"param2":2}` gives `{"result":4}`.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use openwhisk_action::Number;
use serde::{Deserialize, Serialize};

openwhisk_action::main!(add);

#[derive(Deserialize)]
struct Input {
    param1: Option<Number>,
    param2: Option<Number>,
}

#[derive(Serialize)]
struct Output {
    result: Number,
}

fn add(input: Input) -> Result<Output, &'static str> {
    let param1 = input.param1.ok_or("Expected param1 to be present")?;
    let param2 = input.param2.ok_or("Expected param2 to be present")?;
    let result = match (param1.as_i64(), param2.as_i64()) {
        (Some(param1), Some(param2)) => param1.checked_add(param2).map(Number::from),
        _ => param1
            .as_f64()
            .zip(param2.as_f64())
            .and_then(|(param1, param2)| Number::from_f64(param1 + param2)),
    };
    Ok(Output {
        result: result.ok_or("The sum is too large")?,
    })
}
