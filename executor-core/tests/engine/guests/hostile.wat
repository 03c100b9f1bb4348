;; Looks at everything that an instance holds, tells what it saw, then writes everywhere.
;; Two runs that see the same have each seen a fresh instance.
(module
  (memory (export "memory") 2 64)
  (table $table 4 64 funcref)
  (table $other 3 3 externref)
  (global $small (mut i32) (i32.const 7))
  (global $large (mut i64) (i64.const -1))
  (global $real (mut f64) (f64.const 0.5))
  (data (i32.const 1024) "active")
  (data (i32.const 70000) "second page")
  (data $passive "passive")
  (elem (i32.const 1) func $nothing)
  (elem $later func $nothing $nothing)
  (func $nothing)

  (func (export "ow_allocate") (param i32) (result i32) (i32.const 4096))

  ;; An answer {"seen":"xxxxxxxx"} at 16384 from a hash.
  (func $hex (param $at i32) (param $value i32)
    (local $i i32) (local $digit i32)
    (loop $next
      (local.set $digit (i32.and (i32.shr_u (local.get $value) (i32.shl (i32.sub (i32.const 7) (local.get $i)) (i32.const 2))) (i32.const 15)))
      (i32.store8 (i32.add (local.get $at) (local.get $i))
        (i32.add (local.get $digit) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 8)))))

  (func $mix (param $hash i32) (param $value i32) (result i32)
    (i32.mul (i32.xor (local.get $hash) (local.get $value)) (i32.const 16777619)))

  (func (export "ow_run") (param i32 i32) (result i64)
    (local $hash i32) (local $at i32) (local $end i32)
    (local.set $hash (i32.const 0x811c9dc5))
    ;; sizes
    (local.set $hash (call $mix (local.get $hash) (memory.size)))
    (local.set $hash (call $mix (local.get $hash) (table.size $table)))
    ;; globals
    (local.set $hash (call $mix (local.get $hash) (global.get $small)))
    (local.set $hash (call $mix (local.get $hash) (i32.wrap_i64 (global.get $large))))
    (local.set $hash (call $mix (local.get $hash) (i32.wrap_i64 (i64.shr_u (i64.reinterpret_f64 (global.get $real)) (i64.const 32)))))
    ;; tables: which elements are null
    (local.set $end (table.size $table))
    (loop $elements
      (local.set $hash (call $mix (local.get $hash) (ref.is_null (table.get $table (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $elements (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $hash (call $mix (local.get $hash) (ref.is_null (table.get $other (i32.const 2)))))
    ;; memory, every byte
    (local.set $at (i32.const 0))
    (local.set $end (i32.shl (memory.size) (i32.const 16)))
    (loop $bytes
      (local.set $hash (call $mix (local.get $hash) (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $at) (local.get $end))))
    ;; segments: these trap if an earlier run dropped them
    (memory.init $passive (i32.const 2048) (i32.const 0) (i32.const 7))
    (table.init $table $later (i32.const 2) (i32.const 0) (i32.const 2))

    ;; write everywhere
    (data.drop $passive)
    (elem.drop $later)
    (global.set $small (i32.const 0x5a5a5a5a))
    (global.set $large (i64.const 0x5a5a5a5a5a5a5a5a))
    (global.set $real (f64.const 1e300))
    (drop (table.grow $table (ref.func $nothing) (i32.const 9)))
    (table.fill $table (i32.const 0) (ref.func $nothing) (table.size $table))
    (table.set $table (i32.const 1) (ref.null func))
    (drop (memory.grow (i32.const 5)))
    (memory.fill (i32.const 0) (i32.const 0xa5) (i32.shl (memory.size) (i32.const 16)))
    ;; the answer
    (i64.store (i32.const 16384) (i64.const 0x3a226e656573227b)) ;; {"seen":
    (i32.store8 (i32.const 16392) (i32.const 34))
    (call $hex (i32.const 16393) (local.get $hash))
    (i32.store16 (i32.const 16401) (i32.const 0x7d22)) ;; "}
    (i64.or (i64.shl (i64.const 16384) (i64.const 32)) (i64.const 19)))
  (elem declare func $nothing))
