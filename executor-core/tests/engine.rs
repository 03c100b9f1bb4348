//! The engine with interpreted code. (With AOT code, the same cases run where the compiler is: `actions/wamrc`.)
#![cfg(feature = "wamr")]
#![allow(clippy::unwrap_used)]

#[path = "engine/mod.rs"]
mod cases;

use action_bundle::Kind;

fn interpret(wasm: &[u8]) -> (Kind, Vec<u8>) {
    (Kind::Wasm, wasm.to_vec())
}

macro_rules! interpreted {
    ($($case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            cases::$case(interpret);
        }
    )*};
}

interpreted!(
    echoes,
    every_run_is_fresh,
    faults_are_contained,
    main_is_checked,
    modules_are_checked,
    passes_the_environment,
    runs_commands,
    runs_wow,
    start_functions_may_fail,
);
