//! `bundle`: makes, shows and signs action bundles.
//!
//! | module | takes | gives |
//! | --- | --- | --- |
//! | [`source`] | a crate, a source file or a module | the module's bytes |
//! | [`inspect`] | the module | its ABI, and what is wrong with it |
//! | [`aot`] | the module, a target | an AOT artifact |
//! | [`engine`] | an artifact | whether the executor's engine loads it |
//! | [`pack`] | artifacts, a key | the bundle's bytes |
//! | [`show`] | a bundle | text |
//! | [`keys`] | a name | a key pair, as two files |
//!
//! The format is specified beside the crate `action-bundle`, which also reads each bundle back before it is written.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

mod aot;
mod arguments;
mod build;
mod engine;
mod inspect;
mod keys;
mod pack;
mod progress;
mod show;
mod source;
mod tool;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Build(build) => build::run(&build),
        Command::Show(show) => show::run(&show),
        Command::Sign(sign) => pack::run_sign(&sign),
        Command::Keygen(keygen) => keys::run_keygen(&keygen),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bundle: {error:#}");
            ExitCode::FAILURE
        }
    }
}
