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
    containers_share_a_module,
    containers_that_come_at_once_share,
    echoes,
    every_run_is_fresh,
    faults_are_contained,
    faults_do_not_reach_those_that_share,
    main_and_environment_are_not_shared,
    main_is_checked,
    modules_are_checked,
    passes_the_environment,
    runs_commands,
    runs_wow,
    spares_are_bounded,
    start_functions_may_fail,
);

mod stopping {
    use super::cases::stopping as cases;
    use super::interpret;

    interpreted!(
        a_late_stop_hits_nobody,
        a_stop_may_come_first,
        every_guest_can_be_stopped,
        preparation_can_be_stopped,
    );

    #[test]
    #[ignore = "a measurement: prints how long guests run on after a stop"]
    fn measure() {
        cases::measure(interpret);
    }
}
