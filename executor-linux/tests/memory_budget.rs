//! A server with little memory: what is too large is refused with a reason, others notice nothing, and the next fits.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::io::{Cursor, Write};

use common::{Client, Server, guests, init_body, run_body};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

const MIB: usize = 1 << 20;
const BUDGET: &str = "64M";
const BUDGET_KIB: u64 = 64 * 1024;
/// A quarter.
const INIT_MAX_BYTES: usize = 16 * MIB;

fn server() -> Server {
    Server::action(&["--memory-total", BUDGET])
}

/// A module of this length, as a zip of a few KiB.
fn deflated_module(len: usize) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1));
    writer.start_file("module.wasm", options).unwrap();
    writer.write_all(b"\0asm\x01\0\0\0").unwrap();
    let zeros = vec![0; MIB];
    let mut left = len - 8;
    while left > 0 {
        let part = left.min(MIB);
        writer.write_all(&zeros[..part]).unwrap();
        left -= part;
    }
    writer.finish().unwrap().into_inner()
}

/// A module of so many pages, all of them written to by each run, unlike any of another number.
fn heavy(pages: u32, number: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
             (memory (export "memory") {pages})
             (global i32 (i32.const {number}))
             (data (i32.const 16) "[0]")
             (func (export "ow_allocate") (param i32) (result i32) (i32.const 65536))
             (func (export "ow_run") (param i32 i32) (result i64)
                (memory.fill (i32.const 131072) (i32.const 1) (i32.const {}))
                (i64.const 0x1000000003)))"#,
        (pages - 2) * 65536
    ))
    .unwrap()
}

/// Announce an `/init`, and wait for leave to send it: the server has reserved its memory then. `None`: it was refused.
fn announce(server: &Server, len: usize) -> Result<Client, common::Response> {
    let mut client = server.client();
    client.send(
        format!("POST /init HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len}\r\n\r\n").as_bytes(),
    );
    if client.receives_continue() {
        Ok(client)
    } else {
        Err(client.receive().unwrap())
    }
}

/// The server is well: an earlier connection still works, and a small action runs.
fn assert_well(server: &Server, earlier: &mut Client) {
    assert_eq!(earlier.post("/nothing", "").status, 404);
    server.init(&guests::echo());
    assert_eq!(server.post("/run", &run_body(r#"{"a":1}"#)).body, r#"{"a":1}"#);
    if let Some(peak) = server.peak_kib() {
        assert!(peak < BUDGET_KIB, "{peak} KiB");
    }
}

#[test]
fn a_bundle_that_is_too_large_is_refused_before_it_is_read() {
    let server = server();
    let mut earlier = server.client();
    assert_eq!(earlier.post("/nothing", "").status, 404);
    for len in [INIT_MAX_BYTES + 1, 48 * MIB, 64 * MIB, usize::MAX] {
        let mut client = server.client();
        // Nothing but the head is sent, and yet there is a reply.
        client.send(format!("POST /init HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n").as_bytes());
        let response = client.receive().unwrap();
        assert_eq!(response.status, 413, "{}", response.body);
        let error = response.error();
        assert!(
            error.starts_with("The bundle is larger than this node takes"),
            "{error}"
        );
        assert!(error.contains(&format!("{len} > {INIT_MAX_BYTES} bytes")), "{error}");
        assert!(error.contains("build it smaller"), "{error}");
        assert_eq!(client.receive(), None, "the connection is of no more use");
    }
    assert_well(&server, &mut earlier);
}

#[test]
fn an_artifact_that_inflates_to_more_than_there_is_is_refused() {
    let server = server();
    let mut earlier = server.client();
    assert_eq!(earlier.post("/nothing", "").status, 404);
    let response = server.post("/init", &init_body(&deflated_module(60 * MIB)));
    assert_eq!(response.status, 502, "{}", response.body);
    let error = response.error();
    assert!(
        error.contains("larger than this node takes: build it smaller"),
        "{error}"
    );
    assert_well(&server, &mut earlier);
}

#[test]
fn bodies_at_once_share_the_budget() {
    let server = server();
    let mut earlier = server.client();
    assert_eq!(earlier.post("/nothing", "").status, 404);
    let first = announce(&server, 15 * MIB).ok();
    let second = announce(&server, 15 * MIB).ok();
    assert!(first.is_some() && second.is_some());
    let third = announce(&server, 3 * MIB).err().unwrap();
    assert_eq!(third.status, 500);
    assert_eq!(third.error(), "This node has no memory for a request of this size now.");
    assert!(announce(&server, MIB).is_ok(), "this one fits");
    // Those who never send what they announced give it back when they leave.
    drop((first, second));
    let since = std::time::Instant::now();
    while announce(&server, 15 * MIB).is_err() {
        assert!(since.elapsed() < common::patience());
        std::thread::yield_now();
    }
    assert_well(&server, &mut earlier);
}

#[test]
fn an_instance_gets_half_at_most() {
    // 39 MiB.
    let grows = wat::parse_str(
        r#"(module
             (memory (export "memory") 2)
             (data (i32.const 16) "[0][1]")
             (func (export "ow_allocate") (param i32) (result i32) (i32.const 65536))
             (func (export "ow_run") (param i32 i32) (result i64)
                (if (result i64) (i32.eq (memory.grow (i32.const 622)) (i32.const -1))
                   (then (i64.const 0x1000000003))
                   (else (i64.const 0x1300000003)))))"#,
    )
    .unwrap();
    for (options, answer) in [
        (&["--memory-total", "64M"][..], "[0]"),
        (&["--memory-total", "64M", "--memory-max", "40M"], "[1]"),
        (&["--memory-total", "128M"], "[1]"),
    ] {
        let server = Server::action(options);
        server.init(&grows);
        assert_eq!(server.post("/run", &run_body("{}")).body, answer, "{options:?}");
    }
}

#[test]
fn idle_containers_make_room_for_others() {
    let server = Server::invoker(&["--memory-total", BUDGET]);
    let at = |number: u32, command: &str| format!("/c{number}/{command}");
    // 6 MiB each: five fit into the engine's 32.
    for number in 0..20 {
        let response = server.post(&at(number, "init"), &init_body(&heavy(96, number)));
        assert_eq!(response.status, 200, "{}", response.body);
        let response = server.post(&at(number, "run"), &run_body("{}"));
        assert_eq!(
            (response.status, response.body.as_str()),
            (200, "[0]"),
            "container {number}"
        );
    }
    assert_eq!(server.post(&at(0, "run"), &run_body("{}")).status, 404, "it made room");
    assert_eq!(server.post(&at(19, "run"), &run_body("{}")).body, "[0]");
    if let Some(peak) = server.peak_kib() {
        assert!(peak < BUDGET_KIB, "{peak} KiB");
    }
}

#[test]
fn a_guest_that_is_larger_than_all_there_is_is_refused() {
    let server = Server::action(&["--memory-total", BUDGET, "--memory-max", "1G"]);
    server.init(&heavy(16 * 60, 0));
    for _ in 0..2 {
        let response = server.post("/run", &run_body("{}"));
        assert_eq!(response.status, 502);
        assert!(response.error().contains("no memory left"), "{}", response.body);
    }
}
