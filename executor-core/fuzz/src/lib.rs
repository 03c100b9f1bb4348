//! Hostile input against oracles: one function for each target, which panics where the product and its oracle disagree.
//!
//! libFuzzer drives them (`fuzz_targets`, feature `libfuzzer`); `tests/replay.rs` gives them the committed inputs, in the
//! ordinary tests. Neither adds an assertion of its own.
//!
//! | target | what is fuzzed | oracle |
//! | --- | --- | --- |
//! | `http` | head of a request, body behind it | `httparse`; the RFC's grammar, read naively |
//! | `json` | a JSON document, a string's content | `serde_json` |
//! | `command` | bodies of `/init`, `/run`, `destroy` | `serde_json` |
//! | `base64` | `code`, decoded in place | a table and a loop |
//! | `inflate` | a deflated artifact | `flate2` on zlib-rs |
//! | `zip` | a zip, written and then damaged | the crate `zip` |
//! | `manifest` | a bundle's manifest | `FORMAT.md`, read naively |
//! | `conversation` | what a client sends on one connection | the same in other pieces; `httparse`; `serde_json` |
//! | `module` | a damaged module, loaded | `wasmparser` |
//! | `engine` | a module of wasm-smith, run | a fresh instance; `wasmi` |
//! | `wasi` | calls of WASI, on real directories | what was not granted is as it was, and unread |
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a check panics: that is how it tells"
)]

pub mod base64;
pub mod command;
pub mod conversation;
pub mod engine;
pub mod http;
pub mod inflate;
pub mod json;
pub mod manifest;
pub mod module;
pub mod wamr;
pub mod wasi;
pub mod zip;

pub mod smith;

mod archive;
/// What guests get in place of a machine, as in the engine's tests.
#[path = "../../tests/engine/host.rs"]
mod host;
/// The fake engine and machine of the conversations' tests.
#[path = "../../tests/conversation/world.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod world;

/// Takes an input, and panics if something is wrong.
pub type Check = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: &[(&str, Check)] = &[
    ("http", http::check),
    ("json", json::check),
    ("command", command::check),
    ("base64", base64::check),
    ("inflate", inflate::check),
    ("zip", zip::check),
    ("manifest", manifest::check),
    ("conversation", conversation::check),
    ("module", module::check),
    ("engine", engine::check),
    ("wasi", wasi::check),
];
