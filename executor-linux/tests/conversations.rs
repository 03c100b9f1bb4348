//! Long conversations, with the executor on Linux as with a board that has no operating system: many runs, containers that
//! come and go, several clients at once, and clients that vanish.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::thread;

use common::{Client, SENTINEL, Server, guests, init_body, run_body};

#[test]
fn a_thousand_runs_on_one_connection() {
    let server = Server::action(&[]);
    server.init(&guests::echo());
    let mut client = server.client();
    for number in 0..1000 {
        let value = format!(r#"{{"number":{number}}}"#);
        let response = client.post("/run", &run_body(&value));
        assert_eq!((response.status, response.body), (200, value));
    }
}

/// What is taken after some cycles is taken after many.
#[test]
fn two_hundred_containers_come_and_go_and_leave_nothing() {
    let server = Server::invoker(&[]);
    let module = init_body(&guests::grows_once());
    let cycle = |number: u32| {
        let post = |command: &str, body: &str| server.post(&format!("/c{}/{command}", number % 7), body);
        assert_eq!(post("init", &module).status, 200, "{number}");
        let response = post("run", &run_body("{}"));
        assert_eq!((response.status, response.body.as_str()), (200, "[0]"), "{number}");
        assert_eq!(post("destroy", "").status, 200);
    };
    (0..20).for_each(cycle);
    let before = server.memory_bytes();
    (20..200).for_each(cycle);
    let after = server.memory_bytes();
    if let (Some(before), Some(after)) = (before, after) {
        if server.board_status().is_some() {
            // To the byte, where there is nothing but the executor.
            assert_eq!(before, after);
        }
        // Of a process: the last instance may be on its way out.
        assert!(
            after <= before + 2 * 1024 * 1024,
            "{before} bytes before, {after} after"
        );
    }
}

#[test]
fn several_clients_at_once_get_what_is_theirs() {
    let server = Server::invoker(&[]);
    thread::scope(|scope| {
        for client in 0..6 {
            let server = &server;
            scope.spawn(move || {
                assert_eq!(
                    server
                        .post(&format!("/s{client}/init"), &init_body(&guests::echo()))
                        .status,
                    200
                );
                let mut connection = server.client();
                for run in 0..50 {
                    let value = format!(r#"{{"client":{client},"run":{run}}}"#);
                    let response = connection.post(&format!("/s{client}/run"), &run_body(&value));
                    assert_eq!((response.status, response.body), (200, value));
                }
            });
        }
    });
}

/// More at once than a board has sockets: who finds none free is served later, and is not refused.
#[test]
fn a_crowd_is_served_to_the_last() {
    let server = Server::action(&[]);
    server.init(&guests::echo());
    let value = |client: usize| format!(r#"{{"client":{client}}}"#);
    // One after the other: what stands before an emulated board takes few connections at once.
    let crowd: Vec<Client> = (0..20)
        .map(|client| {
            let mut connection = server.client();
            connection.send(&common::request("/run", &run_body(&value(client))));
            connection
        })
        .collect();
    for (client, mut connection) in crowd.into_iter().enumerate() {
        let response = connection.receive().expect("a reply");
        assert_eq!((response.status, response.body), (200, value(client)));
    }
}

/// Within a head, within a body, and while its action runs.
#[test]
fn clients_that_vanish_hurt_nobody() {
    let server = Server::action(&[]);
    server.init(&guests::endless());
    for beginning in [
        "POST /run HTT",
        "POST /run HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"va",
        "POST /run HTTP/1.1\r\nContent-Length: 23\r\n\r\n{\"value\":{\"for\":\"ever\"}}",
    ] {
        for _ in 0..5 {
            let mut client = Client::connect(server.address);
            client.send(beginning.as_bytes());
            drop(client);
            let response = server.post("/run", &run_body("{}"));
            assert_eq!((response.status, response.body.as_str()), (200, "{}"), "{beginning}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_the_next_is_fine() {
    let server = Server::invoker(&[]);
    // No module, and longer than a board has memory.
    let too_long = "x".repeat(40 << 20);
    let response = server.client().post_if_open("/long/init", &too_long);
    assert!(response.is_none_or(|response| [400, 413, 500].contains(&response.status)));
    let response = server.client().post_if_open("/long/run", &"x".repeat(2 << 20));
    assert!(response.is_none_or(|response| [404, 413].contains(&response.status)));
    // It asks for more memory than any node gives.
    let hungry = wat::parse_str(
        r#"(module (memory (export "memory") 65535)
             (func (export "ow_allocate") (param i32) (result i32) (i32.const 16))
             (func (export "ow_run") (param i32 i32) (result i64) (i64.const 0)))"#,
    )
    .unwrap();
    assert_eq!(server.post("/hungry/init", &init_body(&hungry)).status, 200);
    let response = server.post("/hungry/run", "{}");
    assert_eq!(response.status, 502, "{}", response.body);
    assert_eq!(server.post("/fine/init", &init_body(&guests::echo())).status, 200);
    assert_eq!(server.post("/fine/run", r#"{"value":{"a":1}}"#).body, r#"{"a":1}"#);
}

/// A guest's calls end at the stack's limit, and the node goes on.
#[test]
fn a_stack_that_overflows_is_a_trap() {
    let server = Server::action(&[]);
    server.init(&guests::recursive());
    for _ in 0..3 {
        let response = server.post("/run", "{}");
        assert_eq!(response.status, 502);
        assert!(response.body.contains("call stack exhausted"), "{}", response.body);
    }
}

#[test]
fn sentinels_end_each_activation_on_both_streams() {
    let server = Server::action(&[]);
    server.init(&guests::prints("out", "err"));
    for _ in 0..2 {
        server.post("/run", "{}");
    }
    for (stream, text) in [(&server.stdout, "out"), (&server.stderr, "err")] {
        let said = stream.wait_until("two sentinels", |said| said.matches(SENTINEL).count() == 2);
        let activation = format!("{text}\n{SENTINEL}\n");
        // The end of the last line may be on its way.
        assert!(said.contains(activation.repeat(2).trim_end()), "{said}");
    }
}
