//! The compiler's output on the runtime that it is for: the engine's cases, with AOT code.
#![allow(clippy::unwrap_used)]

#[path = "../../../executor-core/tests/engine/mod.rs"]
mod cases;

use std::fs;
use std::process::Command;

use action_bundle::Kind;

fn compile(wasm: &[u8]) -> (Kind, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("guest.wasm"), folder.path().join("guest.aot"));
    fs::write(&input, wasm).unwrap();
    let target = executor_core::wamr::node_target(&[]).target;
    let compiled = Command::new(env!("CARGO_BIN_EXE_wamrc"))
        .args(["--target", target, "--interruptible", "-o"])
        .args([&output, &input])
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    (Kind::Aot, fs::read(&output).unwrap())
}

macro_rules! compiled {
    ($($case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            cases::$case(compile);
        }
    )*};
}

compiled!(
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
    use super::compile;

    compiled!(
        a_late_stop_hits_nobody,
        a_stop_may_come_first,
        every_guest_can_be_stopped,
        preparation_can_be_stopped,
    );

    #[test]
    #[ignore = "a measurement: prints how long guests run on after a stop"]
    fn measure() {
        cases::measure(compile);
    }
}
