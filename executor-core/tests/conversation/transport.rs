//! What HTTP does to a conversation: pieces, requests in a row, bodies that are too long or cut off, closing.

use std::sync::atomic::Ordering;

use executor_core::executor::Settings;
use executor_core::openwhisk::Listener;

use crate::client::{INBOX_BYTES, answer, converse, error, init_body, post};
use crate::world::{settings, with_executor};

/// The same requests, in whatever pieces they arrive: the same responses.
#[test]
fn pieces_make_no_difference() {
    let long = format!(r#"{{"value":{{"a":"{}"}}}}"#, "x".repeat(2 * INBOX_BYTES));
    let stream = [
        post("/run", "{}"),
        post("/init", "{"),
        post("/init", &init_body("log")),
        post("/init", &init_body("log")),
        post("/run", r#"{"value":{"a":1}}"#),
        post("/run", &long),
        post("/run", r#"{"value":3}"#),
        post("/nothing", ""),
        post("/run", ""),
    ]
    .concat();
    let mut expected = None;
    for piece in (1..=80).chain((81..stream.len()).step_by(37)).chain([usize::MAX]) {
        with_executor(1, settings(), |executor, world| {
            let listener = Listener::Container(executor.create().unwrap());
            let (responses, unread) = converse(executor, world, listener, &stream, piece);
            let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
            assert_eq!(
                (statuses, unread),
                (vec![403, 400, 200, 403, 200, 200, 404, 404, 200], 0),
                "{piece}"
            );
            // How much room is left for a reply, and so into how many writes a long one is cut, does depend on the pieces.
            let mut events = world.take_events();
            events.retain(|event| event != "write");
            let found = (responses, events);
            assert_eq!(*expected.get_or_insert_with(|| found.clone()), found, "{piece}");
        });
    }
    let (responses, events) = expected.expect("there was one");
    assert_eq!(responses[4].body, r#"{"a":1}"#);
    assert_eq!(responses[5].body.len(), long.len() - r#"{"value":}"#.len());
    let ran = ["ended to stdout\n|to stderr\n", "put back"];
    assert_eq!(events, [&["prepare log"], &ran[..], &ran, &["ended |"], &ran].concat());
}

#[test]
fn an_empty_connection_is_closed_in_silence() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        assert_eq!(converse(executor, world, listener, b"", 1), (Vec::new(), 0));
        // So is one that ends within a head, to which nobody listens.
        assert_eq!(
            converse(executor, world, listener, b"POST /run HTTP/1.1\r\nHo", 7),
            (Vec::new(), 0)
        );
        assert!(world.take_events().is_empty());
    });
}

#[test]
fn a_body_that_is_cut_off_does_nothing() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        assert_eq!(answer(executor, world, listener, "/init", &init_body("echo")).0, 200);
        world.take_events();
        let long = format!(r#"{{"value":{{"a":"{}"}}}}"#, "x".repeat(2 * INBOX_BYTES));
        for request in [
            post("/run", "{}"),
            post("/run", &long),
            post("/init", &init_body("echo")),
        ] {
            for cut in 1..=request.len().min(600) {
                let text = String::from_utf8_lossy(&request);
                let body_len = text.split_once("\r\n\r\n").unwrap().1.len();
                if cut > body_len {
                    break;
                }
                let (responses, _) = converse(executor, world, listener, &request[..request.len() - cut], usize::MAX);
                assert_eq!(responses.len(), 1);
                assert_eq!(responses[0].status, 400);
                assert_eq!(
                    responses[0].body,
                    error("the connection ended within the request's body")
                );
                assert_eq!(world.take_events(), ["write"]);
            }
        }
    });
}

#[test]
fn bodies_that_are_too_long_are_not_read() {
    let settings = Settings {
        init_body_max_bytes: 3000,
        run_body_max_bytes: 2000,
        ..settings()
    };
    with_executor(1, settings, |executor, world| {
        let container = Listener::Container(executor.create().unwrap());
        for (listener, target, max) in [
            (container, "/init", 3000),
            (container, "/run", 2000),
            (Listener::Control, "/a/destroy", INBOX_BYTES),
        ] {
            let padded = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
            assert_ne!(
                answer(executor, world, listener, target, &padded(max)).0,
                413,
                "{target}"
            );
            let (responses, unread) = converse(executor, world, listener, &post(target, &padded(max + 1)), 600);
            assert_eq!(responses.len(), 1);
            assert_eq!(responses[0].status, 413, "{target}");
            let text = match target {
                "/init" => format!(
                    "The bundle is larger than this node takes (an /init of {} > {max} bytes): build it smaller or for \
                     fewer targets, or give the executor a larger memory budget.",
                    max + 1
                ),
                _ => format!("The request's body is too large: {} > {max} bytes.", max + 1),
            };
            assert_eq!(responses[0].body, error(&text));
            assert!(responses[0].head.contains("\r\nConnection: close"));
            assert!(unread > 0 || max < 600, "{target}");
        }
        // A length that no machine has.
        let request = format!("POST /run HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", u64::MAX);
        let (responses, _) = converse(executor, world, container, request.as_bytes(), 600);
        assert_eq!(responses[0].status, 413);
    });
}

#[test]
fn a_body_that_nobody_has_memory_for() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        world.memory.store(100, Ordering::SeqCst);
        let (responses, _) = converse(
            executor,
            world,
            listener,
            &post("/init", &" ".repeat(INBOX_BYTES + 1)),
            600,
        );
        assert_eq!(responses[0].status, 500);
        assert!(responses[0].head.contains("\r\nConnection: close"));
    });
}

/// What is wrong with the head, and what the client gets. After it, the connection is of no more use.
#[test]
fn heads_that_are_refused() {
    let check = |head: &str, status: u16| {
        with_executor(1, settings(), |executor, world| {
            let listener = Listener::Container(executor.create().unwrap());
            let stream = [head.as_bytes(), &post("/run", "")].concat();
            let (responses, _) = converse(executor, world, listener, &stream, usize::MAX);
            assert_eq!(responses.len(), 1, "{head:?}");
            assert_eq!(responses[0].status, status, "{head:?}");
            assert!(responses[0].head.contains("\r\nConnection: close"), "{head:?}");
            let body: serde_json::Value = serde_json::from_str(&responses[0].body).unwrap();
            assert!(body["error"].is_string());
        });
    };
    check("nonsense\r\n\r\n", 400);
    check("POST /run HTTP/1.1\r\n\r\n", 400);
    check(
        "POST /run HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
        400,
    );
    check("POST /run HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    check("POST /run HTTP/1.1\r\nHost: a\r\nExpect: much\r\n\r\n", 417);
    check(
        &format!(
            "POST /run HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(INBOX_BYTES)
        ),
        431,
    );
    check("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 404);
}

#[test]
fn connections_stay_open_as_the_client_wants() {
    let check = |line: &str, fields: &str, expected: usize, field: Option<&str>| {
        with_executor(1, settings(), |executor, world| {
            let listener = Listener::Container(executor.create().unwrap());
            let one = format!("POST /run {line}\r\nHost: a\r\n{fields}\r\n");
            let (responses, _) = converse(executor, world, listener, one.repeat(2).as_bytes(), usize::MAX);
            assert_eq!(responses.len(), expected, "{one}");
            let found = responses[0]
                .head
                .split("\r\n")
                .find(|line| line.starts_with("Connection"));
            assert_eq!(found, field, "{one}");
        });
    };
    check("HTTP/1.1", "", 2, None);
    check("HTTP/1.1", "Connection: close\r\n", 1, Some("Connection: close"));
    check("HTTP/1.0", "", 1, Some("Connection: close"));
    check(
        "HTTP/1.0",
        "Connection: keep-alive\r\n",
        2,
        Some("Connection: keep-alive"),
    );
}

#[test]
fn a_client_that_waits_is_told_to_continue_or_why_not() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        let body = init_body("echo");
        let head = |len: usize| {
            format!("POST /init HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {len}\r\n\r\n")
        };
        // The head alone is in the first piece.
        let request = head(body.len()) + &body;
        let (responses, _) = converse(executor, world, listener, request.as_bytes(), head(body.len()).len());
        let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [100, 200]);
        let (responses, _) = converse(executor, world, listener, head(1 << 30).as_bytes(), usize::MAX);
        let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [413]);
        world.draining.store(true, Ordering::SeqCst);
        let (responses, _) = converse(executor, world, listener, head(2).as_bytes(), usize::MAX);
        assert_eq!((responses.len(), responses[0].status), (1, 503));
        assert!(responses[0].head.contains("\r\nConnection: close"));
    });
}
