//! `{"name":"Ada"}` gives `{"greeting":"Hello, Ada!"}`.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use core::convert::Infallible;

use openwhisk_action::alloc::string::String;
use serde::{Deserialize, Serialize};

openwhisk_action::main!(hello);

#[derive(Deserialize)]
struct Input {
    name: Option<String>,
}

#[derive(Serialize)]
struct Output {
    greeting: String,
}

fn hello(input: Input) -> Result<Output, Infallible> {
    let name = input.name.as_deref().unwrap_or("stranger");
    Ok(Output {
        greeting: ["Hello, ", name, "!"].concat(),
    })
}
