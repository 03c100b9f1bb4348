//! Many containers: the control listener, ids and keys, threads, reaping, draining.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use executor_core::executor::ContainerKey;
use executor_core::openwhisk::{ContainerId, Listener};

use crate::client::{INBOX_BYTES, answer, ask, error, init_body};
use crate::world::{TestExecutor, World, settings, with_executor};

const OK: &str = r#"{"ok":true}"#;
const UNKNOWN: &str = "There is no container of this id, or no more: start or initialize one.";
const FULL: &str = "All containers of this node are busy: try again, or raise the executor's limit.";

fn control(executor: &TestExecutor<'_, '_>, world: &World, target: &str, body: &str) -> (u16, String) {
    answer(executor, world, Listener::Control, target, body)
}

/// A `/start`: the id, and the port.
fn start(executor: &TestExecutor<'_, '_>, world: &World) -> (String, Option<u64>) {
    let (status, body) = control(executor, world, "/start", "");
    assert_eq!(status, 200, "{body}");
    let reply: serde_json::Value = serde_json::from_str(&body).unwrap();
    (reply["containerId"].as_str().unwrap().into(), reply["port"].as_u64())
}

fn key(id: &str) -> ContainerKey {
    ContainerKey::from_id(&ContainerId::new(id).unwrap()).unwrap()
}

/// The test's ends of a gate: a script has come; let it go on.
fn gate(world: &World) -> (Receiver<()>, Sender<()>) {
    let (come, has_come) = channel();
    let (let_go, go) = channel();
    *world.gate.lock().unwrap() = Some((come, go));
    (has_come, let_go)
}

#[test]
fn start_opens_a_port_for_each_container() {
    with_executor(4, settings(), |executor, world| {
        *world.ports.lock().unwrap() = Some(vec![4002, 4001]);
        let (first, first_port) = start(executor, world);
        let (second, second_port) = start(executor, world);
        assert_eq!((first_port, second_port), (Some(4001), Some(4002)));
        assert_ne!(first, second);
        assert_eq!(world.open_ports.lock().unwrap()[&4002], key(&second));
        // Each by its port, and by its id.
        for (id, script) in [(&first, "answer:[1]"), (&second, "answer:[2]")] {
            let listener = Listener::Container(key(id));
            assert_eq!(
                answer(executor, world, listener, "/init", &init_body(script)),
                (200, OK.into())
            );
        }
        assert_eq!(
            answer(executor, world, Listener::Container(key(&first)), "/run", ""),
            (200, "[1]".into())
        );
        assert_eq!(
            control(executor, world, &format!("/{second}/run"), ""),
            (200, "[2]".into())
        );
        // The third gets the port of the one that has been idle for longest.
        let (_, third_port) = start(executor, world);
        assert_eq!(third_port, Some(4001));
        assert_eq!(
            control(executor, world, &format!("/{first}/run"), ""),
            (404, error(UNKNOWN))
        );
        assert_eq!(executor.container_count(), 2);
    });
}

#[test]
fn without_ports_a_start_is_refused_and_leaves_nothing() {
    with_executor(4, settings(), |executor, world| {
        *world.ports.lock().unwrap() = Some(Vec::new());
        let text = "All ports of this node are taken: destroy a container, or widen the executor's range.";
        assert_eq!(control(executor, world, "/start", ""), (429, error(text)));
        assert_eq!(executor.container_count(), 0);
        // A node whose containers have none is another matter.
        *world.ports.lock().unwrap() = None;
        assert_eq!(start(executor, world).1, None);
    });
}

#[test]
fn ids_of_clients() {
    with_executor(4, settings(), |executor, world| {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let at = |command: &str| format!("/{id}/{command}");
        assert_eq!(control(executor, world, &at("run"), "{}"), (404, error(UNKNOWN)));
        assert_eq!(executor.container_count(), 0);
        // Init makes it. A failed one leaves it there.
        assert_eq!(control(executor, world, &at("init"), "{}").0, 403);
        assert_eq!(
            control(executor, world, &at("init"), &init_body("echo")),
            (200, OK.into())
        );
        assert_eq!(executor.container_count(), 1);
        assert_eq!(control(executor, world, &at("init"), &init_body("echo")).0, 403);
        assert_eq!(
            control(executor, world, &at("run"), r#"{"value":[1]}"#),
            (200, "[1]".into())
        );
        world.take_events();
        // Destroy frees it, after which it is as if it had never been.
        assert_eq!(control(executor, world, &at("destroy"), ""), (200, OK.into()));
        assert_eq!(world.take_events(), ["close ow-0-0", "unload echo", "write"]);
        assert_eq!(control(executor, world, &at("destroy"), ""), (200, OK.into()));
        assert_eq!(control(executor, world, &at("run"), "{}"), (404, error(UNKNOWN)));
        assert_eq!(
            control(executor, world, &at("init"), &init_body("answer:[2]")),
            (200, OK.into())
        );
        assert_eq!(control(executor, world, &at("run"), ""), (200, "[2]".into()));
    });
}

#[test]
fn destroy_takes_the_id_of_the_body_if_the_path_has_none() {
    with_executor(4, settings(), |executor, world| {
        for id in ["a", "b", "c"] {
            control(executor, world, &format!("/{id}/init"), &init_body("echo"));
        }
        let gone = |id: &str| control(executor, world, &format!("/{id}/run"), "").0 == 404;
        assert_eq!(control(executor, world, "/x/destroy", "b"), (200, OK.into()));
        assert_eq!((gone("a"), gone("b"), gone("c")), (false, true, false));
        assert_eq!(control(executor, world, "/a/destroy", "c"), (200, OK.into()));
        assert_eq!((gone("a"), gone("c")), (true, false));
        assert_eq!(control(executor, world, "/x/destroy", "\"c\""), (200, OK.into()));
        assert!(gone("c"));
    });
}

#[test]
fn a_stale_key_reaches_nothing() {
    with_executor(1, settings(), |executor, world| {
        let (first, _) = start(executor, world);
        let stale = Listener::Container(key(&first));
        assert_eq!(answer(executor, world, stale, "/init", &init_body("echo")).0, 200);
        assert_eq!(control(executor, world, &format!("/{first}/destroy"), "").0, 200);
        let (second, _) = start(executor, world);
        assert_eq!(key(&second).index(), key(&first).index(), "the same place");
        assert_eq!(
            control(executor, world, &format!("/{second}/init"), &init_body("echo")).0,
            200
        );
        for target in ["/init", "/run"] {
            assert_eq!(
                answer(executor, world, stale, target, &init_body("echo")),
                (404, error(UNKNOWN))
            );
        }
        // An id that was given by start is not made again by init.
        assert_eq!(
            control(executor, world, &format!("/{first}/init"), &init_body("echo")),
            (404, error(UNKNOWN))
        );
        assert_eq!(executor.container_count(), 1);
    });
}

#[test]
fn a_second_init_during_the_first_is_refused() {
    with_executor(2, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        let (has_come, let_go) = gate(world);
        thread::scope(|scope| {
            let first = scope.spawn(|| answer(executor, world, listener, "/init", &init_body("gate load")));
            has_come.recv().unwrap();
            let second = answer(executor, world, listener, "/init", &init_body("echo"));
            assert_eq!(second, (403, error("Cannot initialize the action more than once.")));
            assert_eq!(
                answer(executor, world, listener, "/run", ""),
                (403, error("System not initialized."))
            );
            // It is not idle either.
            world.now_ms.fetch_add(u64::from(u32::MAX), Ordering::SeqCst);
            assert_eq!(executor.reap_idle(), 0);
            let_go.send(()).unwrap();
            assert_eq!(first.join().unwrap(), (200, OK.into()));
        });
    });
}

#[test]
fn idle_containers_make_room_for_a_run() {
    with_executor(8, settings(), |executor, world| {
        for (id, script) in [("a", "echo"), ("b", "echo:b"), ("c", "hungry"), ("d", "echo:d")] {
            let at = |command: &str| format!("/{id}/{command}");
            assert_eq!(
                control(executor, world, &at("init"), &init_body(script)),
                (200, OK.into())
            );
            assert_eq!(control(executor, world, &at("run"), "").0, 200);
        }
        world.take_events();
        world.room.store(2, Ordering::SeqCst);
        assert_eq!(control(executor, world, "/c/run", ""), (200, "[]".into()));
        let mut events = world.take_events();
        events.retain(|event| event == "no room" || event.starts_with("unload"));
        events.truncate(4);
        let expected = ["no room", "unload echo", "no room", "unload echo:b"];
        assert_eq!(events, expected, "the longest idle first");
        assert_eq!(executor.container_count(), 2);
        // Nobody is left to make room.
        world.room.store(0, Ordering::SeqCst);
        let (status, body) = control(executor, world, "/c/run", "");
        assert_eq!(status, 502);
        assert!(body.contains("This node has no memory left"), "{body}");
        assert_eq!(executor.container_count(), 1);
    });
}

#[test]
fn a_container_can_go_while_it_is_initialised() {
    with_executor(2, settings(), |executor, world| {
        let (has_come, let_go) = gate(world);
        thread::scope(|scope| {
            let first = scope.spawn(|| control(executor, world, "/a/init", &init_body("gate load")));
            has_come.recv().unwrap();
            assert_eq!(control(executor, world, "/a/destroy", ""), (200, OK.into()));
            let_go.send(()).unwrap();
            assert_eq!(first.join().unwrap(), (404, error(UNKNOWN)));
        });
        assert_eq!(executor.container_count(), 0);
        assert!(world.take_events().contains(&"unload gate load".to_owned()));
    });
}

#[test]
fn runs_go_on_beside_each_other_and_after_their_container() {
    with_executor(1, settings(), |executor, world| {
        control(executor, world, "/a/init", &init_body("gate"));
        let (has_come, let_go) = gate(world);
        thread::scope(|scope| {
            let first = scope.spawn(|| control(executor, world, "/a/run", r#"{"value":[1]}"#));
            has_come.recv().unwrap();
            let (second_has_come, second_let_go) = gate(world);
            let second = scope.spawn(|| control(executor, world, "/a/run", r#"{"value":[2]}"#));
            second_has_come.recv().unwrap();
            // The container is busy: its place is not to be had.
            assert_eq!(control(executor, world, "/start", ""), (429, error(FULL)));
            assert_eq!(
                control(executor, world, "/b/init", &init_body("echo")),
                (429, error(FULL))
            );
            second_let_go.send(()).unwrap();
            assert_eq!(second.join().unwrap(), (200, "[2]".into()));
            assert_eq!(control(executor, world, "/start", ""), (429, error(FULL)));
            world.take_events();
            assert_eq!(control(executor, world, "/a/destroy", ""), (200, OK.into()));
            assert_eq!(
                world.take_events(),
                ["close ow-0-0", "write"],
                "the run holds the action"
            );
            assert_eq!(start(executor, world), ("ow-0-1".into(), None));
            world.take_events();
            let_go.send(()).unwrap();
            assert_eq!(first.join().unwrap(), (200, "[1]".into()));
            assert_eq!(world.take_events(), ["write", "ended |", "put back", "unload gate"]);
        });
    });
}

#[test]
fn idle_containers_are_reaped() {
    with_executor(4, settings(), |executor, world| {
        let idle_max_ms = executor.settings().idle_max_ms;
        for id in ["a", "b"] {
            control(executor, world, &format!("/{id}/init"), &init_body("echo"));
        }
        world.now_ms.fetch_add(idle_max_ms - 1, Ordering::SeqCst);
        assert_eq!(executor.reap_idle(), 0);
        assert_eq!(control(executor, world, "/a/run", "").0, 200);
        world.now_ms.fetch_add(1, Ordering::SeqCst);
        assert_eq!(executor.reap_idle(), 1);
        assert_eq!(control(executor, world, "/b/run", "").0, 404);
        assert_eq!(control(executor, world, "/a/run", "").0, 200);
        world.now_ms.fetch_add(idle_max_ms, Ordering::SeqCst);
        assert_eq!((executor.reap_idle(), executor.container_count()), (1, 0));
    });
}

#[test]
fn a_fixed_container_stays() {
    with_executor(1, settings(), |executor, world| {
        executor.create_fixed().unwrap();
        world
            .now_ms
            .fetch_add(10 * executor.settings().idle_max_ms, Ordering::SeqCst);
        assert_eq!((executor.reap_idle(), executor.container_count()), (0, 1));
        assert!(executor.create().is_err(), "it makes no room for another either");
    });
}

#[test]
fn the_container_idle_for_longest_makes_room() {
    with_executor(2, settings(), |executor, world| {
        let tick = || world.now_ms.fetch_add(1, Ordering::SeqCst);
        for id in ["a", "b"] {
            control(executor, world, &format!("/{id}/init"), &init_body("echo"));
            tick();
        }
        control(executor, world, "/a/run", "");
        tick();
        assert_eq!(
            control(executor, world, "/c/init", &init_body("echo")),
            (200, OK.into())
        );
        assert_eq!(control(executor, world, "/b/run", "").0, 404);
        assert_eq!(control(executor, world, "/a/run", "").0, 200);
    });
}

#[test]
fn idle_containers_make_room_in_memory() {
    with_executor(2, settings(), |executor, world| {
        control(executor, world, "/a/init", &init_body("echo"));
        world.memory.store(0, Ordering::SeqCst);
        let refused = ask(executor, world, Listener::Control, "/b/init", "{}");
        assert_eq!(refused.status, 403, "this fits into the inbox");
        assert_eq!(executor.container_count(), 2);
        let body = init_body("echo") + &" ".repeat(INBOX_BYTES);
        let request = crate::client::post("/b/init", &body);
        let (responses, _) = crate::client::converse(executor, world, Listener::Control, &request, usize::MAX);
        assert_eq!((responses[0].status, executor.container_count()), (500, 0));
        assert_eq!(
            responses[0].body,
            error("This node has no memory for a request of this size now.")
        );
    });
}

#[test]
fn a_draining_node_sends_new_work_elsewhere() {
    with_executor(2, settings(), |executor, world| {
        control(executor, world, "/a/init", &init_body("echo"));
        world.draining.store(true, Ordering::SeqCst);
        let refused = error("The executor is shutting down: send this to another one.");
        for target in ["/start", "/b/init", "/a/run"] {
            let response = ask(executor, world, Listener::Control, target, "{}");
            assert_eq!((response.status, &response.body), (503, &refused), "{target}");
            assert!(response.head.contains("\r\nConnection: close"), "{}", response.head);
        }
        assert_eq!(control(executor, world, "/a/destroy", ""), (200, OK.into()));
        assert_eq!(executor.container_count(), 0);
    });
}

#[test]
fn paths_of_other_things() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        let nothing = error("There is nothing at this path.");
        for (listener, targets) in [
            (Listener::Control, ["/", "/init", "/run", "/a/b/run", "/ping"]),
            (listener, ["/", "/start", "/init/", "/ow-0-0/run", "/ping"]),
        ] {
            for target in targets {
                assert_eq!(
                    answer(executor, world, listener, target, ""),
                    (404, nothing.clone()),
                    "{target}"
                );
            }
        }
        let request = b"GET /run HTTP/1.1\r\nHost: a\r\n\r\n";
        let (responses, _) = crate::client::converse(executor, world, listener, request, usize::MAX);
        assert_eq!(
            (responses[0].status, &responses[0].body),
            (405, &error("This path takes POST only."))
        );
        assert!(responses[0].head.contains("\r\nAllow: POST"));
    });
}
