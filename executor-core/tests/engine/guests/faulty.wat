;; Fails in the way that the first digit of the input names: {"f":N}.
(module
  (memory (export "memory") 1 2)
  (table 2 funcref)
  (elem (i32.const 0) func $typed)
  (type $none (func))
  (func $typed (param i32) (result i32) (local.get 0))
  (func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func (export "ow_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "ow_run") (param $address i32) (param $len i32) (result i64)
    (local $fault i32)
    (local.set $fault (i32.sub (i32.load8_u (i32.add (local.get $address) (i32.const 5))) (i32.const 48)))
    (if (i32.eq (local.get $fault) (i32.const 0)) (then (unreachable)))
    (if (i32.eq (local.get $fault) (i32.const 1)) (then (drop (i32.load (i32.const 0x7fffffff)))))
    (if (i32.eq (local.get $fault) (i32.const 2)) (then (drop (i32.div_s (i32.const 1) (i32.sub (local.get $len) (local.get $len))))))
    (if (i32.eq (local.get $fault) (i32.const 3)) (then (drop (call $deep (i32.const 0)))))
    (if (i32.eq (local.get $fault) (i32.const 4)) (then (call_indirect (type $none) (i32.const 0))))
    (if (i32.eq (local.get $fault) (i32.const 5)) (then (call_indirect (type $none) (i32.const 1))))
    (if (i32.eq (local.get $fault) (i32.const 6)) (then (call_indirect (type $none) (i32.const 99))))
    ;; 7: an answer that lies outside of the memory
    (if (i32.eq (local.get $fault) (i32.const 7)) (then (return (i64.const 0x7fff0000_00000010))))
    ;; 8: an answer whose end overflows
    (if (i32.eq (local.get $fault) (i32.const 8)) (then (return (i64.const 0xffffffff_0000ffff))))
    ;; 9: no answer
    (i64.const 0)))
