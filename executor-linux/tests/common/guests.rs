//! Guests in WebAssembly text, in the lean ABI: `memory`, `ow_allocate`, `ow_run`.

/// Answers with its input.
pub fn echo() -> Vec<u8> {
    lean(
        "",
        "(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))",
    )
}

/// Answers with these bytes whatever its input.
pub fn answers(answer: &str) -> Vec<u8> {
    let packed = 16_u64 << 32 | answer.len() as u64;
    lean(
        &format!("(data (i32.const 16) \"{}\")", escape(answer)),
        &format!("(i64.const {packed})"),
    )
}

/// Runs this code, which leaves an i64.
pub fn does(code: &str) -> Vec<u8> {
    lean("", code)
}

/// Calls itself for ever.
pub fn recursive() -> Vec<u8> {
    lean(
        "(func $again (result i64) (i64.add (call $again) (call $again)))",
        "(call $again)",
    )
}

/// Runs for ever if its input is longer than `{}`, with which it answers.
pub fn endless() -> Vec<u8> {
    lean(
        r#"(data (i32.const 16) "{}")"#,
        "(if (i32.gt_u (local.get 1) (i32.const 2)) (then (loop $again (br $again))))
         (i64.const 68719476738)",
    )
}

/// Does not come to its first run.
pub fn endless_at_start() -> Vec<u8> {
    lean(
        "(func $start (loop $again (br $again))) (start $start)",
        "(i64.const 0)",
    )
}

/// Counts its runs in a global and in memory; the sum of both is its answer, `{"n":2}` on a fresh instance.
pub fn counter() -> Vec<u8> {
    lean(
        r#"(global $count (mut i32) (i32.const 0))
           (data (i32.const 16) "{\"n\":0}")"#,
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
         (i32.store8 (i32.const 21)
            (i32.add (i32.const 48) (i32.add (global.get $count) (i32.load8_u (i32.const 64)))))
         (i64.const 68719476743)",
    )
}

/// Sleeps in a host call, then answers `{"slept":true}`.
pub fn sleeps(milliseconds: u64) -> Vec<u8> {
    let nanoseconds = milliseconds * 1_000_000;
    with_wasi(
        r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))"#,
        r#"(data (i32.const 16) "{\"slept\":true}")"#,
        &format!(
            "(i32.store (i32.const 272) (i32.const 1)) ;; the monotonic clock
             (i64.store (i32.const 280) (i64.const {nanoseconds}))
             (if (call $poll (i32.const 256) (i32.const 320) (i32.const 1) (i32.const 384)) (then unreachable))
             (i64.const 68719476750)"
        ),
    )
}

/// Makes the file `begun` in the granted directory, then sleeps in a host call, then answers `{"slept":true}`.
pub fn begins_and_sleeps(milliseconds: u64) -> Vec<u8> {
    let nanoseconds = milliseconds * 1_000_000;
    with_wasi(
        r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "path_open"
             (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#,
        r#"(data (i32.const 16) "{\"slept\":true}")
           (data (i32.const 64) "begun")"#,
        &format!(
            "(if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 5)
                             (i32.const 1) ;; create it
                             (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 128)) (then unreachable))
             (i32.store (i32.const 272) (i32.const 1)) ;; the monotonic clock
             (i64.store (i32.const 280) (i64.const {nanoseconds}))
             (if (call $poll (i32.const 256) (i32.const 320) (i32.const 1) (i32.const 384)) (then unreachable))
             (i64.const 68719476750)"
        ),
    )
}

/// Writes to standard output and standard error, then answers `{}`.
pub fn prints(stdout: &str, stderr: &str) -> Vec<u8> {
    with_wasi(
        FD_WRITE,
        &format!(
            r#"(data (i32.const 16) "{{}}")
               (data (i32.const 1024) "{}")
               (data (i32.const 2048) "{}")"#,
            escape(stdout),
            escape(stderr)
        ),
        &format!(
            "(i32.store (i32.const 256) (i32.const 1024))
             (i32.store (i32.const 260) (i32.const {}))
             (if (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 264)) (then unreachable))
             (i32.store (i32.const 256) (i32.const 2048))
             (i32.store (i32.const 260) (i32.const {}))
             (if (call $write (i32.const 2) (i32.const 256) (i32.const 1) (i32.const 264)) (then unreachable))
             (i64.const 68719476738)",
            stdout.len(),
            stderr.len()
        ),
    )
}

/// Writes to the file `full` in the granted directory until that fails, then answers `{"errno":N}`, of two digits.
pub fn fills_a_file() -> Vec<u8> {
    with_wasi(
        &format!(
            r#"{FD_WRITE}
               (import "wasi_snapshot_preview1" "path_open"
                 (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#
        ),
        r#"(data (i32.const 16) "{\"errno\":  }")
           (data (i32.const 64) "full")
           (global $errno (mut i32) (i32.const 0))"#,
        "(global.set $errno
           (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4)
                       (i32.const 9) ;; create it, or empty it
                       (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 128)))
         (i32.store (i32.const 256) (i32.const 1024))
         (i32.store (i32.const 260) (i32.const 65536))
         (loop $again
           (if (i32.eqz (global.get $errno)) (then
             (global.set $errno
               (call $write (i32.load (i32.const 128)) (i32.const 256) (i32.const 1) (i32.const 264)))
             (br $again))))
         (i32.store8 (i32.const 25) (i32.add (i32.const 48) (i32.div_u (global.get $errno) (i32.const 10))))
         (i32.store8 (i32.const 26) (i32.add (i32.const 48) (i32.rem_u (global.get $errno) (i32.const 10))))
         (i64.const 68719476748)",
    )
}

/// Takes memory until there is none, writes to all of it, then answers `[0]`.
pub fn grows() -> Vec<u8> {
    wat::parse_str(
        r#"(module
             (memory (export "memory") 2)
             (data (i32.const 16) "[0]")
             (func (export "ow_allocate") (param i32) (result i32) (i32.const 65536))
             (func (export "ow_run") (param i32 i32) (result i64)
                (local $page i32)
                (loop $again
                  (local.set $page (memory.grow (i32.const 16)))
                  (if (i32.ne (local.get $page) (i32.const -1)) (then
                    (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1) (i32.const 1048576))
                    (br $again))))
                (i64.const 0x1000000003)))"#,
    )
    .unwrap()
}

/// Grows its memory by a mebibyte and fills it.
pub fn grows_once() -> Vec<u8> {
    wat::parse_str(
        r#"(module
             (memory (export "memory") 2)
             (data (i32.const 16) "[0]")
             (func (export "ow_allocate") (param i32) (result i32) (i32.const 65536))
             (func (export "ow_run") (param i32 i32) (result i64)
                (memory.fill
                    (i32.mul (memory.grow (i32.const 16)) (i32.const 65536)) (i32.const 1) (i32.const 1048576))
                (i64.const 0x1000000003)))"#,
    )
    .unwrap()
}

/// Writes its environment to standard output, as it is in memory (each variable ends with a NUL), then answers `{}`.
pub fn prints_environment() -> Vec<u8> {
    with_wasi(
        &format!(
            r#"{FD_WRITE}
               (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
               (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))"#
        ),
        r#"(data (i32.const 16) "{}")"#,
        "(drop (call $sizes (i32.const 248) (i32.const 260)))
         (drop (call $get (i32.const 1024) (i32.const 8192)))
         (i32.store (i32.const 256) (i32.const 8192))
         (drop (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 264)))
         (i64.const 68719476738)",
    )
}

/// Tells whether it has the granted directory and whether descriptor 4 is open; then opens a file in the directory, prints its
/// environment without an end of line, and closes the directory and both streams. On a fresh instance it answers
/// `{"seen":"AIA4"}`: there is a directory (errno 0), 4 is not open (errno 8), the file opens, as 4.
pub fn leaves_things_behind() -> Vec<u8> {
    with_wasi(
        &format!(
            r#"{FD_WRITE}
               (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
               (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
               (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
               (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fdstat (param i32 i32) (result i32)))
               (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
               (import "wasi_snapshot_preview1" "path_open"
                 (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#
        ),
        r#"(data (i32.const 16) "{\"seen\":\"----\"}")
           (data (i32.const 64) "held")"#,
        "(i32.store8 (i32.const 25) (i32.add (i32.const 65) (call $prestat (i32.const 3) (i32.const 256))))
         (i32.store8 (i32.const 26) (i32.add (i32.const 65) (call $fdstat (i32.const 4) (i32.const 256))))
         (i32.store8 (i32.const 27) (i32.add (i32.const 65)
           (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4)
                       (i32.const 1) ;; create it
                       (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 128))))
         (i32.store8 (i32.const 28) (i32.add (i32.const 48) (i32.load (i32.const 128))))
         (drop (call $sizes (i32.const 248) (i32.const 260)))
         (drop (call $get (i32.const 1024) (i32.const 8192)))
         (i32.store (i32.const 256) (i32.const 8192))
         (drop (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 264)))
         (drop (call $write (i32.const 2) (i32.const 256) (i32.const 1) (i32.const 264)))
         (drop (call $close (i32.const 1)))
         (drop (call $close (i32.const 2)))
         (drop (call $close (i32.const 3)))
         (i64.const 68719476751)",
    )
}

const FD_WRITE: &str =
    r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// 68719476736 + n, which the guests above answer with, is the packed pair (16, n).
fn lean(definitions: &str, run: &str) -> Vec<u8> {
    with_wasi("", definitions, run)
}

fn with_wasi(imports: &str, definitions: &str, run: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
             {imports}
             (memory (export "memory") 2 20)
             {definitions}
             (func (export "ow_allocate") (param i32) (result i32)
                (drop (memory.grow (i32.div_u (local.get 0) (i32.const 65536))))
                (i32.const 65536))
             (func (export "ow_run") (param i32 i32) (result i64) {run}))"#
    ))
    .unwrap()
}
