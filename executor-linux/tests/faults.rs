//! A world that gives less than was asked for: a server that is killed, clients that break off, and a machine that runs out
//! of descriptors, threads, memory and disk. Whatever happens, the server lives, does not spin, and serves again.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Cursor, PipeReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, Response, Server, command, guests, init_body, is_emulated, patience, request, run_body};
use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The server, started by a shell that has carried out `limits` before.
fn limited(limits: &str, subcommand: &str, options: &[&str]) -> Command {
    let program = command();
    let mut shell = Command::new("/bin/sh");
    shell
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-c")
        .arg(format!("{limits}; exec \"$0\" \"$@\""))
        .arg(program.get_program())
        .args(program.get_args())
        .args([subcommand, "--listen", "127.0.0.1:0"])
        .args(options);
    shell
}

/// Whether limits would bind an emulator, which takes more of everything than what it runs.
fn is_skipped_for_emulation() -> bool {
    if is_emulated() {
        eprintln!("skipped: the limit would be the emulator's");
    }
    is_emulated()
}

/// Whether a command can be carried out here; tells if not.
fn can(program: &str, arguments: &[&OsStr], what: &str) -> bool {
    let is_possible = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_possible {
        eprintln!("skipped: {what} is not permitted here");
    }
    is_possible
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < patience(), "{what}");
        thread::sleep(Duration::from_millis(2)); // polling: nothing tells
    }
}

/// An action is served: by new clients, and with a new container where there can be several.
fn assert_well(server: &Server) {
    assert_eq!(server.post("/run", &run_body(r#"{"a":1}"#)).body, r#"{"a":1}"#);
}

/// Close without a farewell: what is under way is lost, and the peer is told at its next word.
fn reset(client: &Client) {
    set_socket_linger(client.stream(), Some(Duration::ZERO)).unwrap();
}

/// No reply comes for a while.
fn assert_waits(client: &Client, time: Duration) {
    client.stream().set_read_timeout(Some(time)).unwrap();
    assert!(client.stream().peek(&mut [0]).is_err(), "it does not wait");
    client.stream().set_read_timeout(Some(patience())).unwrap();
}

/// The beginning of a request, which holds a descriptor and a worker for ten seconds.
const BEGINNING: &[u8] = b"POST /run HTTP/1.1\r\nHost: x\r\n";

#[test]
fn a_server_that_was_killed_comes_back_on_the_same_ports() {
    // Where the kernel takes no port for others meanwhile: below those that it gives by itself.
    let places = (0..200_u16).map(|n| 20_000 + (u16::try_from(std::process::id() % 200).unwrap() + n) % 200 * 50);
    let mut addresses = places.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let main = addresses.find(|address| TcpListener::bind(address).is_ok()).unwrap();
    let ports = format!("{}-{}", main.port() + 1, main.port() + 40);
    let spawn = || {
        let mut invoker = command();
        invoker.args(["invoker", "--listen", &main.to_string(), "--ports", &ports]);
        Server::spawn(invoker)
    };
    let mut server = spawn();
    for _ in 0..3 {
        let mut containers = Vec::new();
        for _ in 0..5 {
            let json = server.post("/start", "").json();
            let port = u16::try_from(json["port"].as_u64().unwrap()).unwrap();
            let address = SocketAddr::new(main.ip(), port);
            let mut open = Client::connect(address);
            assert_eq!(open.post("/init", &init_body(&guests::sleeps(60_000))).status, 200);
            // The server closes this one first: its end stays in TIME_WAIT.
            let mut closed = Client::connect(address);
            closed.send(b"POST /run HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{");
            assert_eq!(closed.receive().unwrap().status, 400);
            assert_eq!(closed.receive(), None);
            open.send(&request("/run", &run_body("{}")));
            containers.push(open);
        }
        server.signal("KILL");
        assert!(!server.wait().success());
        for mut open in containers {
            assert_eq!(open.receive(), None, "the kernel closes for it");
        }
        server = spawn();
        assert_eq!(server.address, main);
    }
    assert_eq!(server.post("/again/init", &init_body(&guests::echo())).status, 200);
    assert_eq!(server.post("/again/run", r#"{"value":[1]}"#).body, "[1]");
}

#[test]
fn without_descriptors_clients_wait_and_nothing_spins() {
    if is_skipped_for_emulation() {
        return;
    }
    const LIMIT: usize = 64;
    let server = Server::spawn(limited(&format!("ulimit -n {LIMIT}"), "action", &[]));
    server.init(&guests::echo());
    // Connections that are idle give way to others.
    let mut idle: Vec<Client> = (0..2 * LIMIT)
        .map(|_| {
            let mut client = server.client();
            assert_eq!(client.post("/run", &run_body("{}")).status, 200);
            client
        })
        .collect();
    assert_eq!(idle.last_mut().unwrap().post("/run", &run_body("{}")).status, 200);
    drop(idle);
    // Those that are not, do not.
    let busy: Vec<Client> = (0..2 * LIMIT)
        .map(|_| {
            let mut client = server.client();
            client.send(BEGINNING);
            client
        })
        .collect();
    until("it takes what it can get", || server.descriptors() >= LIMIT);
    let mut waiting = server.client();
    waiting.send(&request("/run", &run_body(r#"{"a":2}"#)));
    let before = server.processor_time();
    assert_waits(&waiting, Duration::from_secs(2));
    let used = server.processor_time() - before;
    println!("two seconds without a descriptor took {used:?} of processor time");
    assert!(used < Duration::from_millis(500), "it spins: {used:?}");
    let complaints = server.stderr.text().matches("cannot accept").count();
    assert!((1..=4).contains(&complaints), "told now and then: {complaints}");
    drop(busy);
    assert_eq!(waiting.receive().unwrap().body, r#"{"a":2}"#);
    assert_well(&server);
}

#[test]
fn ports_leave_descriptors_for_connections() {
    if is_skipped_for_emulation() {
        return;
    }
    let server = Server::spawn(limited("ulimit -n 128", "invoker", &["--max-containers", "1000"]));
    let mut control = server.client();
    for _ in 0..200 {
        assert_eq!(control.post("/start", "").status, 200, "the longest idle one gives way");
    }
    // Several clients at once.
    let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&request(&format!("/c{number}/init"), &init_body(&guests::sleeps(500))));
        assert_eq!(client.receive().unwrap().status, 200);
        client.send(&request(&format!("/c{number}/run"), &run_body("{}")));
    }
    assert_eq!(control.post("/start", "").status, 200);
    for client in &mut clients {
        assert_eq!(client.receive().unwrap().body, r#"{"slept":true}"#);
    }
}

#[test]
fn without_threads_the_pool_goes_on_with_those_that_it_has() {
    const OTHER_PROCESSES: usize = 4;
    if is_skipped_for_emulation() {
        return;
    }
    // The limit is one of users, and does not bind root: a user that has nothing else.
    let user = format!("--reuid={}", 1_000_000 + std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("executor");
    std::fs::copy(command().get_program(), &program).unwrap();
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), readable).unwrap();
    let probe = ["--clear-groups", &user, program.to_str().unwrap(), "--version"].map(OsStr::new);
    if !can("setpriv", &probe, "to become another user") {
        return;
    }
    let as_user = || {
        let mut command = Command::new("setpriv");
        command.args(["--clear-groups", &user]);
        command
    };
    let mut others: Vec<Child> = (0..OTHER_PROCESSES)
        .map(|_| as_user().args(["sleep", "1000"]).spawn().unwrap())
        .collect();
    // Its main thread, the watchdog, and four workers.
    let mut limited = as_user();
    limited
        .args(["prlimit", &format!("--nproc={}", OTHER_PROCESSES + 6)])
        .arg(&program)
        .args(["invoker", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(limited);
    for (path, milliseconds) in [("/quick/init", 100), ("/slow/init", 600_000)] {
        assert_eq!(server.post(path, &init_body(&guests::sleeps(milliseconds))).status, 200);
    }
    let all_at_once = || {
        let mut clients: Vec<Client> = (0..12).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send(&request("/quick/run", &run_body("{}")));
        }
        for client in &mut clients {
            assert_eq!(client.receive().unwrap().body, r#"{"slept":true}"#);
        }
    };
    all_at_once();
    assert_eq!(server.threads(), Some(6), "all that it may have");
    assert!(server.stderr.text().contains("cannot start a worker"), "it tells");
    // All workers are held; then there may be more threads, and one is started although no worker is free to do it.
    let held: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = server.client();
            client.send(&request("/slow/run", &run_body("{}")));
            client
        })
        .collect();
    let mut waiting = server.client();
    waiting.send(&request("/quick/run", &run_body("{}")));
    assert_waits(&waiting, Duration::from_millis(300));
    for other in &mut others {
        other.kill().unwrap();
        other.wait().unwrap();
    }
    assert_eq!(waiting.receive().unwrap().body, r#"{"slept":true}"#);
    drop(held);
    all_at_once();
}

/// A module of this length, as a zip of a few KiB.
fn deflated_module(len: usize) -> Vec<u8> {
    let mut writer = zip::write::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_level(Some(1));
    writer.start_file("module.wasm", options).unwrap();
    writer.write_all(b"\0asm\x01\0\0\0").unwrap();
    writer.write_all(&vec![0; len - 8]).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn without_memory_there_are_errors_and_no_end() {
    if is_skipped_for_emulation() {
        return;
    }
    // Address space: it ends earlier than memory does, and every allocation may fail.
    for limit_kib in [128 * 1024, 256 * 1024] {
        let server = Server::spawn(limited(&format!("ulimit -v {limit_kib}"), "invoker", &[]));
        let inflates = init_body(&deflated_module(16 << 20));
        let grows = init_body(&guests::grows());
        let small = init_body(&guests::echo());
        let long = "x".repeat(8 << 20);
        let statuses: Vec<(u16, String)> = thread::scope(|scope| {
            let clients: Vec<_> = (0..12)
                .map(|number| {
                    let (server, inflates, grows, small, long) = (&server, &inflates, &grows, &small, &long);
                    scope.spawn(move || {
                        let mut replies = Vec::new();
                        for round in 0..3 {
                            let at = |command: &str| format!("/c{number}-{round}/{command}");
                            let body = match (number + round) % 4 {
                                0 => inflates,
                                1 => grows,
                                2 => long,
                                _ => small,
                            };
                            for (path, body) in [(at("init"), body.as_str()), (at("run"), &run_body("[1]"))] {
                                replies.push(try_post(server.address, &path, body));
                            }
                        }
                        replies
                    })
                })
                .collect();
            let replies = clients.into_iter().flat_map(|client| client.join().unwrap());
            replies.map(|reply| (reply.status, reply.body)).collect()
        });
        let mut counted = std::collections::BTreeMap::new();
        for (status, body) in &statuses {
            assert!(
                matches!(status, 200 | 400 | 403 | 404 | 413 | 500 | 502),
                "{status}: {body}"
            );
            *counted.entry(*status).or_insert(0) += 1;
        }
        println!("{limit_kib} KiB: {counted:?}");
        assert!(
            counted.keys().any(|status| *status >= 500),
            "nothing was short: {counted:?}"
        );
        // Those whose clients have gone leave: then there is room again.
        until("it serves again", || {
            let init = try_post(server.address, "/last/init", &init_body(&guests::echo()));
            matches!(init.status, 200 | 403)
                && try_post(server.address, "/last/run", &run_body(r#"{"a":1}"#)).body == r#"{"a":1}"#
        });
    }
}

/// A client that reads the reply even if the server has refused to read all of the request.
fn try_post(address: SocketAddr, path: &str, body: &str) -> Response {
    let mut client = Client::connect(address);
    let mut stream = client.stream();
    // Refused: the rest is not wanted.
    let _ = stream.write_all(&request(path, body));
    client.receive().expect("a reply")
}

#[test]
fn a_full_disk_is_the_guests_matter() {
    if is_skipped_for_emulation() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let probe = ["-m", "mount", "-t", "tmpfs", "none", path].map(OsStr::new);
    if !can("unshare", &probe, "to mount a file system") {
        return;
    }
    let mount = format!("mount -t tmpfs -o size=256k none {path}");
    let mut limited = limited(&mount, "action", &["--allow-dir", path]);
    let arguments: Vec<_> = [limited.get_program()]
        .into_iter()
        .chain(limited.get_args())
        .map(OsStr::to_owned)
        .collect();
    limited = Command::new("unshare");
    limited.arg("-m").args(arguments);
    fills(&Server::spawn(limited), 51);
}

#[test]
fn a_limit_of_file_sizes_is_the_guests_matter() {
    if is_skipped_for_emulation() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let server = Server::spawn(limited("ulimit -f 256", "action", &["--allow-dir", path]));
    fills(&server, 22);
}

/// A guest fills what there is, and is told why it ends (WASI's `errno`).
fn fills(server: &Server, errno: u32) {
    server.init(&guests::fills_a_file());
    for _ in 0..3 {
        let answer = server.post("/run", &run_body("{}")).body;
        assert_eq!(answer, format!("{{\"errno\":{errno}}}"));
    }
}

#[test]
fn a_closed_or_full_standard_output_is_survived() {
    for redirection in [">&-", ">/dev/full", ">/dev/full 2>&1 2>&3"] {
        let mut limited = limited(&format!("exec 3>&2; exec {redirection}"), "action", &[]);
        limited.stdin(Stdio::null());
        let server = Server::spawn(limited);
        server.init(&guests::prints("out\n", "err\n"));
        for _ in 0..20 {
            assert_eq!(server.post("/run", &run_body("{}")).body, "{}", "{redirection}");
        }
    }
}

/// A server whose output nobody reads, once it has said where it listens.
struct Unread {
    child: Child,
    address: SocketAddr,
    readers: [PipeReader; 2],
}

impl Unread {
    fn start(options: &[&str]) -> Self {
        let (stdout, stdout_writer) = std::io::pipe().unwrap();
        let (stderr, stderr_writer) = std::io::pipe().unwrap();
        let child = command()
            .args(["action", "--listen", "127.0.0.1:0"])
            .args(options)
            .stdout(stdout_writer)
            .stderr(stderr_writer)
            .spawn()
            .unwrap();
        // Byte by byte, so that no more is read.
        let mut lines = BufReader::with_capacity(1, stderr);
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0);
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.trim().parse().unwrap();
            }
        };
        Unread {
            child,
            address,
            readers: [stdout, lines.into_inner()],
        }
    }

    /// So many runs from each of several clients.
    fn run(&self, count: usize) {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = Client::connect(self.address);
                    for _ in 0..count {
                        assert_eq!(client.post("/run", &run_body("{}")).body, "{}");
                    }
                });
            }
        });
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn output_that_nobody_reads_holds_up_nobody() {
    let mut server = Unread::start(&["--log", "trace"]);
    let text = "x".repeat(1000);
    let init = Client::connect(server.address).post("/init", &init_body(&guests::prints(&text, &text)));
    assert_eq!(init.status, 200);
    // Far more than what fits into pipes.
    let before = Instant::now();
    server.run(200);
    println!("800 runs whose output nobody read took {:?}", before.elapsed());
    // The reader goes on, and gets whole activations again.
    let mut stdout = server.readers[0].try_clone().unwrap();
    let mut taken = vec![0; 1 << 20];
    assert!(stdout.read(&mut taken).unwrap() > 4096);
    let end = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut all = String::new();
            let mut lines = BufReader::new(stdout);
            while all.matches(common::SENTINEL).count() < 4 {
                assert!(lines.read_line(&mut all).unwrap() > 0);
            }
            all
        });
        server.run(2);
        reader.join().unwrap()
    });
    assert!(end.contains(&format!("{text}\n{}\n", common::SENTINEL)), "{end}");
    // Now it has gone for good.
    let gone = std::io::pipe().unwrap().0;
    server.readers = [gone.try_clone().unwrap(), gone];
    server.run(5);
}

/// What a client says to an invoker in a container's life, and all that it is told.
fn conversation(id: &str) -> Vec<u8> {
    [
        request("/start", ""),
        request(&format!("/{id}/init"), &init_body(&guests::answers("[1]"))),
        request(&format!("/{id}/run"), r#"{"value":{}}"#),
        request(&format!("/{id}/destroy"), ""),
    ]
    .concat()
}

#[test]
fn a_client_may_break_off_at_every_byte() {
    let server = Server::invoker(&["--max-containers", "16"]);
    let whole = conversation("whole");
    let replies_len = |id: &str| {
        let mut client = server.client();
        client.send(&conversation(id));
        let replies: Vec<Response> = (0..4).map(|_| client.receive().unwrap()).collect();
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses, [200; 4], "{replies:?}");
        replies
            .iter()
            .map(|reply| reply.head.len() + reply.body.len())
            .sum::<usize>()
    };
    let len = replies_len("whole");
    let (descriptors, before) = (server.descriptors(), Instant::now());
    for is_reset in [false, true] {
        for end in 0..=whole.len() {
            let mut client = server.client();
            client.send(&whole[..end]);
            if is_reset {
                reset(&client);
            } else if end % 2 == 1 {
                client.stream().shutdown(Shutdown::Write).unwrap();
            }
        }
        for end in 0..=len {
            let mut client = server.client();
            client.send(&whole);
            // The container may be there from another client, so that replies are other ones, and shorter.
            client.stream().shutdown(Shutdown::Write).unwrap();
            let _ = client.stream().take(end as u64).read_to_end(&mut Vec::new());
            if is_reset {
                reset(&client);
            }
        }
    }
    println!(
        "{} conversations broken off took {:?}",
        2 * (whole.len() + len),
        before.elapsed()
    );
    // Containers that were started hold a port each, 16 at most.
    until("it gives descriptors back", || server.descriptors() <= descriptors + 16);
    server.post("/whole/destroy", "");
    replies_len("whole");
    if let Some(threads) = server.threads() {
        assert!(threads < 100, "{threads} threads");
    }
}

#[test]
fn ten_thousand_connections_are_kept() {
    const WANTED: u64 = 10_000;
    const OTHERS: u64 = 200;
    /// What the server may keep for a connection that is idle; the kernel keeps its own.
    const EACH_MAX_BYTES: u64 = 1024;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).saturating_sub(OTHERS);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if is_emulated() || setrlimit(Resource::Nofile, raised).is_err() || most < 100 {
        eprintln!("skipped: emulated, or {most} descriptors only");
        return;
    }
    let count = usize::try_from(WANTED.min(most)).unwrap();
    if most < WANTED {
        eprintln!("{count} connections only: the limit of descriptors");
    }
    let server = Server::action(&["--connections-max", "16384"]);
    server.init(&guests::echo());
    assert_well(&server);
    let since = Instant::now();
    let body = request("/run", r#"{"value":{"a":1}}"#);
    let exchange = |clients: &mut [Client]| {
        for batch in clients.chunks_mut(100) {
            for client in &mut *batch {
                client.send(&body);
            }
            for client in batch {
                assert_eq!(client.receive().unwrap().body, r#"{"a":1}"#);
            }
        }
    };
    // As many threads as it will have: they take more than connections do.
    let mut batch: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for _ in 0..10 {
        exchange(&mut batch);
    }
    drop(batch);
    let before = server.resident_kib().unwrap();
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let mut batch: Vec<Client> = (0..100).map(|_| server.client()).collect();
        exchange(&mut batch);
        clients.append(&mut batch);
    }
    // All but those that a worker waits for are parked.
    assert!(server.descriptors() > count);
    let after = server.resident_kib().unwrap();
    let each = after.saturating_sub(before) * 1024 / count as u64;
    let threads = server.threads().unwrap();
    println!(
        "{count} connections: {each} bytes each, {threads} threads, opened in {:?}",
        since.elapsed()
    );
    assert!(
        each <= EACH_MAX_BYTES,
        "{each} bytes each: {before} KiB, then {after} KiB"
    );
    assert!(threads <= 256 + 2, "{threads} threads");
    if since.elapsed() > Duration::from_secs(50) {
        eprintln!("not all: this machine is so slow that the first may have been closed for having been idle");
        clients.drain(..count / 2);
    }
    exchange(&mut clients);
    println!("each answers again after {:?}", since.elapsed());
    for client in &clients {
        reset(client);
    }
    drop(clients);
    until("they are closed", || server.descriptors() < 100);
    assert_well(&server);
}
