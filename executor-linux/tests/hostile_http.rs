//! Hostile clients, over sockets: the table of HTTP cases, and clients that try to keep the server from others.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;
#[path = "../../executor-core/tests/conversation/http_cases.rs"]
#[expect(dead_code, reason = "it is a table for people, too")]
mod http_cases;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, Response, Server, allowance, guests, init_body, request, run_body};
use http_cases::{CASES, Verdict, long_cases};

/// The longest head that is taken.
const HEAD_MAX_BYTES: usize = 8 * 1024;

/// The reply that is not leave to go on.
fn reply(client: &mut Client, expects_continue: bool) -> Option<Response> {
    if expects_continue {
        client.receives_continue();
    }
    client.receive()
}

#[test]
fn cases_over_sockets() {
    let server = Server::action(&[]);
    server.init(&guests::echo());
    let long = long_cases(HEAD_MAX_BYTES);
    let cases = CASES.iter().map(|case| (case.name, case.bytes, case.verdict));
    let long = long
        .iter()
        .map(|(name, bytes, verdict, _)| (*name, bytes.as_str(), *verdict));
    for (name, bytes, verdict) in cases.chain(long) {
        let mut client = server.client();
        let behind = request("/run", r#"{"value":["next"]}"#);
        client.send(&[bytes.as_bytes(), &behind].concat());
        let first = reply(&mut client, bytes.contains("100-continue")).expect(name);
        match verdict {
            Verdict::Ran(body) | Verdict::RanLast(body) => {
                assert_eq!((first.status, first.body.as_str()), (200, body), "{name}");
            }
            Verdict::Refused(status) | Verdict::RefusedLast(status) => {
                assert_eq!(first.status, status, "{name}: {}", first.body);
                assert!(!first.error().is_empty(), "{name}");
            }
        }
        match verdict {
            Verdict::Ran(_) | Verdict::Refused(_) => {
                assert_eq!(client.receive().expect(name).body, r#"["next"]"#, "{name}");
            }
            Verdict::RanLast(_) | Verdict::RefusedLast(_) => assert_eq!(client.receive(), None, "{name}"),
        }
    }
}

#[test]
fn chunks_of_a_large_bundle_and_of_the_greatest_run() {
    let server = Server::action(&[]);
    let mut client = server.client();
    let send = |client: &mut Client, path: &str, body: &[u8], size: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut request = head.into_bytes();
        for chunk in body.chunks(size) {
            write!(request, "{:x};n=1\r\n", chunk.len()).unwrap();
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\nX: y\r\n\r\n");
        client.send(&request);
        client.receive().unwrap()
    };
    // Far beyond the inbox; the action behind it still runs.
    let init = init_body(&guests::echo()) + &" ".repeat(20_000_000);
    assert_eq!(send(&mut client, "/init", init.as_bytes(), 65_536).status, 200);
    let value = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_048_571 - 11));
    for size in [1000, 65_536, 1 << 20, 2 << 20] {
        let response = send(&mut client, "/run", run_body(&value).as_bytes(), size);
        assert!(response.body == value, "{size}: {}", response.status);
    }
    let long = " ".repeat((1 << 20) + (64 << 10) + 1);
    assert_eq!(send(&mut client, "/run", long.as_bytes(), 1 << 16).status, 413);
    assert_eq!(client.receive(), None);
}

/// What one hostile client does: what it sends first, and what it goes on sending, again and again.
struct Trick {
    start: Vec<u8>,
    drip: &'static [u8],
    /// How long it waits before each.
    pause: Duration,
}

/// Ends what goes on beside a test, also if that fails.
struct OverAtLast<'a>(&'a AtomicBool);

impl Drop for OverAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A hostile client that comes again whenever it is turned away.
fn harass(address: SocketAddr, trick: &Trick, is_over: &AtomicBool, turned_away: &AtomicUsize) {
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else {
            continue;
        };
        // Long enough for a drip, so short that the end is seen; it reads only to see whether it is turned away.
        stream.set_read_timeout(Some(trick.pause)).unwrap();
        stream.set_write_timeout(Some(trick.pause)).unwrap();
        let mut sent = stream.write_all(&trick.start).is_ok();
        while sent && !is_over.load(Ordering::Relaxed) {
            match stream.read(&mut [0; 64]) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    sent = stream.write_all(trick.drip).is_ok();
                }
                Ok(0) | Err(_) => sent = false,
                Ok(_) => {}
            }
        }
        turned_away.fetch_add(1, Ordering::Relaxed);
    }
}

/// However slow clients keep workers: others are served at once.
#[test]
fn slow_clients_do_not_stop_others() {
    const THREADS: usize = 8;
    let threads = THREADS.to_string();
    let server = Server::action(&["--threads-max", &threads]);
    server.init(&guests::echo());
    let body = b"POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n";
    let chunks = b"POST /run HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let tricks = [
        (
            "heads, a byte now and then",
            b"POST /run HTTP/1.1\r\nX: ".to_vec(),
            b"x".as_slice(),
            100,
        ),
        (
            "heads, bytes in quick succession",
            b"POST /run HTTP/1.1\r\nX: ".to_vec(),
            b"x",
            5,
        ),
        ("bodies", body.to_vec(), b" ", 5),
        ("chunks", chunks.to_vec(), b"1\r\n \r\n", 5),
        ("what is refused, and more", b"x\r\n\r\n".to_vec(), b"x", 5),
    ];
    for (name, start, drip, pause) in tricks {
        let trick = Trick {
            start,
            drip,
            pause: Duration::from_millis(pause),
        };
        let (is_over, turned_away) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let _over = OverAtLast(&is_over);
            for _ in 0..4 * THREADS {
                scope.spawn(|| harass(server.address, &trick, &is_over, &turned_away));
            }
            thread::sleep(Duration::from_millis(300)); // until they keep all workers that they can
            let since = Instant::now();
            let mut slowest = Duration::ZERO;
            for _ in 0..30 {
                let since = Instant::now();
                assert_eq!(server.post("/run", r#"{"value":{"a":1}}"#).body, r#"{"a":1}"#, "{name}");
                slowest = slowest.max(since.elapsed());
            }
            let most = allowance(Duration::from_secs(5));
            assert!(
                turned_away.load(Ordering::Relaxed) > 0,
                "{name}: seats are taken from them"
            );
            assert!(
                since.elapsed() < most,
                "{name}: {:?}, the slowest {slowest:?}",
                since.elapsed()
            );
        });
    }
}

/// A client that pauses within a request is served although others are slow.
#[test]
fn a_pause_is_not_held_against_a_client() {
    let server = Server::action(&["--threads-max", "8"]);
    server.init(&guests::echo());
    let whole = request("/run", r#"{"value":["pause"]}"#);
    let _stalled: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&whole[..20]).unwrap();
            stream
        })
        .collect();
    for cut in [10, whole.len() - 1] {
        let mut client = server.client();
        client.send(&whole[..cut]);
        thread::sleep(Duration::from_millis(150)); // the pause
        client.send(&whole[cut..]);
        assert_eq!(client.receive().unwrap().body, r#"["pause"]"#);
    }
}

/// Beyond `--connections-max`, the connection that is idle for longest is closed; whoever comes is served.
#[test]
fn a_crowd_of_idle_connections_locks_out_nobody() {
    let server = Server::action(&["--connections-max", "4"]);
    server.init(&guests::echo());
    let mut kept = server.client();
    let mut crowd: Vec<Client> = Vec::new();
    for _ in 0..5 {
        crowd.extend((0..8).map(|_| server.client()));
        // It was not idle for longest, or comes again.
        if kept.post_if_open("/run", r#"{"value":["kept"]}"#).is_none() {
            kept = server.client();
        }
        assert_eq!(server.post("/run", r#"{"value":["new"]}"#).body, r#"["new"]"#);
    }
    let since = Instant::now();
    let is_open = |client: &Client| {
        client
            .stream()
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        !matches!(client.stream().peek(&mut [0]), Ok(0))
    };
    while crowd.iter().filter(|client| is_open(client)).count() > 4 {
        assert!(since.elapsed() < common::patience(), "more than 4 idle connections");
    }
    // Closed without a word, and those that came last are there.
    let mut last = crowd.pop().unwrap();
    if is_open(&last) {
        last.stream().set_read_timeout(Some(common::patience())).unwrap();
        assert_eq!(last.post("/run", r#"{"value":["last"]}"#).body, r#"["last"]"#);
    }
    assert_eq!(server.post("/run", r#"{"value":["new"]}"#).body, r#"["new"]"#);
}
