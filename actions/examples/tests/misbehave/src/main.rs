//! What actions should not do, for the tests: `{"how":"panic"}`, `"exhaust"`, `"overflow"` trap, `"fail"` gives an error.
//! `churn` allocates and frees a hundred times what one page holds.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use core::hint::black_box;

use openwhisk_action::alloc::string::String;
use openwhisk_action::alloc::vec;
use openwhisk_action::alloc::vec::Vec;
use openwhisk_action::{Value, json};
use serde::Deserialize;

openwhisk_action::main!(misbehave, churn);

#[derive(Deserialize)]
struct Input {
    how: String,
}

fn misbehave(input: Input) -> Result<Value, &'static str> {
    match input.how.as_str() {
        "panic" => panic!("as asked"),
        "exhaust" => exhaust(),
        "overflow" => Ok(overflow(1).into()),
        _ => Err("Failed as asked"),
    }
}

fn exhaust() -> ! {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    loop {
        blocks.push(black_box(vec![1; 1 << 20]));
    }
}

fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if black_box(true) {
        overflow(depth + 1) + frame[1]
    } else {
        depth
    }
}

fn churn(_: Value) -> Result<Value, &'static str> {
    let mut sum = 0;
    for round in 0..10_000_usize {
        let (short, long) = (vec![1_u8; 1 + round % 50], vec![2_u8; 100 + round % 900]);
        drop(black_box(short));
        sum += black_box(long).len();
    }
    Ok(json!({ "sum": sum }))
}
