//! The input is the result, byte for byte.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use core::convert::Infallible;

use openwhisk_action::RawValue;
use openwhisk_action::alloc::boxed::Box;

openwhisk_action::main!(echo);

fn echo(input: Box<RawValue>) -> Result<Box<RawValue>, Infallible> {
    Ok(input)
}
