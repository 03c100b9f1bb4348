//! The table of system calls as a program for the kernel (classic BPF).
//!
//! A tree of comparisons: seven steps for any call. The kernel runs a new program for each number that there is (some 450), to
//! know in advance which calls it always allows; a list of comparisons, which libraries make, takes it 0.2 ms.
//!
//! Sources: `Documentation/userspace-api/seccomp_filter.rst`, `Documentation/networking/filter.rst`.

use std::collections::BTreeMap;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
};
use seccompiler::{BpfProgram, sock_filter};

use super::calls::{Call, Condition, Rule};

/// As on a kernel that does not have the call.
const REFUSE: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

/// `AUDIT_ARCH_X86_64` of `include/uapi/linux/audit.h`: the machine of the ELF header, 64 bits, little endian.
#[cfg(target_arch = "x86_64")]
const PROCESSOR: u32 = 0xc000_0000 | libc::EM_X86_64 as u32;
/// `AUDIT_ARCH_AARCH64`, likewise.
#[cfg(target_arch = "aarch64")]
const PROCESSOR: u32 = 0xc000_0000 | libc::EM_AARCH64 as u32;

/// Offsets in the kernel's `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// Of the first argument's lower half; each has 8 bytes.
const ARGUMENTS: u32 = 16;

/// Calls of `deadly` end the process, those of `allowed` are let through, all others are refused. What is in both is deadly.
///
/// # Errors
/// `None`: the tables are too large for the jumps that the kernel knows.
pub fn program<'a>(
    allowed: impl IntoIterator<Item = &'a Call>,
    deadly: impl IntoIterator<Item = &'a Call>,
) -> Option<BpfProgram> {
    let mut rules: BTreeMap<u32, Rules> = BTreeMap::new();
    for call in deadly {
        rules.entry(number(call)?).or_default().deadly = Some(call.rule);
    }
    for call in allowed {
        rules.entry(number(call)?).or_default().allowed = Some(call.rule);
    }
    let mut program = vec![
        load(ARCHITECTURE),
        jump(BPF_JEQ, PROCESSOR, 1, 0),
        end(SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
    ];
    program.extend(decide(&stretches(&rules)?)?);
    Some(program)
}

/// What is said about one number.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    deadly: Option<Rule>,
    allowed: Option<Rule>,
}

/// From this number on, up to that of the next one, calls are answered by this code.
struct Stretch {
    from: u32,
    code: Vec<sock_filter>,
}

/// All numbers, with neighbours of one answer together.
fn stretches(rules: &BTreeMap<u32, Rules>) -> Option<Vec<Stretch>> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut add = |from, code| {
        if stretches.last().is_none_or(|last| last.code != code) {
            stretches.push(Stretch { from, code });
        }
    };
    let mut next = 0;
    for (&number, rules) in rules {
        if number > next {
            add(next, vec![end(REFUSE)]);
        }
        add(number, answer(rules)?);
        next = number + 1;
    }
    add(next, vec![end(REFUSE)]);
    Some(stretches)
}

/// A binary search for the stretch that a number lies in.
fn decide(stretches: &[Stretch]) -> Option<Vec<sock_filter>> {
    if let [only] = stretches {
        return Some(only.code.clone());
    }
    let (low, high) = stretches.split_at(stretches.len() / 2);
    let from = high.first()?.from;
    let (low, high) = (decide(low)?, decide(high)?);
    let mut code = match u8::try_from(low.len()) {
        Ok(len) => vec![jump(BPF_JGE, from, len, 0)],
        // A condition's jump reaches 255 steps.
        Err(_) => vec![
            jump(BPF_JGE, from, 0, 1),
            statement(BPF_JMP | BPF_JA, u32::try_from(low.len()).ok()?),
        ],
    };
    code.extend(low);
    code.extend(high);
    Some(code)
}

/// What becomes of a call.
fn answer(rules: &Rules) -> Option<Vec<sock_filter>> {
    let mut code = Vec::new();
    for (rule, action) in [
        (rules.deadly, SECCOMP_RET_KILL_PROCESS),
        (rules.allowed, SECCOMP_RET_ALLOW),
    ] {
        match rule {
            None => {}
            Some(Rule::Any) => {
                code.push(end(action));
                return Some(code);
            }
            Some(Rule::If(alternatives)) => {
                for conditions in alternatives {
                    code.extend(when(conditions, action)?);
                }
            }
        }
    }
    code.push(end(REFUSE));
    Some(code)
}

/// End with `action` if all conditions hold, else go on behind this code.
fn when(conditions: &[Condition], action: u32) -> Option<Vec<sock_filter>> {
    // From the end, so that each jump knows how far it has to go.
    let mut code = vec![end(action)];
    for &condition in conditions.iter().rev() {
        let otherwise = u8::try_from(code.len()).ok()?;
        let mut tested = match condition {
            Condition::Is(argument, value) => {
                vec![load_argument(argument), jump(BPF_JEQ, value, 0, otherwise)]
            }
            Condition::IsNot(argument, value) => {
                vec![load_argument(argument), jump(BPF_JEQ, value, otherwise, 0)]
            }
            Condition::Bits(argument, mask, value) => vec![
                load_argument(argument),
                statement(BPF_ALU | BPF_AND | BPF_K, mask),
                jump(BPF_JEQ, value, 0, otherwise),
            ],
        };
        tested.extend(code);
        code = tested;
    }
    Some(code)
}

fn number(call: &Call) -> Option<u32> {
    u32::try_from(call.number).ok()
}

fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

/// Flags, commands and families are 32-bit numbers; the kernel looks at no more of them.
fn load_argument(argument: u8) -> sock_filter {
    load(ARGUMENTS + 8 * u32::from(argument))
}

fn end(action: u32) -> sock_filter {
    statement(BPF_RET | BPF_K, action)
}

fn jump(comparison: u32, value: u32, if_so: u8, if_not: u8) -> sock_filter {
    sock_filter {
        jt: if_so,
        jf: if_not,
        ..statement(BPF_JMP | comparison | BPF_K, value)
    }
}

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter {
        // The codes of classic BPF are less than 256.
        code: (code & 0xff) as u16,
        jt: 0,
        jf: 0,
        k: value,
    }
}

#[cfg(test)]
#[path = "program/tests.rs"]
mod tests;
