//! Runs that do not end by themselves: the deadline, the node's maximum, and clients that go.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use common::{Response, SENTINEL, Server, command, guests, init_body, request, run_body, run_body_within};

/// What a stop may take beyond the limit before a test fails: far more than what it takes, for a machine that is busy with
/// other tests.
const PATIENCE: Duration = Duration::from_secs(5);

const ENDLESS: &str = r#"{"endless":true}"#;

/// The limit that a reply tells, in milliseconds.
fn limit_ms(response: &Response) -> u64 {
    assert_eq!(response.status, 502, "{}", response.body);
    let error = response.error();
    error
        .strip_prefix("The action exceeded its time limits of ")
        .and_then(|rest| rest.strip_suffix(" milliseconds."))
        .and_then(|limit| limit.parse().ok())
        .unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn a_run_ends_at_its_deadline_and_the_next_is_fine() {
    let server = Server::action(&[]);
    server.init(&guests::endless());
    let mut client = server.client();
    for _ in 0..3 {
        let (timeout, before) = (Duration::from_millis(150), Instant::now());
        let response = client.post("/run", &run_body_within(ENDLESS, timeout));
        let took = before.elapsed();
        println!("a deadline of 150 ms: the reply came after {took:?}");
        // A board has a clock of its own, which may be a few milliseconds behind this machine's.
        assert!((100..=160).contains(&limit_ms(&response)), "{}", response.body);
        assert!(took < timeout + PATIENCE, "{took:?}");
        assert_eq!(client.post("/run", &run_body("{}")).body, "{}");
    }
    server
        .stdout
        .wait_until("six sentinels", |text| text.matches(SENTINEL).count() == 6);
}

#[test]
fn a_deadline_that_is_over_is_told_at_once() {
    let server = Server::action(&[]);
    server.init(&guests::endless());
    for deadline in ["\"0\"", "1700000000000"] {
        let body = format!(r#"{{"value":{ENDLESS},"deadline":{deadline}}}"#);
        assert_eq!(limit_ms(&server.post("/run", &body)), 0);
    }
    assert_eq!(server.post("/run", &run_body("{}")).body, "{}");
}

#[test]
fn a_run_ends_at_the_nodes_maximum() {
    let server = Server::invoker(&["--run-seconds-max", "1"]);
    server.post("/a/init", &init_body(&guests::endless()));
    let before = Instant::now();
    assert_eq!(
        limit_ms(&server.post("/a/run", &format!(r#"{{"value":{ENDLESS}}}"#))),
        1000
    );
    // An earlier deadline counts, a later one does not.
    assert_eq!(limit_ms(&server.post("/a/run", &run_body(ENDLESS))), 1000);
    assert!(before.elapsed() >= Duration::from_secs(2));
    assert!(limit_ms(&server.post("/a/run", &run_body_within(ENDLESS, Duration::from_millis(100)))) <= 100);
}

#[test]
fn a_sleep_ends_at_the_deadline() {
    let server = Server::action(&[]);
    server.init(&guests::sleeps(3_600_000));
    let before = Instant::now();
    limit_ms(&server.post("/run", &run_body_within("{}", Duration::from_millis(100))));
    println!(
        "a sleep with a deadline of 100 ms: the reply came after {:?}",
        before.elapsed()
    );
    assert!(before.elapsed() < PATIENCE);
}

#[test]
fn an_endless_start_function_holds_up_nobody() {
    let server = Server::action(&[]);
    let mut client = server.client();
    assert_eq!(
        client.post("/init", &init_body(&guests::endless_at_start())).status,
        200
    );
    // The worker that has served this client's /init makes an instance ready: the next request ends that.
    let before = Instant::now();
    limit_ms(&client.post("/run", &run_body_within("{}", Duration::from_millis(100))));
    println!(
        "a start function with a deadline of 100 ms: the reply came after {:?}",
        before.elapsed()
    );
    assert!(before.elapsed() < PATIENCE);
}

#[test]
fn a_client_that_goes_frees_its_worker() {
    let server = Server::action(&["--threads-max", "2"]);
    server.init(&guests::endless());
    for reset in [false, true, false] {
        let mut clients: Vec<_> = (0..2).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send(&request("/run", &run_body(ENDLESS)));
        }
        // When both workers have taken one, a third client has to wait, but not for long after they have gone.
        let mut third = server.client();
        loop {
            third.send(&request("/run", &run_body("{}")));
            third
                .stream()
                .set_read_timeout(Some(Duration::from_millis(100)))
                .unwrap();
            if third.stream().peek(&mut [0]).is_err() {
                break;
            }
            // It has overtaken one of them.
            third.stream().set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(third.receive().unwrap().body, "{}");
        }
        for client in &clients {
            if reset {
                rustix::net::sockopt::set_socket_linger(client.stream(), Some(Duration::ZERO)).unwrap();
            }
        }
        let before = Instant::now();
        drop(clients);
        third.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(third.receive().unwrap().body, "{}");
        println!("clients have gone: a worker was free after {:?}", before.elapsed());
    }
}

#[test]
fn half_a_close_is_a_close() {
    let server = Server::action(&[]);
    server.init(&guests::endless());
    let mut client = server.client();
    client.send(&request("/run", &run_body(ENDLESS)));
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive(), None, "there is no reply");
    // A short run is answered all the same.
    let mut client = server.client();
    client.send(&request("/run", &run_body("{}")));
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive().unwrap().body, "{}");
}

#[test]
fn many_endless_guests_end_at_once() {
    const GUESTS: usize = 64;
    let server = Server::action(&[]);
    server.init(&guests::endless());
    let timeout = Duration::from_millis(500);
    let before = Instant::now();
    let took = thread::scope(|scope| {
        let runs: Vec<_> = (0..GUESTS)
            .map(|_| {
                scope.spawn(|| {
                    limit_ms(&server.post("/run", &run_body_within(ENDLESS, timeout)));
                    before.elapsed()
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).max().unwrap()
    });
    println!("{GUESTS} guests with a deadline of 500 ms: the last reply came after {took:?}");
    assert!(took < timeout + PATIENCE * 2, "{took:?}");
    assert_eq!(server.post("/run", &run_body("{}")).body, "{}");
}

#[test]
fn the_command_ends_an_activation() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("endless.wasm");
    std::fs::write(&module, guests::endless()).unwrap();
    let output = command()
        .args(["run", "--run-seconds-max", "1"])
        .arg(&module)
        .arg(ENDLESS)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let result = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        result.trim_end(),
        r#"{"error":"The action exceeded its time limits of 1000 milliseconds."}"#
    );
}
