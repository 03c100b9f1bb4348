//! The input is the result, byte for byte.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use core::convert::Infallible;

use openwhisk_action::alloc::vec::Vec;

openwhisk_action::main_bytes!(echo);

fn echo(input: &[u8]) -> Result<Vec<u8>, Infallible> {
    Ok(input.to_vec())
}
