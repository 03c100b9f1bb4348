//! What is loaded, and what it takes, counted: for processes where no other test loads anything.

use std::fmt::Write;

use executor_core::runtime::{RunError, Trap};

use super::{Compile, engine, load, load_with, run};

/// A module is unloaded with its last container; one that is refused is not kept. For a process with one test.
pub fn modules_are_unloaded(compile: Compile) {
    let loaded = || engine().modules_loaded();
    assert_eq!(loaded(), 0);
    let (echo, hostile) = (include_str!("guests/echo.wat"), include_str!("guests/hostile.wat"));
    let one = load(compile, echo);
    assert_eq!(loaded(), 1);
    let other = load(compile, echo);
    assert_eq!(loaded(), 1);
    let third = load(compile, hostile);
    assert_eq!(loaded(), 2);
    assert!(load_with(compile, "(module)", None, None).is_err());
    assert!(load_with(compile, include_str!("guests/faulty.wat"), Some("nothing"), None).is_err());
    assert_eq!(loaded(), 2);
    drop(one);
    assert_eq!(loaded(), 2);
    drop(other);
    assert_eq!(loaded(), 1);
    drop(third);
    assert_eq!(loaded(), 0);
    assert_eq!(run(&load(compile, echo), "{}"), Ok("{}".to_owned()));
    assert_eq!(loaded(), 0);
}

/// What the engine takes of the machine's memory is counted, and goes back to what it was: after growth, a shrunk memory, a
/// trap, a module that does not load, and with the last container.
pub fn memory_is_counted(compile: Compile) {
    let taken = || engine().memory_taken();
    let hostile = include_str!("guests/hostile.wat");
    // The environments that wait for the next run are the engine's own: they stay.
    assert!(run(&load(compile, hostile), "{}").is_ok());
    let before = taken();
    for _ in 0..3 {
        let action = load(compile, hostile);
        let loaded = taken();
        assert!(loaded > before, "the module");
        assert!(run(&action, "{}").is_ok());
        // Two pages; while it ran, seven.
        let warm = taken();
        assert!((128 << 10..256 << 10).contains(&(warm - loaded)), "{}", warm - loaded);
        assert!(run(&action, "{}").is_ok());
        assert_eq!(taken(), warm);
        let faulty = load(compile, include_str!("guests/faulty.wat"));
        assert_eq!(run(&faulty, "{\"f\":0}"), Err(RunError::Trap(Trap::Unreachable)));
        assert!(load_with(compile, "(module)", None, None).is_err());
        drop((action, faulty));
        assert_eq!(taken(), before);
    }
}

/// Of native code: each function's name is in the file, and so is a relocation for each call: neither is kept. What is left is little more than
/// the code.
pub fn names_are_not_kept(compile: Compile) {
    const FUNCTIONS: usize = 500;
    let mut module = String::from(
        r#"(module (memory (export "memory") 1)
          (func (export "ow_allocate") (param i32) (result i32) (i32.const 1024))
          (func (export "ow_run") (param i32 i32) (result i64)
            (drop (call $f0 (local.get 1))) (i64.const 0x40000000002))
          (data (i32.const 1024) "{}")"#,
    );
    for number in 0..FUNCTIONS {
        let next = (number + 1).min(FUNCTIONS - 1);
        write!(
            module,
            "(func $f{number} (param i32) (result i32)
              (if (result i32) (local.get 0) (then (i32.const {number}))
                (else (i32.store (local.get 0) (i32.const {number})) (call $f{next} (i32.const 1)))))"
        )
        .unwrap();
    }
    module += ")";
    let code = compile(&wat::parse_str(&module).unwrap()).1.len();
    let before = engine().memory_taken();
    let action = load(compile, &module);
    let taken = engine().memory_taken() - before;
    assert!(taken < code * 3 / 4, "{taken} bytes for a file of {code}");
    drop(action);
    assert_eq!(engine().memory_taken(), before);
}
