//! What an operator is told of native code that is passed over.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod common;

use std::sync::Mutex;

use action_bundle::Kind;
use action_bundle::manifest::{AotTarget, Form};
use common::*;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// What was logged. This file holds one test, so that nobody else logs.
static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

#[test]
fn missing_cpu_features_are_named_and_other_boards_artifacts_are_not_news() {
    log::set_logger(&Collector).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let of = |target, cpu_features| {
        Form::Aot(AotTarget {
            target,
            cpu_features,
            ..aot_target()
        })
    };
    let bundle = bundle_of(
        &[
            ("add.new.aot", of("x86_64", "popcnt,avx2,bmi2"), AOT_WITH_AVX),
            ("add.arm.aot", of("armv7", "neon"), AOT),
            ("add.x86_64.aot", of("x86_64", "popcnt,sse4.2"), AOT),
            wasm(),
        ],
        Some(&TRUSTED),
    );
    assert_eq!(chosen(&bundle, &policy()), Ok((Kind::Aot, AOT.to_vec())));
    let told = |level, text: &str| {
        LINES
            .lock()
            .unwrap()
            .iter()
            .any(|line| *line == (level, text.to_owned()))
    };
    assert!(told(
        Level::Info,
        "add: skipping add.new.aot: this CPU lacks avx2, bmi2"
    ));
    assert!(told(
        Level::Debug,
        "add: skipping add.arm.aot: it is for another instruction set"
    ));
    assert!(told(Level::Debug, "add: taking add.x86_64.aot"));
    let at_info = LINES
        .lock()
        .unwrap()
        .iter()
        .filter(|(level, _)| *level <= Level::Info)
        .count();
    assert_eq!(at_info, 1, "one line for whoever does not debug");
}
