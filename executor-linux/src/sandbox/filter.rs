//! System calls, by seccomp.
//!
//! One filter on each thread; its two tables are in [`super::calls`].
//!
//! 1. What no part of this program does, and an attack would, ends the process (`SIGSYS`; the kernel's log has a line of type
//!    1326 with the call's number).
//! 2. What else is not allowed gets `ENOSYS`, as on a kernel without it.
//!
//! Why not end it for every other call as well: libraries have corners that no test of ours reaches (an `openat` for the
//! number of processors when malloc has made some arenas; `/proc` when a file's times are set that may not be opened), and
//! a guest can drive them there. It would end the containers of all others. Refused, the call does no harm, and libraries
//! know `ENOSYS`: they take another way. An attacker may go on trying; what is worth trying is in the first list.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub use filters::Filters;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filters {
    use crate::sandbox::calls::{self, Call};
    use crate::sandbox::program::program;
    use crate::sandbox::{Needs, Role, SandboxError};

    /// What each role may call.
    #[derive(Debug)]
    pub struct Filters {
        allowed: [(Role, Vec<&'static Call>); 3],
    }

    impl Filters {
        /// Look up what is needed.
        ///
        /// # Errors
        /// None, on these processors.
        pub fn new(needs: Needs<'_>) -> Result<Self, SandboxError> {
            Ok(Filters {
                allowed: [Role::Server, Role::Run, Role::Watchdog]
                    .map(|role| (role, calls::allowed(role, needs).collect())),
            })
        }

        /// Confine the calling thread.
        pub fn enter(&self, role: Role) -> Result<(), SandboxError> {
            let program = program(self.of(role).iter().copied(), calls::DEADLY)
                .ok_or_else(|| SandboxError::Filter("the tables are too large".to_owned()))?;
            seccompiler::apply_filter(&program).map_err(|error| SandboxError::Filter(error.to_string()))
        }

        /// How many calls are left to a role.
        pub fn count(&self, role: Role) -> usize {
            self.of(role).len()
        }

        fn of(&self, role: Role) -> &[&'static Call] {
            let found = self.allowed.iter().find(|(of, _)| *of == role);
            found.map_or(&[], |(_, calls)| calls)
        }
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
