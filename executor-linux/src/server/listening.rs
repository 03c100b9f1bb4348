//! Listening sockets.
//!
//! Everything that an accepted connection shall have is set on its listener: Linux hands `TCP_NODELAY`, `SO_RCVTIMEO`
//! and `SO_SNDTIMEO` on to it, so that accepting costs one system call. Only the non-blocking mode is not handed on:
//! listeners never block, connections do (within those times).

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// How long a worker waits in `recv` before it looks around: for the rest of a request, or for the next request on a
/// connection that stays open. A client that goes on at once finds the worker waiting; for others the connection is
/// parked. The same for a `send` that waits for room in the socket's buffer. The kernel rounds up to its tick (4 ms at
/// 250 Hz).
pub const LINGER: Duration = Duration::from_millis(10);

/// Connections that the kernel completes ahead of us. It cuts this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Bind and listen.
///
/// # Errors
/// What the kernel says, most often that the address is in use.
pub fn listen(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?; // start again while old connections are in TIME_WAIT
    sockopt::set_tcp_nodelay(&socket, true)?; // a reply is written once, whole
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(LINGER))?;
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(LINGER))?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Accept one connection, if one waits. The connection blocks, within the listener's times.
///
/// # Errors
/// What the kernel says; `EAGAIN` if none waits.
pub fn accept(listener: impl AsFd) -> Result<OwnedFd, Errno> {
    loop {
        match rustix::net::accept_with(&listener, SocketFlags::CLOEXEC) {
            // The client went away between its connect and our accept: look for the next.
            Err(Errno::INTR | Errno::CONNABORTED | Errno::PROTO) => {}
            other => return other,
        }
    }
}

/// The address that a socket is bound to.
///
/// # Errors
/// What the kernel says.
pub fn local_address(socket: impl AsFd) -> Result<SocketAddr, Errno> {
    SocketAddr::try_from(rustix::net::getsockname(socket)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpStream};

    #[test]
    fn connections_inherit_what_the_listener_has() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        assert_eq!(accept(&listener).unwrap_err(), Errno::AGAIN, "listeners do not block");
        let client = TcpStream::connect(local_address(&listener).unwrap()).unwrap();
        let connection = accept(&listener).unwrap();
        assert!(sockopt::tcp_nodelay(&connection).unwrap());
        let receive = sockopt::socket_timeout(&connection, Timeout::Recv).unwrap().unwrap();
        assert!(
            (LINGER..LINGER * 3).contains(&receive),
            "{receive:?}: rounded up to ticks"
        );
        let send = sockopt::socket_timeout(&connection, Timeout::Send).unwrap().unwrap();
        assert!((LINGER..LINGER * 3).contains(&send), "{send:?}: rounded up to ticks");
        let mut byte = [0];
        let before = std::time::Instant::now();
        let silence = rustix::net::recv(&connection, &mut byte, rustix::net::RecvFlags::empty());
        assert_eq!(silence.unwrap_err(), Errno::AGAIN);
        assert!(before.elapsed() >= LINGER / 2, "the connection blocks");
        drop(client);
    }

    #[test]
    fn an_address_is_bound_once() {
        let first = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        assert_eq!(listen(local_address(&first).unwrap()).unwrap_err(), Errno::ADDRINUSE);
    }
}
