;; Sleeps 5 ms, as an action does that waits for something else, and answers {"sleep":5}.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; The subscription: user data, kind (clock), its id (monotonic), nanoseconds, precision, flags (relative).
  (data (i32.const 0) "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\01\00\00\00\00\00\00\00"
    "\40\4b\4c\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 256) "{\"sleep\":5}")
  (func (export "ow_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "ow_run") (param i32 i32) (result i64)
    (if (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)) (then (unreachable)))
    (i64.const 0x1000000000b)))
