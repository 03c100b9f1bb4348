//! Random modules as native code: it does what the interpreter does, and a run leaves nothing to the next.
//!
//! `WAMRC_TEST_MODULES` says how many (200), `WAMRC_TEST_SEED` which: each failure names the seed of its module, and with that
//! seed and one module it comes again.
#![allow(clippy::unwrap_used)]

mod common;

use std::ops::ControlFlow;

use action_bundle::Kind;
use executor_core::runtime::{RunError, Trap};
use fuzz::engine::{VALUE, assert_same};
use fuzz::{smith, wamr};

const MODULES: u64 = 200;
const SEED: u64 = 1;

/// As long as wasm-smith likes its inputs: from a shorter one it makes modules without code.
const INPUT_BYTES: usize = 4096;

#[test]
fn native_code_does_what_the_interpreter_does() {
    let (first, modules) = (number("WAMRC_TEST_SEED", SEED), number("WAMRC_TEST_MODULES", MODULES));
    let (mut compared, mut trapped) = (0, 0);
    for seed in (first..).take(usize::try_from(modules).unwrap()) {
        let Some(module) = smith::action(&input(seed)) else {
            continue;
        };
        // A panic within tells what differs; this line, of which module.
        println!("WAMRC_TEST_SEED={seed} WAMRC_TEST_MODULES=1");
        if let ControlFlow::Continue(interpreted) = compare(&module) {
            compared += 1;
            trapped += u64::from(interpreted.is_err());
        }
    }
    println!("{compared} of {modules} modules were compared; {trapped} of them ended in a trap");
    // wasm-smith takes most inputs, and most runs of its modules return.
    assert!(
        modules < 20 || compared > modules / 3 && trapped < compared,
        "hardly anything is compared"
    );
}

/// `Break`: a run of it may differ by right.
fn compare(module: &[u8]) -> ControlFlow<(), Result<Vec<u8>, RunError>> {
    let interpreted = wamr::run(&wamr::load(module).unwrap(), VALUE);
    let native = wamr::load_as(Kind::Aot, &common::compile(module)).expect("what is compiled loads");
    let first = wamr::run(&native, VALUE);
    assert_same(&wamr::run(&native, VALUE), &first, "native code, on the same instance");
    assert_same(
        &wamr::run(&native, VALUE),
        &first,
        "native code, on the same instance, again",
    );
    wamr::prepare(&native);
    assert_same(
        &wamr::run(&native, VALUE),
        &first,
        "native code, on a prepared instance",
    );
    let overflow = Err(RunError::Trap(Trap::StackOverflow));
    if interpreted == overflow || first == overflow {
        // How deep a stack is, is an engine's own choice.
        return ControlFlow::Break(());
    }
    assert_same(&first, &interpreted, "native code");
    ControlFlow::Continue(interpreted)
}

/// The bytes of a seed: SplitMix64, whose streams of neighbouring seeds have nothing in common.
fn input(seed: u64) -> Vec<u8> {
    let mut state = mixed(seed);
    let words = (0..INPUT_BYTES / 8).flat_map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(state).to_le_bytes()
    });
    words.collect()
}

fn mixed(state: u64) -> u64 {
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}
