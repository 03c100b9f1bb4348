//! Modules of wasm-smith on the real engine: a second run, on the instance that the first one has left, is like the first,
//! like one of a module that was loaded anew, and like `wasmi`'s.

use executor_core::runtime::{RunError, Trap};
use wasmi::{Config, Engine, Error, Linker, Module, Store, TrapCode};

use crate::{smith, wamr};

/// What the guest gets. It looks at none of it.
pub const VALUE: &[u8] = b"{\"n\":1}";

/// The input as a module, loaded, run, reset, run again.
pub fn check(data: &[u8]) {
    let Some(module) = smith::action(data) else { return };
    let before = wamr::modules_loaded();
    let action = wamr::load(&module).expect("a valid module of supported features loads");
    let first = wamr::run(&action, VALUE);
    assert_same(&wamr::run(&action, VALUE), &first, "on the same instance");
    assert_same(&wamr::run(&action, VALUE), &first, "on the same instance, again");
    // Prepared ahead, as after an /init, unless one was kept.
    wamr::prepare(&action);
    assert_same(&wamr::run(&action, VALUE), &first, "on a prepared instance");
    drop(action);
    assert_eq!(wamr::modules_loaded(), before, "it is unloaded");
    let again = wamr::load(&module).expect("it loaded before");
    assert_same(&wamr::run(&again, VALUE), &first, "on a fresh instance");
    drop(again);

    let other = wasmi(&module);
    let overflow = Err(RunError::Trap(Trap::StackOverflow));
    if first == overflow || other == overflow {
        // How deep a stack is, is an engine's own choice.
        return;
    }
    assert_same(&first, &other, "on wasmi");
}

/// The answer is a whole memory: of two that differ, only where they do is told.
pub fn assert_same(found: &Result<Vec<u8>, RunError>, expected: &Result<Vec<u8>, RunError>, how: &str) {
    match (found, expected) {
        (found, expected) if found == expected => {}
        (Ok(found), Ok(expected)) if found.len() == expected.len() => {
            let bytes = found.iter().zip(expected).enumerate();
            let differences: Vec<_> = bytes.filter(|(_, (ours, theirs))| ours != theirs).take(64).collect();
            panic!("{how}: {differences:?}");
        }
        (found, expected) => {
            let len = |result: &Result<Vec<u8>, RunError>| result.as_ref().map(Vec::len).map_err(|error| *error);
            panic!("{how}: {:?}, not {:?}", len(found), len(expected));
        }
    }
}

/// The same on `wasmi`: the steps of the lean ABI.
fn wasmi(module: &[u8]) -> Result<Vec<u8>, RunError> {
    let mut config = Config::default();
    config
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_extended_const(true)
        .set_max_recursion_depth(10_000)
        .set_max_stack_height(1 << 24);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, module).expect("wasm-smith makes valid modules");
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine)
        .instantiate_and_start(&mut store, &module)
        // Of a segment that does not fit, wasmi tells in an error of its own, not in a trap.
        .map_err(|error| match error.as_trap_code() {
            Some(TrapCode::StackOverflow) => RunError::Trap(Trap::StackOverflow),
            _ => RunError::Instantiate,
        })?;
    let allocate = instance.get_typed_func::<i32, i32>(&store, "ow_allocate").unwrap();
    let run = instance.get_typed_func::<(i32, i32), i64>(&store, "ow_run").unwrap();
    let memory = instance.get_memory(&store, "memory").unwrap();
    let len = i32::try_from(VALUE.len()).unwrap();
    let address = allocate.call(&mut store, len).map_err(|error| trap(&error))?;
    let at = usize::try_from(address).unwrap();
    memory.write(&mut store, at, VALUE).map_err(|_| RunError::BadAnswer)?;
    let packed = run.call(&mut store, (address, len)).map_err(|error| trap(&error))?;
    let mut answer = vec![0; usize::try_from(packed).unwrap()];
    memory.read(&store, 0, &mut answer).unwrap();
    if answer.is_empty() {
        return Err(RunError::NoAnswer);
    }
    Ok(answer)
}

fn trap(error: &Error) -> RunError {
    RunError::Trap(match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => Trap::Unreachable,
        Some(TrapCode::MemoryOutOfBounds) => Trap::OutOfBoundsMemory,
        Some(TrapCode::TableOutOfBounds) => Trap::OutOfBoundsTable,
        Some(TrapCode::IndirectCallToNull) => Trap::UninitializedElement,
        Some(TrapCode::IntegerDivisionByZero) => Trap::IntegerDivideByZero,
        Some(TrapCode::IntegerOverflow) => Trap::IntegerOverflow,
        Some(TrapCode::BadConversionToInteger) => Trap::InvalidConversion,
        Some(TrapCode::StackOverflow) => Trap::StackOverflow,
        Some(TrapCode::BadSignature) => Trap::IndirectCallTypeMismatch,
        _ => panic!("wasmi fails: {error}"),
    })
}
