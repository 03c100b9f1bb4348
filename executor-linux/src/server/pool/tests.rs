//! The pool with a service that knows lines instead of HTTP: it echoes a line, holds one until it is let go, closes.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Barrier;

use embedded_io::{Read as _, Write as _};

use super::*;

/// A reply that no socket buffers hold.
const LONG_BYTES: usize = 16 << 20;

struct Lines {
    /// Requests that say "hold" meet here.
    barrier: Barrier,
    given_up: AtomicUsize,
}

impl Service for Lines {
    type Listener = u8;
    type Desk = ();
    type Inbox<'d> = Vec<u8>;

    fn desk(&self) -> io::Result<()> {
        Ok(())
    }

    fn inbox(&self, (): &mut ()) -> Vec<u8> {
        Vec::new()
    }

    fn serve(&self, inbox: &mut Vec<u8>, connection: &mut Connection<'_>, listener: u8) -> After {
        let end = loop {
            if let Some(end) = inbox.iter().position(|&byte| byte == b'\n') {
                break end + 1;
            }
            let mut bytes = [0; 64];
            match connection.read(&mut bytes) {
                Ok(0) | Err(_) => return After::Close,
                Ok(len) => inbox.extend_from_slice(&bytes[..len]),
            }
        };
        let line: Vec<u8> = inbox.drain(..end).collect();
        if line.starts_with(b"hold") {
            self.barrier.wait();
        }
        if line.starts_with(b"long") && connection.write_all(&vec![b'x'; LONG_BYTES]).is_err() {
            return After::Close;
        }
        connection.write_all(&[b'0' + listener, b' ']).unwrap();
        connection.write_all(&line).unwrap();
        match inbox.is_empty() {
            _ if line.starts_with(b"close") => After::Close,
            true => After::KeepAlive,
            false => After::More,
        }
    }

    fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }
}

struct Server {
    pool: Arc<Pool<Lines>>,
    reactor: Arc<Reactor<u8>>,
    activity: Arc<Activity>,
    address: SocketAddr,
}

fn server(threads_max: usize, idle_max: usize, held: usize) -> Server {
    let reactor = Arc::new(Reactor::new(idle_max).unwrap());
    let activity = Arc::new(Activity::new().unwrap());
    let (_, address) = reactor.open((Ipv4Addr::LOCALHOST, 0).into(), 1).unwrap();
    let lines = Lines {
        barrier: Barrier::new(held),
        given_up: AtomicUsize::new(0),
    };
    let pool = Pool::start(lines, reactor.clone(), activity.clone(), threads_max).unwrap();
    Server {
        pool,
        reactor,
        activity,
        address,
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.receive()
    }
}

/// Wait for what other threads do in their own time.
fn until(condition: impl Fn() -> bool) {
    let since = std::time::Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(20));
        thread::yield_now();
    }
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let server = server(8, 100, 1);
    let mut client = Client::new(server.address);
    for _ in 0..100 {
        assert_eq!(client.ask("hello\n"), "1 hello\n");
    }
    client.send("one\ntwo\nthr");
    assert_eq!(client.receive(), "1 one\n");
    assert_eq!(client.receive(), "1 two\n");
    assert_eq!(client.ask("ee\n"), "1 three\n");
    assert_eq!(client.ask("close\n"), "1 close\n");
    assert_eq!(client.receive(), "", "closed");
    until(|| server.activity.requests() == 0);
}

#[test]
fn parked_connections_hold_no_worker() {
    let server = server(3, 1000, 1);
    let mut clients: Vec<Client> = (0..300).map(|_| Client::new(server.address)).collect();
    for client in &mut clients {
        assert_eq!(client.ask("first\n"), "1 first\n");
    }
    until(|| server.reactor.parked() == 300);
    for client in clients.iter_mut().rev() {
        assert_eq!(client.ask("second\n"), "1 second\n");
    }
    until(|| server.reactor.parked() == 300);
    drop(clients);
    until(|| server.reactor.parked() == 0);
    assert!(server.pool.threads.load(Ordering::Relaxed) <= 3);
}

#[test]
fn requests_that_block_do_not_hold_up_others() {
    const HELD: usize = 32;
    let server = server(HELD + 1, 100, HELD);
    // They meet at a barrier: each must be served while all others are.
    let mut held: Vec<Client> = (0..HELD - 1).map(|_| Client::new(server.address)).collect();
    for client in &mut held {
        client.send("hold\n");
    }
    until(|| server.activity.requests() == HELD - 1);
    assert_eq!(Client::new(server.address).ask("quick\n"), "1 quick\n");
    let mut last = Client::new(server.address);
    assert_eq!(last.ask("hold\n"), "1 hold\n");
    for client in &mut held {
        assert_eq!(client.receive(), "1 hold\n");
    }
}

/// Half of the workers are never kept by clients that do not read, nor by those that do not send; see also the tests over
/// sockets.
#[test]
fn replies_that_nobody_reads_do_not_hold_up_others() {
    let server = server(4, 100, 1);
    let mut unread: Vec<Client> = (0..16).map(|_| Client::new(server.address)).collect();
    let since = std::time::Instant::now();
    for client in &mut unread {
        client.send("long\n");
    }
    until(|| server.pool.waiting_room.is_full());
    for _ in 0..20 {
        assert_eq!(Client::new(server.address).ask("quick\n"), "1 quick\n");
    }
    assert!(since.elapsed() < Duration::from_secs(9), "they are given up after 10 s");
    // Those who read get theirs.
    let mut reader = Client::new(server.address);
    reader.send("long\n");
    let mut reply = vec![0; LONG_BYTES];
    io::Read::read_exact(&mut reader.0, &mut reply).unwrap();
    assert_eq!(reader.receive(), "1 long\n");
}

#[test]
fn clients_without_a_worker_wait_their_turn() {
    let server = server(2, 100, 2);
    let mut held = Client::new(server.address);
    held.send("hold\n");
    until(|| server.activity.requests() == 1);
    // One worker is left: it serves all in turn, those that send nothing included.
    let quiet: Vec<Client> = (0..20).map(|_| Client::new(server.address)).collect();
    let mut clients: Vec<Client> = (0..20).map(|_| Client::new(server.address)).collect();
    for client in &mut clients {
        assert_eq!(client.ask("x\n"), "1 x\n");
    }
    until(|| server.reactor.parked() == 40);
    drop(quiet);
    assert_eq!(clients[0].ask("hold\n"), "1 hold\n");
    assert_eq!(held.receive(), "1 hold\n");
}

#[test]
fn a_worker_that_is_given_up_is_replaced() {
    let server = server(2, 100, 3);
    let mut held: Vec<Client> = (0..2).map(|_| Client::new(server.address)).collect();
    for client in &mut held {
        client.send("hold\n");
    }
    until(|| server.activity.requests() == 2);
    let mut third = Client::new(server.address);
    third.send("quick\n");
    server.pool.ensure_waiting();
    assert_eq!(
        server.pool.threads.load(Ordering::Relaxed),
        2,
        "both may still come back"
    );
    server.pool.service().given_up.store(1, Ordering::Relaxed);
    server.pool.ensure_waiting();
    assert_eq!(third.receive(), "1 quick\n");
    // However many are given up, there are at most as many others.
    server.pool.service().given_up.store(usize::MAX, Ordering::Relaxed);
    assert_eq!(server.pool.threads_max(), 4);
    server.pool.service().barrier.wait();
    for client in &mut held {
        assert_eq!(client.receive(), "1 hold\n");
    }
}

#[test]
fn the_connection_that_is_idle_for_longest_gives_way() {
    let server = server(4, 2, 1);
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..3 {
        let mut client = Client::new(server.address);
        assert_eq!(client.ask("x\n"), "1 x\n");
        let parked = clients.len().min(1) + 1;
        clients.push(client);
        until(|| server.reactor.parked() == parked);
    }
    assert_eq!(clients[0].receive(), "", "closed");
    assert_eq!(clients[1].ask("y\n"), "1 y\n");
    assert_eq!(clients[2].ask("y\n"), "1 y\n");
}

#[test]
fn parked_connections_expire() {
    let server = server(4, 100, 1);
    let mut client = Client::new(server.address);
    assert_eq!(client.ask("x\n"), "1 x\n");
    until(|| server.reactor.parked() == 1);
    server.reactor.expire(Duration::from_secs(60));
    assert_eq!(server.reactor.parked(), 1);
    server.reactor.expire(Duration::ZERO);
    assert_eq!(client.receive(), "", "closed");
}

#[test]
fn listeners_come_and_go() {
    let server = server(4, 100, 1);
    for _ in 0..10 {
        let (door, address) = server.reactor.open((Ipv4Addr::LOCALHOST, 0).into(), 7).unwrap();
        let mut client = Client::new(address);
        assert_eq!(client.ask("x\n"), "7 x\n");
        server.reactor.close(door);
        server.reactor.close(door);
        assert!(TcpStream::connect(address).is_err());
        assert_eq!(client.ask("y\n"), "7 y\n", "its connections stay");
        assert_eq!(Client::new(server.address).ask("z\n"), "1 z\n");
    }
}
