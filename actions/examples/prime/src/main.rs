//! The primes up to a limit, by a sieve in pieces: work that grows with its input, in little memory.
//!
//! `{"limit":1000000}` gives `{"count":78498,"largest":999983}`.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use openwhisk_action::alloc::vec;
use openwhisk_action::alloc::vec::Vec;
use serde::{Deserialize, Serialize};

openwhisk_action::main!(primes);

#[derive(Deserialize)]
struct Input {
    limit: Option<u32>,
}

#[derive(Serialize, Default)]
struct Output {
    count: u32,
    largest: Option<u32>,
}

const PIECE: u32 = 16 * 1024;

fn primes(input: Input) -> Result<Output, &'static str> {
    let limit = input.limit.unwrap_or(1_000_000);
    if limit > 1 << 30 {
        return Err("Expected limit to be at most 1073741824");
    }
    let mut output = Output::default();
    let mut next_multiples: Vec<(u32, u32)> = vec![]; // of each prime up to the root of the limit
    let mut is_composite = vec![false; PIECE as usize];
    for start in (0..=limit).step_by(PIECE as usize) {
        is_composite.fill(false);
        for (prime, multiple) in &mut next_multiples {
            cross_out(&mut is_composite, *prime, multiple);
        }
        for offset in 0..PIECE.min(limit - start + 1) {
            let number = start + offset;
            if number < 2 || is_composite[offset as usize] {
                continue;
            }
            output = Output {
                count: output.count + 1,
                largest: Some(number),
            };
            if number <= limit / number {
                let mut multiple = number * number - start;
                cross_out(&mut is_composite, number, &mut multiple);
                next_multiples.push((number, multiple));
            }
        }
    }
    Ok(output)
}

/// Mark the multiples that lie in this piece; what is left counts from the next piece's start.
fn cross_out(is_composite: &mut [bool], prime: u32, multiple: &mut u32) {
    while let Some(mark) = is_composite.get_mut(*multiple as usize) {
        *mark = true;
        *multiple += prime;
    }
    *multiple -= PIECE;
}
