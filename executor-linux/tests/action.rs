//! `action`: OpenWhisk's action interface, over sockets.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, Response, SENTINEL, Server, allowance, command, guests, init_body, patience, request, run_body};

const NOT_AN_OBJECT: &str = "The action did not return a dictionary or array.";

#[test]
fn init_is_answered_as_the_contract_says() {
    let server = Server::action(&[]);
    let code = init_body(&guests::echo());
    let missing = "Missing main/no code to execute.";
    for (body, status, error) in [
        ("{}", 403, missing),
        (r#"{"value":{}}"#, 403, missing),
        (r#"{"value":{"code":""}}"#, 403, missing),
        (r#"{"value":{"code":null,"env":null}}"#, 403, missing),
        ("{", 400, "Error unmarshaling request: "),
        ("", 400, "Error unmarshaling request: "),
        ("[1]", 400, "Error unmarshaling request: "),
        (
            r#"{"value":{"code":"!!!!","binary":true}}"#,
            400,
            "cannot decode the request: ",
        ),
        (r#"{"value":{"code":"bm90IGEgbW9kdWxl","binary":true}}"#, 502, ""),
    ] {
        let response = server.post("/init", body);
        assert_eq!(response.status, status, "{body}: {}", response.body);
        assert!(response.error().starts_with(error), "{body}: {}", response.body);
    }
    // A failed /init leaves the container free for another.
    assert_eq!(server.post("/init", &code).status, 200);
    let again = server.post("/init", &code);
    assert_eq!(
        (again.status, again.error().as_str()),
        (403, "Cannot initialize the action more than once.")
    );
    assert_eq!(server.post("/run", &run_body(r#"{"a":1}"#)).body, r#"{"a":1}"#);
}

#[test]
fn a_module_without_an_abi_or_its_main_is_refused() {
    let server = Server::action(&[]);
    let module = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
    assert_eq!(server.post("/init", &init_body(&module)).status, 502);
    let body = init_body(&guests::echo()).replace(r#""main":"main""#, r#""main":"other""#);
    assert_eq!(server.post("/init", &body).status, 502);
    let mut broken = guests::echo();
    broken.truncate(broken.len() - 3);
    assert_eq!(server.post("/init", &init_body(&broken)).status, 502);
    server.init(&guests::echo());
}

#[test]
fn run_is_answered_as_the_contract_says() {
    for (guest, status, body) in [
        (guests::answers(r#"{"result":4}"#), 200, r#"{"result":4}"#),
        (guests::answers("[1,2]"), 200, "[1,2]"),
        (guests::answers(r#"{"error":"sorry"}"#), 200, r#"{"error":"sorry"}"#),
    ] {
        let server = Server::action(&[]);
        assert_eq!(server.post("/run", &run_body("{}")).status, 403, "not initialised");
        server.init(&guest);
        for _ in 0..2 {
            let response = server.post("/run", &run_body("{}"));
            assert_eq!((response.status, response.body.as_str()), (status, body));
        }
    }
    for (guest, error) in [
        (guests::answers("42"), NOT_AN_OBJECT),
        (guests::answers("\"text\""), NOT_AN_OBJECT),
        (guests::answers("{"), ""),
        (guests::does("(i64.const 0)"), NOT_AN_OBJECT),
        (guests::does("unreachable"), ""),
        (
            guests::does("(i64.extend_i32_u (i32.div_u (i32.const 1) (i32.const 0)))"),
            "",
        ),
        (guests::does("(i64.load (i32.const -8))"), ""),
        (guests::does("(i64.const -1)"), ""),
        (guests::recursive(), ""),
    ] {
        let server = Server::action(&[]);
        server.init(&guest);
        for _ in 0..2 {
            let response = server.post("/run", &run_body("{}"));
            assert_eq!(response.status, 502, "{}", response.body);
            assert!(response.error().starts_with(error), "{}", response.body);
        }
    }
}

#[test]
fn the_value_reaches_the_guest() {
    let server = Server::action(&[]);
    server.init(&guests::echo());
    for (body, answer) in [
        ("", "{}"),
        ("null", "{}"),
        ("{}", "{}"),
        (r#"{"value":null}"#, "{}"),
        (r#"{"value":{"a":[1,2,{"b":"é\n"}]}}"#, r#"{"a":[1,2,{"b":"é\n"}]}"#),
        (r#"{"value":[1,"two"]}"#, r#"[1,"two"]"#),
    ] {
        let response = server.post("/run", body);
        assert_eq!((response.status, response.body.as_str()), (200, answer), "{body}");
    }
    let scalar = server.post("/run", &run_body("42"));
    let error = "The action did not receive a dictionary or array as an argument.";
    assert_eq!((scalar.status, scalar.error().as_str()), (404, error));
    assert_eq!(server.post("/run", "{").status, 400);
    // The contract's large echo: 5 bytes below the limit.
    let value = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_048_571 - 11));
    assert_eq!(value.len(), 1_048_571);
    assert!(server.post("/run", &run_body(&value)).body == value);
}

#[test]
fn each_run_sees_a_fresh_instance() {
    let server = Server::action(&[]);
    server.init(&guests::counter());
    let mut client = server.client();
    for _ in 0..20 {
        assert_eq!(client.post("/run", "{}").body, r#"{"n":2}"#);
    }
}

#[test]
fn other_paths_and_methods_are_errors() {
    let server = Server::action(&[]);
    assert_eq!(server.post("/", "{}").status, 404);
    assert_eq!(server.post("/start", "").status, 404);
    let mut client = server.client();
    client.send(b"GET /run HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive().unwrap().status, 405);
    assert_eq!(
        client.post("/nothing", "{}").status,
        404,
        "the connection is still of use"
    );
}

#[test]
fn connections_are_kept_or_not_and_requests_come_in_pieces() {
    let server = Server::action(&[]);
    server.init(&guests::echo());
    // One connection per request, as OpenWhisk's invoker does.
    for _ in 0..50 {
        assert_eq!(server.post("/run", &run_body(r#"{"new":1}"#)).body, r#"{"new":1}"#);
    }
    // One connection for all.
    let mut client = server.client();
    for _ in 0..50 {
        assert_eq!(client.post("/run", &run_body(r#"{"kept":1}"#)).body, r#"{"kept":1}"#);
    }
    // Several requests ahead of the replies.
    let several: Vec<u8> = (0..20)
        .flat_map(|n| request("/run", &run_body(&format!(r#"{{"n":{n}}}"#))))
        .collect();
    client.send(&several);
    for n in 0..20 {
        assert_eq!(client.receive().unwrap().body, format!(r#"{{"n":{n}}}"#));
    }
    // Byte by byte.
    for byte in request("/run", r#"{"value":{"slow":1}}"#) {
        client.send(&[byte]);
    }
    assert_eq!(client.receive().unwrap().body, r#"{"slow":1}"#);
    // At the client's wish.
    client.send(b"POST /run HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(client.receive().unwrap().body, "{}");
    assert_eq!(client.receive(), None);
}

#[test]
fn garbage_is_refused_and_survived() {
    let server = Server::action(&[]);
    server.init(&guests::echo());
    let long = [
        b"POST /run HTTP/1.1\r\nHost: x\r\nX: ".as_slice(),
        &vec![b'x'; 100_000],
        b"\r\n\r\n",
    ]
    .concat();
    for (garbage, status) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(), 400),
        (b"hello\r\n\r\n", 400),
        (b"POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            400,
        ),
        (
            b"POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
            413,
        ),
        (&long, 431),
    ] {
        let mut client = server.client();
        client.send(garbage);
        let response = client.receive().expect("an answer");
        assert_eq!(
            response.status,
            status,
            "{:?}: {}",
            String::from_utf8_lossy(garbage),
            response.body
        );
        assert!(!response.error().is_empty());
    }
    // Those that leave at any moment: a health check, half a head, half a body, no wait for the reply.
    let whole = request("/run", &run_body("{}"));
    for len in [0, 1, 20, whole.len() - 1, whole.len()] {
        let mut client = server.client();
        client.send(&whole[..len]);
        drop(client);
        let mut client = server.client();
        client.send(&whole[..len]);
        client.stream().shutdown(Shutdown::Write).unwrap();
        let _: Option<Response> = client.receive();
    }
    assert_eq!(server.post("/run", &run_body("{}")).status, 200);
}

#[test]
fn sentinels_end_each_activation_and_nothing_else() {
    let mut server = Server::action(&[]);
    server.init(&guests::prints("out\n", "err"));
    for path_and_body in [("/init", init_body(&guests::echo())), ("/nowhere", String::new())] {
        server.post(path_and_body.0, &path_and_body.1);
    }
    for _ in 0..3 {
        assert_eq!(server.post("/run", &run_body("{}")).body, "{}");
    }
    server.signal("TERM");
    assert!(server.wait().success());
    let stdout = server.stdout.whole();
    // The text of a second /init goes to the logs as well, without a sentinel.
    let stdout: Vec<&str> = stdout.lines().filter(|line| !line.contains("more than once")).collect();
    assert_eq!(stdout, ["out", SENTINEL].repeat(3));
    let stderr = server.stderr.whole();
    let stderr: Vec<&str> = stderr.lines().filter(|line| [SENTINEL, "err"].contains(line)).collect();
    assert_eq!(stderr, ["err", SENTINEL].repeat(3));
}

#[test]
fn sentinels_end_failed_activations_too() {
    let mut server = Server::action(&[]);
    server.init(&guests::does("unreachable"));
    assert_eq!(server.post("/run", "{}").status, 502);
    server.signal("TERM");
    assert!(server.wait().success());
    assert_eq!(server.stdout.whole().matches(SENTINEL).count(), 1);
    assert_eq!(server.stderr.whole().matches(SENTINEL).count(), 1);
}

#[test]
fn the_environment_is_that_of_process_init_and_run() {
    let mut command = command();
    command.args(["action", "--listen", "127.0.0.1:0"]);
    command.env("__OW_API_HOST", "https://example.org").env("SECRET", "no");
    let server = Server::spawn(command);
    server.init(&guests::prints_environment());
    assert_eq!(server.post("/run", &run_body("{}")).status, 200);
    let text = server.stdout.wait_until("sentinel", |text| text.contains(SENTINEL));
    for variable in [
        "__OW_API_HOST=https://example.org\0",
        "__OW_NAMESPACE=guest\0",
        "__OW_ACTION_NAME=/guest/test\0",
        "__OW_ACTIVATION_ID=0123456789abcdef0123456789abcdef\0",
        "__OW_TRANSACTION_ID=tid\0",
    ] {
        assert!(text.contains(variable), "{variable:?} in {text:?}");
    }
    assert!(!text.contains("SECRET"), "{text:?}");
}

#[test]
fn guests_that_block_do_not_hold_up_each_other() {
    let server = Server::action(&[]);
    server.init(&guests::sleeps(300));
    let since = Instant::now();
    let mut clients: Vec<Client> = (0..64).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send(&request("/run", &run_body("{}")));
    }
    for client in &mut clients {
        assert_eq!(client.receive().unwrap().body, r#"{"slept":true}"#);
    }
    let elapsed = since.elapsed();
    assert!(elapsed >= Duration::from_millis(300));
    // One after the other they would take 19 s. On a quiet machine it is well under 1 s; a busy one gets more.
    assert!(elapsed < allowance(Duration::from_secs(5)), "{elapsed:?}");
}

#[test]
fn idle_connections_hold_no_thread() {
    // Far fewer threads than connections: if one held one, most would get no answer. (How many threads there are without a
    // limit says little: the busier the machine, the more workers are on their way from one connection to the next.)
    let server = Server::action(&["--threads-max", "32"]);
    server.init(&guests::echo());
    let mut clients: Vec<Client> = (0..1000).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.post("/run", "{}").body, "{}");
    }
    assert_eq!(server.post("/run", r#"{"value":{"new":1}}"#).body, r#"{"new":1}"#);
    for client in clients.iter_mut().rev() {
        assert_eq!(client.post("/run", "{}").body, "{}");
    }
}

#[test]
fn stalled_clients_hold_up_nobody() {
    let server = Server::action(&["--threads-max", "64"]);
    server.init(&guests::echo());
    let whole = request("/run", &run_body("{}"));
    let _stalled: Vec<TcpStream> = (0..32)
        .map(|n| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&whole[..whole.len() * n / 32]).unwrap();
            stream
        })
        .collect();
    let since = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.post("/run", &run_body("{}")).status, 200);
    }
    let most = allowance(Duration::from_secs(5)).min(Duration::from_secs(9));
    assert!(since.elapsed() < most, "they are given up after 10 s");
}

/// A server with a run that has begun and sleeps, and the connection that waits for it.
fn with_a_run(milliseconds: u64) -> (Server, Client) {
    let folder = tempfile::tempdir().unwrap();
    let grant = format!("{}::/data", folder.path().display());
    let server = Server::action(&["--log", "info", "--allow-dir", &grant]);
    server.init(&guests::begins_and_sleeps(milliseconds));
    let mut running = server.client();
    running.send(&request("/run", &run_body("{}")));
    let since = Instant::now();
    while !folder.path().join("begun").exists() {
        assert!(since.elapsed() < patience(), "the run does not begin");
        thread::yield_now();
    }
    (server, running)
}

#[test]
fn sigterm_drains() {
    // Long enough for all that is done while it runs.
    let milliseconds = allowance(Duration::from_millis(600)).as_millis();
    let (mut server, mut running) = with_a_run(u64::try_from(milliseconds).unwrap());
    let mut kept = server.client();
    assert_eq!(kept.post("/nothing", "").status, 404);
    server.signal("TERM");
    server
        .stderr
        .wait_until("notice of the drain", |text| text.contains("draining"));
    assert_eq!(kept.post("/run", &run_body("{}")).status, 503);
    assert_eq!(server.post("/run", &run_body("{}")).status, 503);
    assert_eq!(running.receive().unwrap().body, r#"{"slept":true}"#);
    assert!(server.wait().success());
    assert_eq!(server.stdout.whole().matches(SENTINEL).count(), 1);
}

#[test]
fn a_second_signal_or_the_end_of_patience_ends_the_process_at_once() {
    let (mut server, _running) = with_a_run(20_000);
    server.signal("INT");
    server
        .stderr
        .wait_until("notice of the drain", |text| text.contains("draining"));
    server.signal("TERM");
    assert!(!server.wait().success());

    let mut server = Server::action(&["--drain-seconds", "0"]);
    server.init(&guests::sleeps(20_000));
    let mut running = server.client();
    running.send(&request("/run", &run_body("{}")));
    assert_eq!(server.client().post("/nothing", "").status, 404);
    server.signal("TERM");
    server.wait();
}

#[test]
fn concurrent_activations_do_not_mix_their_logs() {
    let mut server = Server::action(&[]);
    let text: String = (0..200).map(|n| format!("line {n}\n")).collect::<String>();
    server.init(&guests::prints(&text[..1000], ""));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.client();
                for _ in 0..20 {
                    assert_eq!(client.post("/run", "{}").body, "{}");
                }
            });
        }
    });
    server.signal("TERM");
    assert!(server.wait().success());
    let stdout = server.stdout.whole();
    let activations: Vec<&str> = stdout.split_terminator(&format!("{SENTINEL}\n")).collect();
    assert_eq!(activations.len(), 160);
    for activation in activations {
        assert_eq!(activation.trim_end(), text[..1000].trim_end());
    }
}
