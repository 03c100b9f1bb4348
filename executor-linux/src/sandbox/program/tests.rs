//! Programs are run as the kernel would, and compared with what the table says.

use super::*;
use crate::sandbox::{Needs, Role, calls};
use crate::wasi_files::Grant;

/// What the kernel does with a call.
fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u32; 6]) -> u32 {
    let mut accumulator = 0;
    let mut at = 0;
    // A jump leads forward, so this ends.
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let branch = |holds: bool| usize::from(if holds { jt } else { jf });
        match u32::from(code) {
            code if code == BPF_LD | BPF_W | BPF_ABS => {
                accumulator = match k {
                    NUMBER => number,
                    ARCHITECTURE => architecture,
                    _ => arguments[(k as usize - 16) / 8],
                };
            }
            code if code == BPF_ALU | BPF_AND | BPF_K => accumulator &= k,
            code if code == BPF_JMP | BPF_JA => at += k as usize,
            code if code == BPF_JMP | BPF_JEQ | BPF_K => at += branch(accumulator == k),
            code if code == BPF_JMP | BPF_JGE | BPF_K => at += branch(accumulator >= k),
            code if code == BPF_RET | BPF_K => return k,
            code => panic!("{code:#x}"),
        }
    }
}

fn holds(rule: Rule, arguments: [u32; 6]) -> bool {
    let holds = |condition: &Condition| match *condition {
        Condition::Is(argument, value) => arguments[usize::from(argument)] == value,
        Condition::IsNot(argument, value) => arguments[usize::from(argument)] != value,
        Condition::Bits(argument, mask, value) => arguments[usize::from(argument)] & mask == value,
    };
    match rule {
        Rule::Any => true,
        Rule::If(alternatives) => alternatives.iter().any(|conditions| conditions.iter().all(holds)),
    }
}

fn expected(allowed: &[&Call], number: u32, arguments: [u32; 6]) -> u32 {
    let is_meant = |call: &Call| call.number == i64::from(number) && holds(call.rule, arguments);
    if calls::DEADLY.iter().any(is_meant) {
        SECCOMP_RET_KILL_PROCESS
    } else if allowed.iter().copied().any(is_meant) {
        SECCOMP_RET_ALLOW
    } else {
        REFUSE
    }
}

/// All values that some condition names, and those one bit beside them.
fn values() -> Vec<u32> {
    let mut values = vec![0, 1, u32::MAX];
    for condition in calls::DEADLY
        .iter()
        .chain(calls::allowed(Role::Server, NEEDS_PORTS))
        .filter_map(|call| match call.rule {
            Rule::Any => None,
            Rule::If(alternatives) => Some(alternatives),
        })
        .flat_map(|alternatives| alternatives.iter().copied().flatten())
    {
        let (Condition::Is(_, value) | Condition::IsNot(_, value) | Condition::Bits(_, _, value)) = *condition;
        values.extend((0..32).map(|bit| value ^ (1 << bit)).chain([value]));
    }
    values.sort_unstable();
    values.dedup();
    values
}

const NEEDS_PORTS: Needs<'static> = Needs {
    grants: &[],
    ports: true,
};

#[test]
fn a_program_does_what_the_table_says() {
    let grant = [Grant {
        guest: "/".to_owned(),
        host: "/".into(),
        read_only: true,
    }];
    let nothing = Needs {
        grants: &[],
        ports: false,
    };
    let all = Needs {
        grants: &grant,
        ports: true,
    };
    let values = values();
    for role in [Role::Server, Role::Run, Role::Watchdog] {
        for needs in [nothing, all] {
            let allowed: Vec<&Call> = calls::allowed(role, needs).collect();
            let program = program(allowed.iter().copied(), calls::DEADLY).unwrap();
            // Among them those of another ABI: on x86-64, x32's have bit 30.
            for number in (0..700).chain([0x4000_0000, 0x4000_0009, u32::MAX]) {
                for &value in &values {
                    for argument in [0, 1, 2, 3] {
                        let mut arguments = [calls_first_value(number); 6];
                        arguments[argument] = value;
                        assert_eq!(
                            run(&program, PROCESSOR, number, arguments),
                            expected(&allowed, number, arguments),
                            "{role:?} {number} {arguments:?}"
                        );
                    }
                }
            }
            assert_eq!(run(&program, PROCESSOR ^ 1, 0, [0; 6]), SECCOMP_RET_KILL_PROCESS);
        }
    }
}

/// So that of two conditions the other holds in some of the tries.
fn calls_first_value(number: u32) -> u32 {
    if i64::from(number) == libc::SYS_socket {
        libc::AF_INET.cast_unsigned()
    } else {
        0
    }
}

#[test]
fn a_program_is_short() {
    let program = program(calls::allowed(Role::Server, NEEDS_PORTS), calls::DEADLY).unwrap();
    assert!(program.len() < 400, "{}", program.len());
}

#[test]
fn the_first_number_may_have_a_rule_and_large_tables_jump_far() {
    let call = |number| Call {
        number,
        name: "",
        rule: Rule::Any,
        part: calls::Part::Thread,
    };
    let even: Vec<Call> = (0..1000).map(|half| call(2 * half)).collect();
    let program = program(&even, []).unwrap();
    for number in 0..3000 {
        let expected = if number < 2000 && number % 2 == 0 {
            SECCOMP_RET_ALLOW
        } else {
            REFUSE
        };
        assert_eq!(run(&program, PROCESSOR, number, [0; 6]), expected, "{number}");
    }
}
