//! Actions that come with the node: no client has sent them.

use std::sync::atomic::Ordering;

use executor_core::executor::{InitError, Outcome, Refusal};
use executor_core::openwhisk::{Addressee, ContainerId, Listener};

use crate::client::{answer, error, init_body, zip};
use crate::world::{AOT_HEADER, TestExecutor, WASM_HEADER, settings, with_executor};

fn named(id: &str) -> Addressee {
    Addressee::Id(ContainerId::new(id).unwrap())
}

/// An instruction set's header, and what it does.
fn module(header: &[u8], script: &str) -> Vec<u8> {
    [header, script.as_bytes()].concat()
}

/// As in flash: there for good, beginning so many bytes behind an address that native code is aligned to.
fn permanent(code: &[u8], offset: usize) -> &'static [u8] {
    let room = vec![0; code.len() + 32].leak();
    let start = room.as_ptr().align_offset(16) + offset;
    let place = &mut room[start..start + code.len()];
    place.copy_from_slice(code);
    place
}

fn install(executor: &TestExecutor<'_, '_>, id: &str, code: &[u8]) -> Result<(), InitError> {
    match executor.install(&named(id), permanent(code, 1)) {
        Outcome::Initialised(_) => Ok(()),
        Outcome::InitFailed(error) => Err(error),
        _ => panic!("{id} is taken, or there is no place"),
    }
}

#[test]
fn what_is_installed_answers_as_what_was_sent() {
    with_executor(4, settings(), |executor, world| {
        let ask = |target: &str, body: &str| answer(executor, world, Listener::Control, target, body);
        install(executor, "a", &module(WASM_HEADER, "answer:[1]")).unwrap();
        // Deflated, and native code, whose last byte is the bundle's.
        install(executor, "b", &zip("b.wasm", &module(WASM_HEADER, "answer:[2]"))).unwrap();
        install(executor, "c", &module(AOT_HEADER, "answer:[3]")).unwrap();
        assert_eq!(ask("/a/run", ""), (200, "[1]".into()));
        assert_eq!(ask("/b/run", ""), (200, "[2]".into()));
        assert_eq!(ask("/c/run", ""), (200, "[3]".into()));
        assert_eq!(
            ask("/a/init", &init_body("echo")),
            (403, error("Cannot initialize the action more than once."))
        );
        let again = executor.install(&named("a"), permanent(&module(WASM_HEADER, "echo"), 0));
        assert!(matches!(again, Outcome::Refused(Refusal::AlreadyInitialised)));
        assert_eq!(ask("/a/destroy", "").0, 200);
        assert_eq!(ask("/a/run", "").0, 404);
    });
}

/// What a client has sent goes after a while, or when there is no place.
#[test]
fn what_is_installed_stays() {
    with_executor(2, settings(), |executor, world| {
        let ask = |target: &str, body: &str| answer(executor, world, Listener::Control, target, body);
        install(executor, "kept", &module(WASM_HEADER, "answer:[1]")).unwrap();
        for id in ["first", "second"] {
            assert_eq!(ask(&format!("/{id}/init"), &init_body("echo")).0, 200);
        }
        world
            .now_ms
            .fetch_add(executor.settings().idle_max_ms, Ordering::SeqCst);
        assert_eq!(executor.reap_idle(), 1);
        assert_eq!(ask("/kept/run", ""), (200, "[1]".into()));
    });
}

#[test]
fn what_cannot_be_installed_leaves_an_empty_container() {
    with_executor(1, settings(), |executor, world| {
        for code in [&b""[..], b"neither a zip nor a module", &module(WASM_HEADER, "no abi")] {
            assert!(install(executor, "a", code).is_err(), "{code:?}");
        }
        world.memory.store(20, Ordering::SeqCst);
        let long = zip("a.wasm", &module(WASM_HEADER, "answer:[\"a long one\"]"));
        assert_eq!(install(executor, "a", &long), Err(InitError::OutOfMemory));
        assert_eq!(answer(executor, world, Listener::Control, "/a/run", "").0, 403);
        world.memory.store(usize::MAX, Ordering::SeqCst);
        install(executor, "a", &long).unwrap();
    });
}

/// Native code is taken from where it lies; only where it is not aligned there, it is copied.
#[test]
fn installed_native_code_takes_no_memory() {
    with_executor(2, settings(), |executor, world| {
        let native = module(AOT_HEADER, "answer:[1]");
        world.memory.store(0, Ordering::SeqCst);
        let aligned = executor.install(&named("a"), permanent(&native, 0));
        assert!(matches!(aligned, Outcome::Initialised(_)));
        assert_eq!(install(executor, "b", &native), Err(InitError::OutOfMemory));
        world.memory.store(usize::MAX, Ordering::SeqCst);
        install(executor, "b", &native).unwrap();
    });
}

#[test]
fn a_container_shares_what_another_has() {
    with_executor(2, settings(), |executor, world| {
        let fixed = executor.create_fixed().unwrap();
        let Outcome::Initialised(action) = executor.install(&named("a"), permanent(&module(WASM_HEADER, "echo"), 0))
        else {
            panic!("it is not installed")
        };
        executor.share(fixed, action.clone()).unwrap();
        assert_eq!(world.loaded.load(Ordering::SeqCst), 1);
        let run = |listener, target| answer(executor, world, listener, target, r#"{"value":{"a":1}}"#);
        assert_eq!(run(Listener::Container(fixed), "/run"), (200, r#"{"a":1}"#.into()));
        assert_eq!(run(Listener::Control, "/a/run"), (200, r#"{"a":1}"#.into()));
        assert_eq!(executor.share(fixed, action.clone()), Err(Refusal::AlreadyInitialised));
        // It outlives the other.
        assert_eq!(answer(executor, world, Listener::Control, "/a/destroy", "").0, 200);
        assert_eq!(run(Listener::Container(fixed), "/run"), (200, r#"{"a":1}"#.into()));
        let gone = executor.create().unwrap();
        executor.remove(gone);
        assert_eq!(executor.share(gone, action), Err(Refusal::UnknownContainer));
    });
}
