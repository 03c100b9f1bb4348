//! System calls, by seccomp.
//!
//! Two filters on each thread; of two answers the kernel takes the stricter one.
//!
//! 1. What is not in the table gets `ENOSYS`, as on a kernel without it.
//! 2. What no part of this program does, and an attack would, ends the process (`SIGSYS`; the kernel's log has a line of type
//!    1326 with the call's number).
//!
//! Why not end it for every other call as well: libraries have corners that no test of ours reaches (an `openat` for the
//! number of processors when malloc has made some arenas; `/proc` when a file's times are set that may not be opened), and
//! a guest can drive them there. It would end the containers of all others. Refused, the call does no harm, and libraries
//! know `ENOSYS`: they take another way. An attacker may go on trying; what is worth trying is in the second list.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub use filters::Filters;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filters {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        apply_filter,
    };

    use crate::sandbox::calls::{self, Call, Condition, Rule};
    use crate::sandbox::{Needs, Role, SandboxError};

    /// The programs of all roles, ready to be handed to the kernel.
    #[derive(Debug)]
    pub struct Filters {
        allowed: Vec<(Role, usize, BpfProgram)>,
        deadly: BpfProgram,
    }

    impl Filters {
        /// Make them.
        pub fn new(needs: Needs<'_>) -> Result<Self, SandboxError> {
            let allowed = |role| {
                let calls: Vec<Call> = calls::allowed(role, needs).copied().collect();
                let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
                Ok((role, calls.len(), program(&calls, refused, SeccompAction::Allow)?))
            };
            Ok(Filters {
                allowed: [Role::Server, Role::Run, Role::Watchdog]
                    .into_iter()
                    .map(allowed)
                    .collect::<Result<_, _>>()?,
                deadly: program(calls::DEADLY, SeccompAction::Allow, SeccompAction::KillProcess)?,
            })
        }

        /// Confine the calling thread.
        pub fn enter(&self, role: Role) -> Result<(), SandboxError> {
            let allowed = self.allowed.iter().find(|(of, ..)| *of == role);
            // The second is the one that forbids to add a third.
            for program in [Some(&self.deadly), allowed.map(|(.., program)| program)]
                .into_iter()
                .flatten()
            {
                apply_filter(program).map_err(|error| SandboxError::Filter(error.to_string()))?;
            }
            Ok(())
        }

        /// How many calls are left to a role.
        pub fn count(&self, role: Role) -> usize {
            let allowed = self.allowed.iter().find(|(of, ..)| *of == role);
            allowed.map_or(0, |(_, count, _)| *count)
        }
    }

    fn program(calls: &[Call], otherwise: SeccompAction, on_match: SeccompAction) -> Result<BpfProgram, SandboxError> {
        let wrong = |error: seccompiler::BackendError| SandboxError::Filter(error.to_string());
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for call in calls {
            let of_call = rules.entry(call.number).or_default();
            if let Rule::If(alternatives) = call.rule {
                for conditions in alternatives {
                    let conditions = conditions
                        .iter()
                        .map(condition)
                        .collect::<Result<_, _>>()
                        .map_err(wrong)?;
                    of_call.push(SeccompRule::new(conditions).map_err(wrong)?);
                }
            }
        }
        let processor = std::env::consts::ARCH.try_into().map_err(wrong)?;
        SeccompFilter::new(rules, otherwise, on_match, processor)
            .and_then(BpfProgram::try_from)
            .map_err(wrong)
    }

    /// Flags, commands and families are 32-bit numbers; the kernel looks at no more of them.
    fn condition(condition: &Condition) -> Result<SeccompCondition, seccompiler::BackendError> {
        let (argument, operator, value) = match *condition {
            Condition::Is(argument, value) => (argument, SeccompCmpOp::Eq, value),
            Condition::IsNot(argument, value) => (argument, SeccompCmpOp::Ne, value),
            Condition::Bits(argument, mask, value) => (argument, SeccompCmpOp::MaskedEq(mask.into()), value),
        };
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value.into())
    }
}

/// Where there are none: `seccompiler` knows 64-bit processors only.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[derive(Debug)]
pub enum Filters {}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl Filters {
    pub fn new(_: super::Needs<'_>) -> Result<Self, super::SandboxError> {
        Err(super::SandboxError::NoFilters)
    }

    pub fn enter(&self, _: super::Role) -> Result<(), super::SandboxError> {
        match *self {}
    }

    pub fn count(&self, _: super::Role) -> usize {
        match *self {}
    }
}
