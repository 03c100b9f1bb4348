//! `invoker`: many containers in one process, over sockets.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::{Client, SENTINEL, Server, allowance, guests, init_body, patience, request, run_body};

/// What `/start` gave.
struct Container {
    id: String,
    address: SocketAddr,
    /// Before each path, where a container has no port of its own.
    prefix: String,
}

fn start(server: &Server) -> Container {
    let response = server.post("/start", "");
    assert_eq!(response.status, 200, "{}", response.body);
    let json = response.json();
    let id = json["containerId"].as_str().unwrap().to_owned();
    assert!(!id.is_empty());
    match json["port"].as_u64() {
        Some(port) => Container {
            id,
            address: SocketAddr::new(server.address.ip(), u16::try_from(port).unwrap()),
            prefix: String::new(),
        },
        None => Container {
            prefix: format!("/{id}"),
            id,
            address: server.address,
        },
    }
}

impl Container {
    fn post(&self, path: &str, body: &str) -> common::Response {
        Client::connect(self.address).post(&self.path(path), body)
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    fn has_port(&self) -> bool {
        self.prefix.is_empty()
    }

    fn init(&self, code: &[u8]) {
        let response = self.post("/init", &init_body(code));
        assert_eq!(response.status, 200, "{}", response.body);
    }

    /// Nobody listens on its port any more. Closing is done when the reply to `destroy` has been sent, or by the reaper.
    fn wait_until_closed(&self) {
        let since = Instant::now();
        while self.has_port() && TcpStream::connect(self.address).is_ok() {
            assert!(since.elapsed() < patience());
            std::thread::yield_now();
        }
    }
}

#[test]
fn each_container_has_its_own_action() {
    let server = Server::invoker(&[]);
    let containers: Vec<Container> = (0..10).map(|_| start(&server)).collect();
    for (n, container) in containers.iter().enumerate() {
        assert_eq!(container.post("/run", "{}").status, 403, "not initialised");
        container.init(&guests::answers(&format!(r#"{{"n":{n}}}"#)));
    }
    for (n, container) in containers.iter().enumerate() {
        let answer = format!(r#"{{"n":{n}}}"#);
        assert_eq!(container.post("/run", &run_body("{}")).body, answer);
        assert_eq!(
            server.post(&format!("/{}/run", container.id), &run_body("{}")).body,
            answer,
            "by its id"
        );
    }
}

#[test]
fn each_container_has_a_port_of_its_own() {
    let server = Server::invoker(&[]);
    let containers: Vec<Container> = (0..10).map(|_| start(&server)).collect();
    for container in &containers {
        assert!(container.has_port());
        assert_eq!(
            container.post("/start", "").status,
            404,
            "a container's port makes no containers"
        );
    }
    let ports: BTreeSet<u16> = containers.iter().map(|container| container.address.port()).collect();
    assert_eq!(ports.len(), 10);
}

#[test]
fn an_id_of_the_clients_choice_makes_a_container() {
    let server = Server::invoker(&[]);
    let id = "0b54c8f0-8f4c-4b8e-9d5c-3c1f0b7d5a11";
    assert_eq!(server.post(&format!("/{id}/run"), "{}").status, 404);
    assert_eq!(
        server.post(&format!("/{id}/init"), &init_body(&guests::echo())).status,
        200
    );
    assert_eq!(
        server.post(&format!("/{id}/init"), &init_body(&guests::echo())).status,
        403
    );
    assert_eq!(
        server.post(&format!("/{id}/run"), r#"{"value":{"a":1}}"#).body,
        r#"{"a":1}"#
    );
    for _ in 0..2 {
        assert_eq!(server.post(&format!("/{id}/destroy"), "").status, 200);
    }
    assert_eq!(server.post(&format!("/{id}/run"), "{}").status, 404);
    // WOW's client names the container in the body.
    assert_eq!(
        server.post(&format!("/{id}/init"), &init_body(&guests::echo())).status,
        200
    );
    assert_eq!(server.post("/whatever/destroy", id).status, 200);
    assert_eq!(server.post(&format!("/{id}/run"), "{}").status, 404);
}

#[test]
fn a_destroyed_container_is_gone_and_its_port_with_it() {
    let server = Server::invoker(&[]);
    let (kept, destroyed) = (start(&server), start(&server));
    kept.init(&guests::echo());
    destroyed.init(&guests::echo());
    let mut open = Client::connect(destroyed.address);
    assert_eq!(open.post(&destroyed.path("/run"), "{}").status, 200);
    assert_eq!(server.post(&format!("/{}/destroy", destroyed.id), "").status, 200);
    destroyed.wait_until_closed();
    assert_eq!(
        open.post(&destroyed.path("/run"), "{}").status,
        404,
        "a connection that is still open reaches nobody"
    );
    assert_eq!(
        server
            .post(&format!("/{}/init", destroyed.id), &init_body(&guests::echo()))
            .status,
        404
    );
    assert_eq!(kept.post("/run", "{}").status, 200);
}

#[test]
fn results_can_be_dressed_as_wow_does() {
    let server = Server::invoker(&["--reply", "envelope"]);
    let init = |id: &str, guest: &[u8]| {
        assert_eq!(server.post(&format!("/{id}/init"), &init_body(guest)).status, 200);
        let response = server.post(&format!("/{id}/run"), &run_body("{}"));
        assert_eq!(response.status, 200);
        response.json()
    };
    let success = init("a", &guests::answers(r#"{"result":4}"#));
    assert_eq!(
        success,
        serde_json::json!({"status": "success", "status_code": 0, "success": true, "result": {"result": 4}})
    );
    let error = init("b", &guests::does("unreachable"));
    assert_eq!(
        (error["status_code"].as_u64(), error["success"].as_bool()),
        (Some(1), Some(false))
    );
    assert!(error["result"]["error"].is_string());
}

#[test]
fn idle_containers_are_removed() {
    let server = Server::invoker(&["--idle-seconds", "1"]);
    let container = start(&server);
    container.init(&guests::echo());
    container.wait_until_closed();
    assert_eq!(server.post(&format!("/{}/run", container.id), "{}").status, 404);
}

#[test]
fn the_container_that_is_idle_for_longest_gives_way() {
    let server = Server::invoker(&["--max-containers", "2"]);
    let first = start(&server);
    first.init(&guests::echo());
    let second = start(&server);
    let third = start(&server);
    first.wait_until_closed();
    assert_eq!(
        server.post(&format!("/{}/run", first.id), "{}").status,
        404,
        "idle for longest: it gave way"
    );
    for container in [second, third] {
        assert_eq!(
            container.post("/run", "{}").status,
            403,
            "it is there, and has no action yet"
        );
    }
}

#[test]
fn ports_come_from_the_range() {
    // A free stretch: bind and release, as there is no way to reserve one.
    let low = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .clamp(1024, 65_000);
    let high = low + 40;
    let server = Server::invoker(&["--ports", &format!("{low}-{high}"), "--max-containers", "1000"]);
    let containers: Vec<Container> = (0..20).map(|_| start(&server)).collect();
    for container in &containers {
        assert!((low..=high).contains(&container.address.port()));
    }
    // More containers than ports: those that are idle for longest give theirs up.
    let more: Vec<Container> = (0..60).map(|_| start(&server)).collect();
    let last = more.last().unwrap();
    last.init(&guests::echo());
    assert_eq!(last.post("/run", "{}").body, "{}");
    for container in &containers {
        assert_eq!(server.post(&format!("/{}/run", container.id), "{}").status, 404);
    }
}

#[test]
fn logs_pass_without_sentinels_unless_asked_for() {
    for (options, sentinels) in [(&[][..], 0), (&["--log-sentinels"], 1)] {
        let mut server = Server::invoker(options);
        let container = start(&server);
        container.init(&guests::prints("out\n", ""));
        assert_eq!(container.post("/run", "{}").status, 200);
        server.signal("TERM");
        assert!(server.wait().success());
        let stdout = server.stdout.whole();
        assert!(stdout.starts_with("out\n"));
        assert_eq!(stdout.matches(SENTINEL).count(), sentinels);
    }
}

#[test]
fn a_thousand_containers_live_side_by_side() {
    let server = Server::invoker(&["--max-containers", "1000"]);
    let mut control = server.client();
    let code = init_body(&guests::counter());
    let mut addresses = Vec::new();
    for _ in 0..1000 {
        let json = control.post("/start", "").json();
        let port = u16::try_from(json["port"].as_u64().unwrap()).unwrap();
        let address = SocketAddr::new(server.address.ip(), port);
        assert_eq!(Client::connect(address).post("/init", &code).status, 200);
        addresses.push(address);
    }
    for address in addresses.iter().rev() {
        assert_eq!(Client::connect(*address).post("/run", "{}").body, r#"{"n":2}"#);
    }
}

/// Beside the module and the instance that all share, a container takes little memory.
#[test]
fn containers_of_one_content_share_its_memory() {
    const EACH_MAX_BYTES: u64 = 16 * 1024;
    let server = Server::invoker(&[]);
    // A board has room for 64.
    let containers = if server.board_status().is_some() { 40 } else { 200 };
    // Its data alone are longer than that, in the module as in each instance.
    let answer = format!(r#"{{"data":"{}"}}"#, "x".repeat(60_000));
    let code = guests::answers(&answer);
    let add = |count| {
        for _ in 0..count {
            let container = start(&server);
            container.init(&code);
            assert!(container.post("/run", "{}").body == answer, "its data");
        }
        server.memory_bytes()
    };
    let (before, after) = (add(20), add(containers));
    if let (Some(before), Some(after)) = (before, after) {
        let more = after.saturating_sub(before);
        assert!(
            more <= containers * EACH_MAX_BYTES,
            "{more} bytes for {containers} containers"
        );
    }
}

/// Containers of one content take turns on the same instances; nothing of one run is there in the next, in whichever container:
/// memory and globals, open files and closed streams, environment, output.
#[test]
fn runs_leave_nothing_to_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let grant = format!("{}::/data", folder.path().display());
    let server = Server::invoker(&["--log-sentinels", "--allow-dir", &grant]);
    let counters = [start(&server), start(&server)];
    for container in &counters {
        container.init(&guests::counter());
    }
    for container in counters.iter().chain(&counters).chain(&counters) {
        assert_eq!(container.post("/run", "{}").body, r#"{"n":2}"#);
    }
    let earlier = 6;

    let code = base64_simd::STANDARD.encode_to_string(guests::leaves_things_behind());
    let of = |who: &str| {
        let container = start(&server);
        let init = format!(r#"{{"value":{{"binary":true,"code":"{code}","env":{{"WHO":"{who}","OF_{who}":"1"}}}}}}"#);
        assert_eq!(container.post("/init", &init).status, 200);
        container
    };
    let (ada, bob) = (of("ada"), of("bob"));
    let turns = [
        ("ada", &ada),
        ("ada", &ada),
        ("bob", &bob),
        ("ada", &ada),
        ("bob", &bob),
        ("bob", &bob),
    ];
    for (turn, (_, container)) in turns.iter().enumerate() {
        let reply = container.post("/run", &format!(r#"{{"value":{{}},"activation_id":"turn-{turn}"}}"#));
        assert_eq!(reply.body, r#"{"seen":"AIA4"}"#, "turn {turn}");
    }
    for stream in [&server.stdout, &server.stderr] {
        let text = stream.wait_until("a sentinel for each run", |text| {
            text.matches(SENTINEL).count() == earlier + turns.len()
        });
        // Written after the reply, so not always in the turns' order.
        let logs: BTreeSet<Vec<&str>> = text
            .split(SENTINEL)
            .map(variables)
            .filter(|log| !log.is_empty())
            .collect();
        let expected: Vec<String> = turns
            .iter()
            .enumerate()
            .map(|(turn, (who, _))| format!("OF_{who}=1\0WHO={who}\0__OW_ACTIVATION_ID=turn-{turn}"))
            .collect();
        assert_eq!(logs, expected.iter().map(|log| variables(log)).collect());
    }
}

/// An environment as a guest prints it, in order.
fn variables(log: &str) -> Vec<&str> {
    let mut variables: Vec<&str> = log.trim().split('\0').filter(|text| text.contains('=')).collect();
    variables.sort_unstable();
    variables
}

#[test]
fn a_busy_container_does_not_hold_up_others() {
    let server = Server::invoker(&[]);
    let (slow, quick) = (start(&server), start(&server));
    let a_while = allowance(Duration::from_secs(3));
    slow.init(&guests::sleeps(u64::try_from(a_while.as_millis()).unwrap()));
    quick.init(&guests::echo());
    let since = Instant::now();
    let mut running = Client::connect(slow.address);
    running.send(&request(&slow.path("/run"), &run_body("{}")));
    for _ in 0..20 {
        assert_eq!(quick.post("/run", "{}").status, 200);
    }
    assert!(since.elapsed() < a_while);
    assert_eq!(running.receive().unwrap().body, r#"{"slept":true}"#);
}
