//! Whatever a guest passes: no panic, nothing left open, nothing outside.

use std::vec::Vec;

use proptest::prelude::*;

use super::machine::Machine;
use super::{MEMORY_LEN, with_input};
use crate::{Context, Errno, Function, GuestMemory, Input, Output, OutputLimits};

/// Numbers as an attacker likes them: small ones, ends of memory, ends of types, descriptors, anything.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0_u64..10,
        3 => 0_u64..u64::from(MEMORY_LEN),
        1 => (0_u64..64).prop_map(|before| u64::from(MEMORY_LEN) - before),
        1 => (0_u64..64).prop_map(|before| u64::from(u32::MAX) - before),
        1 => (0_u64..64).prop_map(|before| u64::MAX - before),
        1 => (0_u64..64).prop_map(|before| i64::MAX as u64 - before),
        1 => any::<u64>(),
        1 => (0_u32..64).prop_map(|bit| 1 << bit),
    ]
}

fn call() -> impl Strategy<Value = (usize, Vec<u64>)> {
    (0..Function::ALL.len(), prop::collection::vec(argument(), 0..10))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_calls_do_no_harm(
        calls in prop::collection::vec(call(), 1..60),
        // Short numbers, so that memory holds plausible arrays; and text for paths.
        fill in prop::collection::vec(prop_oneof![0_u8..5, Just(b'a'), Just(b'/'), Just(b'.'), any::<u8>()], 1..200),
    ) {
        let machine = Machine::with(&[("/data", false), ("/fixed", true)]);
        machine.put_file("/data/a", b"content");
        machine.put_file("/fixed/a", b"content");
        let input = Input { arguments: &[b"a"], stdin: b"0123456789", ..Input::default() };
        let ((), output) = with_input(&machine, input, |guest| {
            guest.memory = fill.iter().copied().cycle().take(MEMORY_LEN as usize).collect();
            for (number, arguments) in &calls {
                let _ = guest.call_or_stop(Function::ALL[*number], arguments);
            }
        });
        prop_assert_eq!(machine.store.open.get(), 2, "all but the preopened is closed");
        prop_assert_eq!(machine.file("/fixed/a").unwrap(), b"content");
        prop_assert!(output.stdout().len() + output.stderr().len() <= 122);
    }

    #[test]
    fn memory_is_written_only_where_it_was_asked(
        number in 0..Function::ALL.len(),
        arguments in prop::collection::vec(argument(), 9),
        memory_len in 0_usize..100,
    ) {
        // A tiny memory: most calls fault. None reaches behind it, or the slice would panic.
        let machine = Machine::with(&[("/data", false)]);
        let mut output = Output::new(OutputLimits { log_bytes: 10, result_bytes: 10 });
        let input = Input { arguments: &[b"argument"], stdin: b"input", ..Input::default() };
        let mut context = Context::new(&machine, input, &mut output);
        let mut memory = std::vec![0; memory_len];
        let _ = context.call(Function::ALL[number], &mut GuestMemory::new(&mut memory), &arguments);
    }
}

#[test]
fn a_module_without_memory_gets_faults() {
    let machine = Machine::with(&[("/data", false)]);
    let mut output = Output::new(OutputLimits {
        log_bytes: 10,
        result_bytes: 10,
    });
    let input = Input {
        arguments: &[b"argument"],
        ..Input::default()
    };
    let mut context = Context::new(&machine, input, &mut output);
    let mut call = |function, arguments: &[u64]| context.call(function, &mut GuestMemory::new(&mut []), arguments);
    assert_eq!(call(Function::ArgsGet, &[0, 0]), Ok(Errno::Fault));
    assert_eq!(call(Function::ArgsSizesGet, &[0, 0]), Ok(Errno::Fault));
    assert_eq!(call(Function::FdWrite, &[1, 0, 0, 0]), Ok(Errno::Fault));
    assert_eq!(call(Function::PathOpen, &[3, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(Errno::Fault));
    assert_eq!(call(Function::PollOneoff, &[0, 0, 1, 0]), Ok(Errno::Fault));
    assert_eq!(call(Function::RandomGet, &[0, 0]), Ok(Errno::Success));
}
