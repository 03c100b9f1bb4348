//! The system calls of this program: the table, as data.
//!
//! `tests/sandbox.rs` has a representative conversation traced and complains about each row that nothing used, and about
//! each call that a row is missing for.

use super::{Needs, Role};

/// A system call, and when it is meant.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The kernel's number on this processor.
    pub number: i64,
    /// The kernel's name.
    pub name: &'static str,
    /// Which arguments are meant.
    pub rule: Rule,
    pub(super) part: Part,
}

/// Which arguments are meant.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Any.
    Any,
    /// Those for which all conditions of one of these lists hold.
    If(&'static [&'static [Condition]]),
}

/// What an argument, the first of which is 0, has to be.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// This value.
    Is(u8, u32),
    /// Not this value.
    IsNot(u8, u32),
    /// Of these bits, those set.
    Bits(u8, u32, u32),
}

/// What needs a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Every thread: locks, memory, messages, waiting, the end.
    Thread,
    /// Starting threads.
    Start,
    /// Loading and running guests.
    Guest,
    /// Serving connections.
    Serve,
    /// Opening ports.
    Ports,
    /// Guests' files.
    Files,
    /// What ends the process.
    Deadly,
}

/// What a role may call.
pub fn allowed(role: Role, needs: Needs<'_>) -> impl Iterator<Item = &'static Call> {
    ALLOWED.iter().filter(move |call| match call.part {
        Part::Thread => true,
        Part::Guest => role != Role::Watchdog,
        Part::Files => role != Role::Watchdog && !needs.grants.is_empty(),
        Part::Start | Part::Serve => role == Role::Server,
        Part::Ports => role == Role::Server && needs.ports,
        Part::Deadly => false,
    })
}

macro_rules! calls {
    ($($part:ident { $($name:ident $(if $rule:expr)?),* $(,)? })*) => {
        &[$($(Call {
            number: numbers::$name,
            // Without the prefix `SYS_`.
            name: stringify!($name).split_at(4).1,
            rule: calls!(@rule $($rule)?),
            part: Part::$part,
        }),*),*]
    };
    (@rule) => { Rule::Any };
    (@rule $rule:expr) => { Rule::If($rule) };
}

use Condition::{Bits, Is, IsNot};

const PROT_WRITE_EXEC: u32 = (libc::PROT_WRITE | libc::PROT_EXEC).cast_unsigned();
const PROT_EXEC: u32 = libc::PROT_EXEC.cast_unsigned();

/// What the C libraries start threads with: all is shared. glibc's `createthread`; musl's adds `CLONE_DETACHED`, which the
/// kernel ignores.
const CLONE_OF_THREAD: u32 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID)
    .cast_unsigned();
const ANY_BUT_DETACHED: u32 = !libc::CLONE_DETACHED.cast_unsigned();
const CLONE_THREAD: u32 = libc::CLONE_THREAD.cast_unsigned();

const INET: u32 = libc::AF_INET.cast_unsigned();
const INET6: u32 = libc::AF_INET6.cast_unsigned();
const STREAM: u32 = libc::SOCK_STREAM.cast_unsigned();
/// The other bits of a socket's type are flags.
const SOCKET_TYPE: u32 = 0xf;
const FASTOPEN: u32 = libc::MSG_FASTOPEN.cast_unsigned();

/// What may be called.
const ALLOWED: &[Call] = calls! {
    Thread {
        // Locks, and the end of a thread that somebody waits for.
        SYS_futex, SYS_sched_yield,
        // Memory: malloc's, a thread's stack, a guest's. Written or run, never both at once: see `DEADLY`. Mapped to be run
        // is nothing: a module's code is written first, then made so.
        SYS_mmap if &[&[Bits(2, PROT_EXEC, 0)]],
        SYS_mprotect if &[&[Bits(2, PROT_EXEC, 0)], &[Bits(2, PROT_WRITE_EXEC, PROT_EXEC)]],
        SYS_munmap, SYS_madvise, SYS_brk,
        // Messages, and what guests print, once there is room for it; wake-ups; descriptors that are shared go with who drops
        // them last.
        SYS_ppoll, SYS_writev, SYS_write, SYS_close,
        // std asserts that a descriptor is open before it closes it, if built with debug assertions.
        SYS_fcntl if &[
            &[Is(1, libc::F_GETFD.cast_unsigned())],
            &[Is(1, libc::F_SETFD.cast_unsigned())],
            &[Is(1, libc::F_GETFL.cast_unsigned())],
        ],
        // Time: the vDSO's work, where the kernel's clock can be read from user space.
        SYS_clock_gettime, SYS_clock_nanosleep,
        // A signal may come to any thread: its handler wakes the main thread by a byte on a socket.
        SYS_rt_sigreturn, SYS_sendto, SYS_restart_syscall,
        // The end: of the thread, of the process, of the process that has panicked (abort).
        SYS_exit, SYS_exit_group, SYS_sigaltstack, SYS_rt_sigprocmask, SYS_gettid, SYS_getpid,
        SYS_tgkill if &[&[Is(2, libc::SIGABRT.cast_unsigned())]],
    }
    Start {
        // Without clone3, whose flags lie in memory, where no filter can look, libraries take clone.
        SYS_clone if &[&[Bits(0, ANY_BUT_DETACHED, CLONE_OF_THREAD)]],
        SYS_set_robust_list, SYS_rseq,
        SYS_prctl if &[&[Is(0, libc::PR_SET_NAME.cast_unsigned())]],
    }
    Guest {
        // A guest's memory grows and shrinks.
        SYS_mremap,
        // Where the thread's stack ends (pthread_getattr_np), and how many arenas malloc makes.
        SYS_sched_getaffinity,
        // WASI, and keys of hash tables and containers.
        SYS_clock_getres, SYS_getrandom,
    }
    Serve {
        SYS_epoll_pwait, SYS_epoll_ctl, SYS_accept4, SYS_recvfrom, SYS_sendmsg, SYS_shutdown, SYS_setsockopt,
        // The eventfd that wakes the main thread.
        SYS_read,
        // Slow clients: who they are, and what ends the wait for one.
        SYS_getpeername, SYS_eventfd2,
    }
    Ports {
        // TCP only.
        SYS_socket if &[
            &[Is(0, INET), Bits(1, SOCKET_TYPE, STREAM)],
            &[Is(0, INET6), Bits(1, SOCKET_TYPE, STREAM)],
        ],
        SYS_bind, SYS_listen, SYS_getsockname,
    }
    Files {
        SYS_openat2, SYS_statx, SYS_getdents64, SYS_mkdirat, SYS_unlinkat, SYS_renameat, SYS_linkat,
        SYS_symlinkat, SYS_readlinkat, SYS_pread64, SYS_pwrite64, SYS_pwritev2, SYS_ftruncate, SYS_fallocate, SYS_fsync,
        SYS_fdatasync, SYS_utimensat,
        // Before openat2 (Linux 5.6), paths are walked by hand.
        SYS_openat,
    }
};

/// What ends the process: no part of it does that, whatever a guest drives it to, and who has got hold of it would.
pub const DEADLY: &[Call] = calls! {
    Deadly {
        // Other programs, and other processes.
        SYS_execve, SYS_execveat,
        SYS_clone if &[&[Bits(0, CLONE_THREAD, 0)]],
        SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill, SYS_tkill, SYS_pidfd_open, SYS_pidfd_getfd,
        SYS_pidfd_send_signal,
        // Code that was not signed: memory that is written and run, files without a path.
        SYS_mmap if &[&[Bits(2, PROT_WRITE_EXEC, PROT_WRITE_EXEC)]],
        SYS_mprotect if &[&[Bits(2, PROT_WRITE_EXEC, PROT_WRITE_EXEC)]],
        SYS_pkey_mprotect, SYS_memfd_create, SYS_personality,
        // The network, but for who has called us.
        SYS_connect,
        SYS_sendmsg if &[&[Bits(2, FASTOPEN, FASTOPEN)]],
        SYS_sendto if &[&[Bits(3, FASTOPEN, FASTOPEN)]],
        SYS_socket if &[&[IsNot(0, INET), IsNot(0, INET6)]],
        // Files by another way than their path.
        SYS_open_by_handle_at,
        // Who we are, and what we see.
        SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset,
        SYS_chroot, SYS_pivot_root, SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_unshare,
        SYS_setns,
        // The parts of the kernel that had the most errors.
        SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
        SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
        SYS_reboot, SYS_swapon, SYS_swapoff,
    }
};

/// The kernel's numbers.
mod numbers {
    pub use libc::*;

    /// libc does not have it; `include/uapi/asm-generic/unistd.h` does.
    #[cfg(target_arch = "aarch64")]
    pub const SYS_renameat: i64 = 38;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_call_has_one_row() {
        for table in [ALLOWED, DEADLY] {
            let names: HashSet<&str> = table.iter().map(|call| call.name).collect();
            assert_eq!(names.len(), table.len());
            let numbers: HashSet<i64> = table.iter().map(|call| call.number).collect();
            assert_eq!(numbers.len(), table.len());
        }
    }

    #[test]
    fn what_is_allowed_without_condition_is_not_deadly() {
        for call in ALLOWED {
            let deadly = DEADLY.iter().find(|deadly| deadly.number == call.number);
            assert!(
                deadly.is_none_or(|deadly| matches!(deadly.rule, Rule::If(_))),
                "{call:?}"
            );
        }
    }

    #[test]
    fn a_role_has_what_it_needs_and_no_more() {
        let grant = crate::wasi_files::Grant {
            guest: "/".to_owned(),
            host: "/".into(),
            read_only: true,
        };
        let none = Needs {
            grants: &[],
            ports: false,
        };
        let all = Needs {
            grants: &[grant],
            ports: true,
        };
        let may = |role, needs, name| allowed(role, needs).any(|call| call.name == name);
        for (name, expected) in [
            // Server, Run, Watchdog; each without and with all needs
            ("futex", [true; 6]),
            ("accept4", [true, true, false, false, false, false]),
            ("socket", [false, true, false, false, false, false]),
            ("openat2", [false, true, false, true, false, false]),
            ("ppoll", [true; 6]),
            ("clone", [true, true, false, false, false, false]),
            ("mremap", [true, true, true, true, false, false]),
            ("execve", [false; 6]),
            ("connect", [false; 6]),
            ("seccomp", [false; 6]),
            ("clone3", [false; 6]),
        ] {
            let found =
                [Role::Server, Role::Run, Role::Watchdog].map(|role| [may(role, none, name), may(role, all, name)]);
            assert_eq!(found.as_flattened(), expected, "{name}");
        }
    }
}
