//! Sockets and threads.
//!
//! One `epoll` instance; each thread takes one event, accepts or takes back a connection, and serves it with blocking reads
//! and writes until no request comes for [`LINGER`]. A body is read whole, by its Content-Length, into a buffer that the
//! thread keeps. The reply leaves in one `send`. That is the executor's own structure, so that the difference between both is
//! what the executor does besides.

use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use memchr::memmem;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// How long a thread waits for the next request on a kept connection.
const LINGER: Duration = Duration::from_millis(10);
/// How often it waits so for the rest of a request.
const LINGERS_MAX: usize = 1000;
const THREADS_MAX: usize = 256;
const LISTENER: u64 = u64::MAX;
const ONCE: EventFlags = EventFlags::IN.union(EventFlags::ONESHOT);

/// What is served.
pub trait Handler: Send + Sync + 'static {
    /// What a thread keeps for itself.
    type Desk;

    /// Made on the thread that uses it.
    fn desk(&self) -> Self::Desk;

    /// Answer a request: append the reply's body to `reply`, give its status. The body is the handler's to change.
    fn handle(&self, desk: &mut Self::Desk, path: &str, body: &mut [u8], reply: &mut Vec<u8>) -> u16;
}

struct Server<H> {
    handler: H,
    epoll: OwnedFd,
    listener: OwnedFd,
    /// Connections that no thread serves, by their descriptor.
    parked: Mutex<Vec<Option<OwnedFd>>>,
    threads: AtomicUsize,
    waiting: AtomicUsize,
}

/// Serve for ever.
///
/// # Errors
/// The address cannot be listened on.
pub fn serve<H: Handler>(address: SocketAddr, handler: H) -> io::Result<()> {
    let listener = listen(address)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), ONCE)?;
    eprintln!(
        "listening on {}",
        SocketAddr::try_from(rustix::net::getsockname(&listener)?)?
    );
    let server = Arc::new(Server {
        handler,
        epoll,
        listener,
        parked: Mutex::default(),
        threads: AtomicUsize::new(1),
        waiting: AtomicUsize::new(0),
    });
    for _ in 1..4 {
        server.spawn();
    }
    server.work();
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted connections inherit these.
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(LINGER))?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 4096)?;
    Ok(socket)
}

impl<H: Handler> Server<H> {
    fn spawn(self: &Arc<Self>) {
        if self.threads.fetch_add(1, Ordering::Relaxed) < THREADS_MAX {
            let server = Arc::clone(self);
            thread::Builder::new()
                .stack_size(512 * 1024)
                .spawn(move || server.work())
                .expect("a thread");
        } else {
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn work(self: &Arc<Self>) {
        let mut desk = self.handler.desk();
        let mut buffer = vec![0; 64 * 1024];
        let mut reply = Vec::with_capacity(4096);
        loop {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let event = self.wait();
            if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.spawn();
            }
            let (socket, is_registered) = if event == LISTENER {
                let accepted = rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC);
                epoll::modify(&self.epoll, &self.listener, EventData::new_u64(LISTENER), ONCE)
                    .expect("it is registered");
                match accepted {
                    Ok(socket) => (socket, false),
                    Err(_) => continue,
                }
            } else {
                let index = usize::try_from(event).expect("a descriptor");
                let taken = self
                    .parked
                    .lock()
                    .expect("no panic")
                    .get_mut(index)
                    .and_then(Option::take);
                match taken {
                    Some(socket) => (socket, true),
                    None => continue,
                }
            };
            if let Ok(After::Park) = self.converse(&socket, &mut desk, &mut buffer, &mut reply) {
                self.park(socket, is_registered);
            }
        }
    }

    fn wait(&self) -> u64 {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }];
        loop {
            match epoll::wait(&self.epoll, &mut events, None) {
                Ok(count) if count > 0 => return events[0].data.u64(),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("epoll: {error}"),
            }
        }
    }

    fn park(&self, socket: OwnedFd, is_registered: bool) {
        let index = usize::try_from(socket.as_raw_fd()).expect("a descriptor");
        let data = EventData::new_u64(index as u64);
        let mut parked = self.parked.lock().expect("no panic");
        if parked.len() <= index {
            parked.resize_with(index + 1, || None);
        }
        let socket = parked[index].insert(socket);
        let armed = if is_registered {
            epoll::modify(&self.epoll, &*socket, data, ONCE)
        } else {
            epoll::add(&self.epoll, &*socket, data, ONCE)
        };
        if armed.is_err() {
            parked[index] = None;
        }
    }

    /// Serve requests until none comes.
    fn converse(
        &self,
        socket: &OwnedFd,
        desk: &mut H::Desk,
        buffer: &mut Vec<u8>,
        reply: &mut Vec<u8>,
    ) -> io::Result<After> {
        let mut filled = 0;
        loop {
            let head_len = loop {
                if let Some(end) = memmem::find(&buffer[..filled], b"\r\n\r\n") {
                    break end + 4;
                }
                match receive(socket, &mut buffer[filled..]) {
                    Ok(0) => return Ok(After::Close),
                    Ok(len) => filled += len,
                    Err(error) if error.kind() == ErrorKind::WouldBlock && filled == 0 => return Ok(After::Park),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            };
            let head = std::str::from_utf8(&buffer[..head_len]).map_err(io::Error::other)?;
            let (path, body_len, is_last) = parse(head).ok_or_else(|| io::Error::other("not a request"))?;
            let path = path.to_owned();
            let end = head_len + body_len;
            if buffer.len() < end {
                buffer.resize(end, 0);
            }
            let mut lingers = 0;
            while filled < end {
                match receive(socket, &mut buffer[filled..end]) {
                    Ok(0) => return Ok(After::Close),
                    Ok(len) => filled += len,
                    Err(error) if error.kind() == ErrorKind::WouldBlock && lingers < LINGERS_MAX => lingers += 1,
                    Err(error) => return Err(error),
                }
            }
            // Room for the head, which is as long as the body is short.
            reply.clear();
            reply.resize(HEAD_ROOM, 0);
            let status = self.handler.handle(desk, &path, &mut buffer[head_len..end], reply);
            let mut head = [0; HEAD_ROOM];
            let mut rest = &mut head[..];
            write!(
                rest,
                "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                if status == 200 { "OK" } else { "Error" },
                reply.len() - HEAD_ROOM
            )?;
            let head_len = HEAD_ROOM - rest.len();
            let start = HEAD_ROOM - head_len;
            reply[start..HEAD_ROOM].copy_from_slice(&head[..head_len]);
            send(socket, &reply[start..])?;
            buffer.copy_within(end..filled, 0);
            filled -= end;
            if is_last {
                return Ok(After::Close);
            }
        }
    }
}

enum After {
    Park,
    Close,
}

const HEAD_ROOM: usize = 128;

/// (path, length of the body, whether the client wants the connection closed)
fn parse(head: &str) -> Option<(&str, usize, bool)> {
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?;
    let (mut body_len, mut is_last) = (0, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body_len = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("connection") {
            is_last = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Some((path, body_len, is_last))
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            other => return Ok(other?.0),
        }
    }
}

fn send(socket: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(len) => bytes = &bytes[len..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The address of `--listen ADDRESS:PORT`, and the other arguments.
///
/// # Errors
/// There is none.
pub fn arguments() -> io::Result<(SocketAddr, Vec<String>)> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let at = arguments
        .iter()
        .position(|argument| argument == "--listen")
        .filter(|at| at + 1 < arguments.len())
        .ok_or_else(|| io::Error::other("--listen ADDRESS:PORT is missing"))?;
    let address = arguments[at + 1].parse().map_err(io::Error::other)?;
    arguments.drain(at..=at + 1);
    Ok((address, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_understood() {
        assert_eq!(
            parse("POST /a/run HTTP/1.1\r\nHost: x\r\nCONTENT-length: 12\r\n\r\n"),
            Some(("/a/run", 12, false))
        );
        assert_eq!(
            parse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
            Some(("/", 0, true))
        );
        assert_eq!(parse("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), None);
        assert_eq!(parse("\r\n\r\n"), None);
    }
}
