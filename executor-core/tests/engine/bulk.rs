//! Instructions that write much at once are done in pieces: that must not be seen.

use super::{Compile, load, run};

/// Longer than a piece, and no multiple of one.
const LEN: u32 = 1_000_003;

/// A guest that writes, and then compares each byte with what the specification says; it traps where they differ.
fn guest() -> String {
    let segment: String = (0..LEN).map(|i| format!("\\{:02x}", pattern(i))).collect();
    format!(
        r#"(module
            (memory (export "memory") 64)
            (data $segment "{segment}")
            (func $pattern (param i32) (result i32)
                (i32.and (i32.shr_u (i32.mul (local.get 0) (i32.const 0x9e3779b1)) (i32.const 24)) (i32.const 0x7f)))
            ;; LEN bytes from $address are the pattern from $first on.
            (func $expect (param $address i32) (param $first i32) (param $len i32) (local $i i32)
                (loop $next
                    (if (i32.ne (i32.load8_u (i32.add (local.get $address) (local.get $i)))
                                (call $pattern (i32.add (local.get $first) (local.get $i))))
                        (then (unreachable)))
                    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $len)))))
            (func $zero (param $address i32) (param $len i32)
                (loop $next
                    (if (i32.load8_u (local.get $address)) (then (unreachable)))
                    (local.set $address (i32.add (local.get $address) (i32.const 1)))
                    (br_if $next (local.tee $len (i32.sub (local.get $len) (i32.const 1))))))
            (func (export "ow_allocate") (param i32) (result i32) (i32.const 8))
            (func (export "ow_run") (param i32 i32) (result i64)
                (memory.init $segment (i32.const 65536) (i32.const 0) (i32.const {LEN}))
                (call $expect (i32.const 65536) (i32.const 0) (i32.const {LEN}))
                (call $zero (i32.const 32768) (i32.const 32768))
                (call $zero (i32.add (i32.const 65536) (i32.const {LEN})) (i32.const 4096))
                ;; up, then down, by less than a piece and by less than the length
                (memory.copy (i32.const 65543) (i32.const 65536) (i32.const {LEN}))
                (call $expect (i32.const 65543) (i32.const 0) (i32.const {LEN}))
                (call $expect (i32.const 65536) (i32.const 0) (i32.const 7))
                (memory.copy (i32.const 65536) (i32.const 65543) (i32.const {LEN}))
                (call $expect (i32.const 65536) (i32.const 0) (i32.const {LEN}))
                (memory.copy (i32.const 365536) (i32.const 65536) (i32.const {LEN}))
                (call $expect (i32.const 365536) (i32.const 0) (i32.const {LEN}))
                (memory.copy (i32.const 65536) (i32.const 365536) (i32.const {LEN}))
                (call $expect (i32.const 65536) (i32.const 0) (i32.const {LEN}))
                ;; all but the first and the last
                (memory.fill (i32.const 65537) (i32.const 0x100) (i32.sub (i32.const {LEN}) (i32.const 2)))
                (call $expect (i32.const 65536) (i32.const 0) (i32.const 1))
                (call $zero (i32.const 65537) (i32.sub (i32.const {LEN}) (i32.const 2)))
                (call $expect (i32.add (i32.const 65535) (i32.const {LEN}))
                    (i32.sub (i32.const {LEN}) (i32.const 1)) (i32.const 1))
                (i32.store16 (i32.const 8) (i32.const 0x7d7b))
                (i64.const 0x0000000800000002)))"#
    )
}

/// As the guest's `$pattern`.
fn pattern(i: u32) -> u32 {
    (i.wrapping_mul(0x9e37_79b1) >> 24) & 0x7f
}

pub fn pieces_are_not_seen(compile: Compile) {
    let action = load(compile, &guest());
    for _ in 0..2 {
        assert_eq!(run(&action, "{}"), Ok("{}".to_owned()));
    }
}
