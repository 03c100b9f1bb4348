//! Bodies in chunks: as others, wherever they end up.

use std::sync::atomic::Ordering;

use executor_core::executor::Settings;
use executor_core::openwhisk::Listener;

use crate::client::{INBOX_BYTES, converse, error, init_body};
use crate::world::{settings, with_executor};

/// A request with this body in chunks of so many bytes.
fn post_chunks(target: &str, fields: &str, body: &str, size: usize) -> Vec<u8> {
    let mut request =
        format!("POST {target} HTTP/1.1\r\nHost: a\r\n{fields}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.as_bytes().chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

/// A body of this length that a `/run` gives back as `["xx…"]`.
fn run_body(len: usize) -> String {
    let around = r#"{"value":[""]}"#.len();
    format!(r#"{{"value":["{}"]}}"#, "x".repeat(len - around))
}

#[test]
fn any_length_in_chunks_of_any_size_arrives() {
    for len in (14..40).chain(INBOX_BYTES - 160..INBOX_BYTES + 20).chain([2000, 5000]) {
        for size in [1, 2, 7, 100, INBOX_BYTES - 1, INBOX_BYTES, INBOX_BYTES + 1, usize::MAX] {
            for piece in [61, 300, usize::MAX] {
                with_executor(1, settings(), |executor, world| {
                    let listener = Listener::Container(executor.create().unwrap());
                    let init = init_body("echo");
                    let padded = init.clone() + &" ".repeat(len.saturating_sub(init.len()));
                    let body = run_body(len);
                    let stream = [
                        post_chunks("/init", "", &padded, size),
                        post_chunks("/run", "", &body, size),
                        post_chunks("/run", "", "", 1),
                    ]
                    .concat();
                    let (responses, unread) = converse(executor, world, listener, &stream, piece);
                    let found: Vec<_> = responses
                        .iter()
                        .map(|response| (response.status, response.body.as_str()))
                        .collect();
                    let value = &body[r#"{"value":"#.len()..body.len() - 1];
                    assert_eq!(
                        (found, unread),
                        (vec![(200, r#"{"ok":true}"#), (200, value), (200, "{}")], 0),
                        "{len} in {size}, {piece} a read"
                    );
                });
            }
        }
    }
}

#[test]
fn the_limits_are_the_same() {
    let settings = Settings {
        init_body_max_bytes: 3000,
        run_body_max_bytes: 2000,
        ..settings()
    };
    for size in [50, 199, 1024, usize::MAX] {
        with_executor(1, settings, |executor, world| {
            let container = Listener::Container(executor.create().unwrap());
            for (listener, target, max) in [
                (container, "/init", 3000),
                (container, "/run", 2000),
                (Listener::Control, "/a/destroy", INBOX_BYTES),
            ] {
                let padded = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
                // No buffer is longer than the limit, whatever the growth.
                world.memory.store(max, Ordering::SeqCst);
                let (responses, unread) = converse(
                    executor,
                    world,
                    listener,
                    &post_chunks(target, "", &padded(max), size),
                    600,
                );
                assert_ne!(responses[0].status, 413, "{target}, {size}");
                assert_ne!(responses[0].status, 500, "{target}, {size}");
                assert_eq!(unread, 0);
                let request = post_chunks(target, "", &padded(max + 1), size);
                let (responses, _) = converse(executor, world, listener, &request, 600);
                assert_eq!((responses.len(), responses[0].status), (1, 413), "{target}, {size}");
                assert!(responses[0].head.contains("\r\nConnection: close"));
                let announced = if size > max { max + 1 } else { (max / size + 1) * size }.min(max + 1);
                let text = format!("{announced} > {max} bytes");
                assert!(responses[0].body.contains(&text), "{text}: {}", responses[0].body);
            }
        });
    }
}

#[test]
fn a_chunk_that_is_too_long_is_refused_when_it_is_announced() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        let limit = executor.settings().run_body_max_bytes;
        for (chunk, status) in [(limit, 400), (limit + 1, 413), (1 << 40, 413)] {
            let request = format!("POST /run HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk:X}\r\n");
            let (responses, _) = converse(executor, world, listener, request.as_bytes(), usize::MAX);
            // The first is cut off by the end of the connection instead.
            assert_eq!(responses[0].status, status, "{chunk}");
        }
    });
}

#[test]
fn chunks_that_nobody_has_memory_for() {
    for size in [50, usize::MAX] {
        with_executor(1, settings(), |executor, world| {
            let listener = Listener::Container(executor.create().unwrap());
            world.memory.store(INBOX_BYTES * 2, Ordering::SeqCst);
            for target in ["/init", "/run"] {
                let request = post_chunks(target, "", &" ".repeat(INBOX_BYTES * 4), size);
                let (responses, _) = converse(executor, world, listener, &request, 600);
                assert_eq!((responses.len(), responses[0].status), (1, 500), "{target}, {size}");
                assert!(responses[0].head.contains("\r\nConnection: close"));
            }
        });
    }
}

#[test]
fn a_body_in_chunks_that_is_cut_off_does_nothing() {
    for body in [run_body(20), run_body(INBOX_BYTES * 3)] {
        with_executor(1, settings(), |executor, world| {
            let listener = Listener::Container(executor.create().unwrap());
            for target in ["/init", "/run"] {
                let request = post_chunks(target, "", &body, 90);
                let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
                for end in head..request.len() {
                    let (responses, _) = converse(executor, world, listener, &request[..end], usize::MAX);
                    let found: Vec<_> = responses
                        .iter()
                        .map(|response| (response.status, &response.body))
                        .collect();
                    assert_eq!(found, [(400, &error("the connection ended within the request's body"))]);
                    assert_eq!(world.take_events(), ["write"]);
                }
            }
        });
    }
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        for (target, body) in [
            ("/init", init_body("echo")),
            ("/run", run_body(700)),
            ("/run", run_body(20)),
        ] {
            let request = post_chunks(target, "Expect: 100-continue\r\n", &body, 300);
            let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
            let (responses, _) = converse(executor, world, listener, &request, head);
            let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
            assert_eq!(statuses, [100, 200]);
        }
    });
}
