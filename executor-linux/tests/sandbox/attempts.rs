//! What a child process tries inside of its sandbox, and how it tells what came of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;
use std::time::Duration;

use executor_linux::sandbox::{Mode, Needs, Role, Sandbox};
use executor_linux::wasi_files::Grant;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Names the attempt to the child: role, needs, attempt.
const VARIABLE: &str = "SANDBOX_ATTEMPT";
/// The directory of the attempt.
const DIRECTORY: &str = "SANDBOX_DIRECTORY";
/// Precedes what came of it.
const MARK: &str = "outcome: ";

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Works,
    /// By this error of the kernel.
    Refused(i32),
    /// The process was, for this call.
    Killed,
    /// The process has ended itself, as after a panic.
    Aborted,
}

/// The wall around an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Walls {
    /// `None`: system calls are not confined, so that Landlock shows.
    pub role: Option<Role>,
    pub ports: bool,
    /// `data` may be written, `fixed` may be read.
    pub files: bool,
}

pub const SERVER: Walls = Walls {
    role: Some(Role::Server),
    ports: false,
    files: false,
};

/// Try it in a process of its own.
pub fn attempt(walls: Walls, attempt: &str) -> Outcome {
    let root = tempfile::tempdir().unwrap();
    for name in ["data", "fixed", "outside"] {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("given"), "text").unwrap();
    }
    let role = walls.role.map_or("-".to_owned(), |role| format!("{role:?}"));
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_child", "--nocapture"])
        .env_clear()
        .env(VARIABLE, format!("{role} {} {} {attempt}", walls.ports, walls.files))
        .env(DIRECTORY, root.path())
        .output()
        .unwrap();
    match output.status.signal() {
        Some(libc::SIGSYS) => return Outcome::Killed,
        Some(libc::SIGABRT) => return Outcome::Aborted,
        _ => {}
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let outcome = text
        .split_once(MARK)
        .and_then(|(_, rest)| rest.lines().next())
        .unwrap_or_else(|| panic!("{attempt}: {}: {text}{errors}", output.status));
    match outcome {
        "works" => Outcome::Works,
        number => Outcome::Refused(number.parse().unwrap_or_else(|_| panic!("{attempt}: {number}"))),
    }
}

/// What the child does; nothing in any other process.
pub fn in_this_process() {
    let Ok(text) = std::env::var(VARIABLE) else { return };
    let root = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    let [role, ports, files, attempt] = words[..] else {
        panic!("{text}")
    };
    let grant = |name: &str, read_only| Grant {
        guest: format!("/{name}"),
        host: root.join(name),
        read_only,
    };
    let grants = [grant("data", false), grant("fixed", true)];
    let needs = Needs {
        grants: if files == "true" { &grants } else { &[] },
        ports: ports == "true",
    };
    let sandbox = Sandbox::raise(Mode::On, needs).unwrap();
    let role = [Role::Server, Role::Run, Role::Watchdog]
        .into_iter()
        .find(|known| format!("{known:?}") == role);
    if let Some(role) = role {
        sandbox.enter(role).unwrap();
    }
    let outcome = match carry_out(attempt, &root) {
        Ok(()) => "works".to_owned(),
        Err(error) => error
            .raw_os_error()
            .map_or(format!("{error}"), |number| number.to_string()),
    };
    io::stdout()
        .write_all(format!("\n{MARK}{outcome}\n").as_bytes())
        .unwrap();
}

fn carry_out(attempt: &str, root: &Path) -> io::Result<()> {
    let at = |path: &str| root.join(path);
    match attempt {
        "read data" => fs::read(at("data/given")).map(drop),
        "read fixed" => fs::read(at("fixed/given")).map(drop),
        "read outside" => fs::read(at("outside/given")).map(drop),
        "read by a way out" => {
            std::os::unix::fs::symlink("../outside/given", at("data/way"))?;
            fs::read(at("data/way")).map(drop)
        }
        "read /etc/passwd" => fs::read("/etc/passwd").map(drop),
        "read /proc/self/maps" => fs::read("/proc/self/maps").map(drop),
        "list outside" => fs::read_dir(at("outside")).map(drop),
        "write data" => fs::write(at("data/new"), "text"),
        "empty data" => OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(at("data/given"))
            .map(drop),
        "write fixed" => OpenOptions::new().write(true).open(at("fixed/given")).map(drop),
        "create in fixed" => fs::write(at("fixed/new"), "text"),
        "write outside" => OpenOptions::new().write(true).open(at("outside/given")).map(drop),
        "steal from fixed" => rename(&at("fixed/given"), &at("data/stolen")),
        "move in data" => {
            rustix::fs::mkdirat(rustix::fs::CWD, at("data/sub"), rustix::fs::Mode::RWXU)?;
            rename(&at("data/given"), &at("data/sub/moved"))
        }
        "make a pipe in data" => call(
            libc::SYS_mknodat,
            &[
                libc::AT_FDCWD.into(),
                leak(&at("data/pipe")),
                (libc::S_IFIFO | 0o600).into(),
            ],
        ),
        "connect" => {
            let somebody: u16 = 9;
            match TcpStream::connect((Ipv4Addr::LOCALHOST, somebody)) {
                // It got as far as the network.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                other => other.map(drop),
            }
        }
        "connect in a thread" => std::thread::spawn(|| carry_out("connect", Path::new("/")))
            .join()
            .unwrap(),
        "connect by sending" => call(libc::SYS_sendto, &[-1, 0, 0, libc::MSG_FASTOPEN.into()]),
        "listen" => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        "datagrams" => UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        "packets" => call(libc::SYS_socket, &[libc::AF_PACKET.into(), libc::SOCK_RAW.into(), 0]),
        "netlink" => call(libc::SYS_socket, &[libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0]),
        "a pair of sockets" => UnixStream::pair().map(drop),
        "a thread" => std::thread::Builder::new()
            .spawn(|| {})
            .map(|thread| thread.join().unwrap()),
        "another program" => Command::new("/bin/true").status().map(drop),
        "become another program" => call(libc::SYS_execve, &[leak(Path::new("/bin/true"))]),
        "a process" => call(libc::SYS_clone, &[libc::SIGCHLD.into()]),
        "a namespace" => call(libc::SYS_clone, &[(libc::CLONE_NEWUSER | libc::SIGCHLD).into()]),
        "a thread of the new call" => call(libc::SYS_clone3, &[]),
        "trace" => call(libc::SYS_ptrace, &[libc::PTRACE_TRACEME.into()]),
        "signal" => call(libc::SYS_tgkill, &[1, 1, libc::SIGTERM.into()]),
        // What looks after others does.
        "watch" => {
            let stdin = io::stdin();
            let mut sources = [PollFd::new(&stdin, PollFlags::IN)];
            std::thread::park_timeout(Duration::from_millis(1));
            poll(&mut sources, Some(&Timespec::default()))?;
            io::stderr().write_all(b"watched\n")
        }
        "give up" => std::process::abort(),
        "another filter" => call(libc::SYS_seccomp, &[]),
        "something else" => call(libc::SYS_getppid, &[]),
        "map to write and run" => map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).map(drop),
        "map to run" => map(libc::PROT_READ | libc::PROT_EXEC).map(drop),
        "write, then run" => protect(
            map(libc::PROT_READ | libc::PROT_WRITE)?,
            libc::PROT_READ | libc::PROT_EXEC,
        ),
        "write and run" => protect(
            map(libc::PROT_READ | libc::PROT_WRITE)?,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
        ),
        other => match other.strip_prefix("call ") {
            Some(number) => call(number.parse().unwrap(), &[]),
            None => panic!("no attempt {other}"),
        },
    }
}

/// As guests' files are renamed; std has another call for it.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat(rustix::fs::CWD, from, rustix::fs::CWD, to)?)
}

/// A path for the kernel.
fn leak(path: &Path) -> i64 {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    path.into_raw() as i64
}

/// A system call; arguments that are not given are 0.
fn call(number: i64, given: &[i64]) -> io::Result<()> {
    let mut arguments = [0; 6];
    arguments[..given.len()].copy_from_slice(given);
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the calls that are tried take null for their pointers, or a path that is never freed.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

const PAGE: usize = 4096;

fn map(protection: i32) -> io::Result<*mut libc::c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new page, of which nobody knows.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(page)
    }
}

fn protect(page: *mut libc::c_void, protection: i32) -> io::Result<()> {
    // SAFETY: the page is ours, and nothing lies there.
    let result = unsafe { libc::mprotect(page, PAGE, protection) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
