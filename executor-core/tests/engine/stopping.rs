//! Guests that do not end by themselves, each in another way, and how they are stopped.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use executor_core::runtime::{Occasion, RunError, Runtime, StopReason, Stopper, Unwatched, Watch};
use executor_core::wamr::RunStopper;

use super::{Compile, TestAction, engine, load, run, run_watched};

/// As long as a run may take to end after it was stopped, before a test fails: far beyond what is measured, and far below
/// what a person would wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a test's watch says of every run that it has stopped.
const LIMIT: StopReason = StopReason::TimeLimit { limit_ms: 17 };
const STOPPED: Result<String, RunError> = Err(RunError::Deadline { limit_ms: 17 });

/// Hands the stopper to another thread, and notes whether that thread has used it.
struct Elsewhere {
    stoppers: Mutex<Sender<RunStopper>>,
    is_stopped: Arc<Mutex<bool>>,
}

impl Watch<RunStopper> for Elsewhere {
    fn begin(&self, stopper: RunStopper, _: Occasion) {
        *self.is_stopped.lock().unwrap() = false;
        self.stoppers.lock().unwrap().send(stopper).unwrap();
    }

    fn end(&self) -> Option<StopReason> {
        self.is_stopped.lock().unwrap().then_some(LIMIT)
    }
}

/// Do something while a thread stops every guest that begins, when `when` returns. Gives how long it took from the (last)
/// stop on.
fn while_stopping<T>(when: impl Fn() + Send, work: impl FnOnce(&Elsewhere) -> T) -> (T, Option<Duration>) {
    let (sender, receiver): (_, Receiver<RunStopper>) = channel();
    let watch = Elsewhere {
        stoppers: Mutex::new(sender),
        is_stopped: Arc::default(),
    };
    thread::scope(|scope| {
        let is_stopped = watch.is_stopped.clone();
        let stopping = scope.spawn(move || {
            let mut last = None;
            while let Ok(stopper) = receiver.recv() {
                when();
                *is_stopped.lock().unwrap() = true;
                last = Some(Instant::now());
                stopper.stop();
            }
            last
        });
        let result = work(&watch);
        let ended = Instant::now();
        drop(watch);
        let last = stopping.join().unwrap();
        (result, last.map(|last| ended.duration_since(last)))
    })
}

/// As long as a guest needs to be in the midst of its loop: if it is not, the test is as good, for another case.
fn soon() {
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(3) {
        thread::yield_now();
    }
}

/// A lean guest around the body of `ow_run`.
fn lean(body: &str, rest: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 64 2048)
            (table 3 funcref)
            (elem (i32.const 0) func $nothing $even $odd)
            (type $none (func))
            (type $number (func (param i32) (result i32)))
            (global $calls (mut i32) (i32.const 0))
            (func $nothing)
            (func $even (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
                    (else (call $odd (i32.sub (local.get 0) (i32.const 1))))))
            (func $odd (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                    (else (call $even (i32.sub (local.get 0) (i32.const 1))))))
            {rest}
            (func (export "ow_allocate") (param i32) (result i32) (i32.const 1024))
            (func (export "ow_run") (param $address i32) (param $len i32) (result i64)
                (local $i i32)
                {body}
                (i64.const 0x0000040000000002)))"#
    )
}

/// Every way to be endless that we know, by name.
pub fn zoo() -> Vec<(&'static str, String)> {
    let in_run = [
        ("empty loop", "(loop $l (br $l))"),
        ("conditional loop", "(loop $l (br_if $l (i32.const 1)))"),
        (
            "counting loop",
            "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l))",
        ),
        (
            "loop by table",
            "(block $out (loop $l (br_table $l $l $out (i32.and (local.get $i) (i32.const 1)))))",
        ),
        (
            "two loops",
            "(loop $outer (local.set $i (i32.const 0))
                (loop $inner (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $inner (i32.lt_u (local.get $i) (i32.const 1000))))
                (br $outer))",
        ),
        ("call", "(loop $l (call $nothing) (br $l))"),
        (
            "mutual recursion",
            "(loop $l (drop (call $even (i32.const 50))) (br $l))",
        ),
        (
            "indirect call",
            "(loop $l (drop (call_indirect (type $number) (i32.const 20) (i32.const 1))) (br $l))",
        ),
        (
            "memory.fill",
            "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 4194304)) (br $l))",
        ),
        (
            "memory.copy",
            "(loop $l (memory.copy (i32.const 8) (i32.const 0) (i32.const 4194296)) (br $l))",
        ),
        ("memory.grow", "(loop $l (drop (memory.grow (i32.const 1))) (br $l))"),
        ("host call", "(loop $l (drop (call $yield)) (br $l))"),
        (
            "host call that writes",
            "(loop $l (drop (call $random (i32.const 0) (i32.const 4194304))) (br $l))",
        ),
        (
            "sleep",
            // One relative subscription to the monotonic clock, 1,000 s.
            "(i32.store (i32.const 2064) (i32.const 1))
             (i64.store (i32.const 2072) (i64.const 1000000000000))
             (drop (call $poll (i32.const 2048) (i32.const 4096) (i32.const 1) (i32.const 8192)))",
        ),
    ];
    let mut zoo: Vec<_> = in_run.iter().map(|(name, body)| (*name, lean(body, ""))).collect();
    let endless = "(loop $l (br $l))";
    zoo.push((
        "start function",
        lean("", &format!("(func $start {endless}) (start $start)")),
    ));
    zoo.push((
        "_initialize",
        lean("", &format!(r#"(func (export "_initialize") {endless})"#)),
    ));
    zoo.push((
        "what WAMR calls by itself",
        lean("", &format!(r#"(func (export "__wasm_call_ctors") {endless})"#)),
    ));
    zoo.push((
        "allocation",
        lean("", "").replace("(i32.const 1024))\n", &format!("{endless} (i32.const 1024))\n")),
    ));
    let command = |body: &str| format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#);
    zoo.push(("command", command(endless)));
    zoo
}

/// Every guest of the zoo ends when it is stopped, and a run after it is as good as the first.
pub fn every_guest_can_be_stopped(compile: Compile) {
    let neighbour = load(compile, include_str!("guests/echo.wat"));
    for (name, wat) in zoo() {
        let action = load(compile, &wat);
        for _ in 0..2 {
            let (answer, took) = while_stopping(soon, |watch| run_watched(&action, "{}", watch));
            assert_eq!(answer, STOPPED, "{name}");
            assert!(took.unwrap() < PATIENCE, "{name}: {took:?}");
            // On the same environment.
            assert_eq!(run(&neighbour, "{}"), Ok("{}".to_owned()), "after {name}");
        }
    }
}

/// An instance is not made ready for ever, either.
pub fn preparation_can_be_stopped(compile: Compile) {
    let action = load(compile, &lean("", "(func $start (loop $l (br $l))) (start $start)"));
    let ((), took) = while_stopping(soon, |watch| {
        engine().prepare(&action, watch);
    });
    assert!(took.unwrap() < PATIENCE);
    // No half-made instance was kept.
    let (answer, _) = while_stopping(soon, |watch| run_watched(&action, "{}", watch));
    assert_eq!(answer, STOPPED);
}

/// A run that is stopped before its guest has begun does not begin.
pub fn a_stop_may_come_first(compile: Compile) {
    struct AtOnce;
    impl Watch<RunStopper> for AtOnce {
        fn begin(&self, stopper: RunStopper, _: Occasion) {
            stopper.stop();
        }
        fn end(&self) -> Option<StopReason> {
            Some(LIMIT)
        }
    }
    for (name, wat) in zoo() {
        assert_eq!(run_watched(&load(compile, &wat), "{}", &AtOnce), STOPPED, "{name}");
    }
}

/// A stopper that is used when its run has ended already hits no other run, though it serves the same environment.
pub fn a_late_stop_hits_nobody(compile: Compile) {
    /// Keeps the stoppers of all runs, and uses those of the runs before.
    struct Late(Mutex<Vec<RunStopper>>);
    impl Watch<RunStopper> for Late {
        fn begin(&self, stopper: RunStopper, _: Occasion) {
            let mut stoppers = self.0.lock().unwrap();
            stoppers.iter().for_each(Stopper::stop);
            stoppers.push(stopper);
        }
        fn end(&self) -> Option<StopReason> {
            None
        }
    }
    let action = load(compile, include_str!("guests/hostile.wat"));
    let first = run(&action, "{}");
    assert!(first.is_ok());
    let watch = Late(Mutex::default());
    for _ in 0..20 {
        assert_eq!(run_watched(&action, "{}", &watch), first);
    }
    // And at any time during the next runs.
    let is_over = Mutex::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !*is_over.lock().unwrap() {
                watch.0.lock().unwrap().iter().for_each(Stopper::stop);
            }
        });
        for _ in 0..50 {
            assert_eq!(run_watched(&action, "{}", &Unwatched), first);
        }
        *is_over.lock().unwrap() = true;
    });
}

/// Instructions that write a whole memory, one after the other without a branch between them: to do them all takes far longer
/// than a test is patient.
pub fn single_instructions_are_cut_short(compile: Compile) {
    let large = |instruction: &str| lean(&instruction.repeat(2000), "").replace("64 2048", "4096");
    for (name, instruction) in [
        (
            "fill",
            "(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x10000000))",
        ),
        (
            "copy up",
            "(memory.copy (i32.const 8) (i32.const 0) (i32.const 0xffffff8))",
        ),
        (
            "copy down",
            "(memory.copy (i32.const 0) (i32.const 8) (i32.const 0xffffff8))",
        ),
    ] {
        let action = load(compile, &large(instruction));
        // To read a memory of this size for the first time takes longer than `soon`: not in the run.
        engine().prepare(&action, &Unwatched);
        let (answer, took) = while_stopping(soon, |watch| run_watched(&action, "{}", watch));
        assert_eq!(answer, STOPPED, "{name}");
        assert!(took.unwrap() < PATIENCE, "{name}: {took:?}");
    }
}

/// Prints how long it takes from the stop to the end of the run.
pub fn measure(compile: Compile) {
    println!("{:<28} {:>10} {:>10}", "µs from stop to end", "median", "worst");
    let large = |body: &str| lean(body, "").replace("64 2048", "4096");
    let fill = large("(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x10000000)) (br $l))");
    let copy = large("(loop $l (memory.copy (i32.const 8) (i32.const 0) (i32.const 0xffffff8)) (br $l))");
    let large = [("memory.fill of 256 MiB", fill), ("memory.copy of 256 MiB", copy)];
    for (name, wat) in zoo().into_iter().chain(large) {
        let action = load(compile, &wat);
        let mut took: Vec<_> = (0..51).map(|_| time_to_stop(&action)).collect();
        took.sort_unstable();
        println!("{name:<28} {:>10} {:>10}", took[25].as_micros(), took[50].as_micros());
    }
}

fn time_to_stop(action: &TestAction) -> Duration {
    let (answer, took) = while_stopping(soon, |watch| run_watched(action, "{}", watch));
    assert_eq!(answer, STOPPED);
    took.unwrap()
}
