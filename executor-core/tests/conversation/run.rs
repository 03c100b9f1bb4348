//! `/run` of one container.

use executor_core::executor::Settings;
use executor_core::openwhisk::{Listener, ReplyStyle};

use crate::client::{answer, converse, error, init_body, post};
use crate::world::{settings, with_executor};

const NO_RESULT: &str = "The action did not return a dictionary or array.";

fn envelope() -> Settings<'static> {
    Settings {
        reply_style: ReplyStyle::Envelope,
        ..settings()
    }
}

/// One `/run` of a script: the reply, and what comes after it.
fn check_with(settings: Settings<'_>, script: &str, body: &str, status: u16, text: &str, after: &[&str]) {
    with_executor(1, settings, |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        assert_eq!(answer(executor, world, listener, "/init", &init_body(script)).0, 200);
        let prepare = format!("prepare {script}");
        assert_eq!(world.take_events(), ["write", prepare.as_str()]);
        // Twice: nothing stays behind.
        for _ in 0..2 {
            assert_eq!(
                answer(executor, world, listener, "/run", body),
                (status, text.into()),
                "{script} {body}"
            );
            let expected: Vec<_> = ["write"].iter().chain(after).copied().collect();
            assert_eq!(world.take_events(), expected, "{script} {body}");
        }
    });
}

/// The logs are ended and the instance is put back after the reply has left.
const RAN: &[&str] = &["ended |", "put back"];

fn check(script: &str, body: &str, status: u16, text: &str) {
    check_with(settings(), script, body, status, text, RAN);
}

#[test]
fn nobody_is_told_of_a_run_that_nobody_waits_for() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        answer(executor, world, listener, "/init", &init_body("abandoned"));
        world.take_events();
        let two_requests = [post("/run", "{}"), post("/run", "{}")].concat();
        let (responses, unread) = converse(executor, world, listener, &two_requests, usize::MAX);
        assert!(responses.is_empty(), "{responses:?}");
        assert_eq!(unread, 0, "both came at once");
        // The connection is of no use any more: the second request is not served.
        assert_eq!(world.take_events(), RAN);
    });
}

#[test]
fn values_reach_the_action_as_they_came() {
    check("echo", r#"{"value":{"a" : "\u0062"}}"#, 200, r#"{"a" : "\u0062"}"#);
    check("echo", r#"{"value":[1,{"b":[]}]}"#, 200, r#"[1,{"b":[]}]"#);
    for empty in ["", "null", "{}", r#"{"value":null}"#, r#"{"value":{},"deadline":"x"}"#] {
        check("echo", empty, 200, "{}");
    }
    // Longer than the inbox.
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(100_000));
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        answer(executor, world, listener, "/init", &init_body("echo"));
        assert_eq!(
            answer(executor, world, listener, "/run", &format!(r#"{{"value":{long}}}"#)),
            (200, long)
        );
    });
    check("deadline", r#"{"deadline":"1700000000123"}"#, 200, "[1700000000123]");
    check("deadline", r#"{"deadline":1700000000123}"#, 200, "[1700000000123]");
}

#[test]
fn requests_that_are_no_runs() {
    let scalar = error("The action did not receive a dictionary or array as an argument.");
    for value in ["3", "true", r#""{}""#] {
        check_with(
            settings(),
            "echo",
            &format!(r#"{{"value":{value}}}"#),
            404,
            &scalar,
            &["ended |"],
        );
    }
    let json = |text: &str| error(&format!("Error unmarshaling request: {text}"));
    check_with(
        settings(),
        "echo",
        "[]",
        400,
        &json("the body must be a JSON object"),
        &[],
    );
    check_with(
        settings(),
        "echo",
        "{",
        400,
        &json("unexpected end of JSON input at byte 1"),
        &[],
    );
    check_with(
        settings(),
        "echo",
        "{\"a\":\"\x01\"}",
        400,
        &json("control character in a string at byte 6"),
        &[],
    );
}

#[test]
fn answers() {
    check("answer:{\"error\":\"handled\"}", "{}", 200, r#"{"error":"handled"}"#);
    check("answer: [1, 2]\n", "{}", 200, "[1, 2]");
    for nothing in ["3", "\"text\"", "null", "", "{", "{} {}", "{\"a\":}", "{}x"] {
        check(&format!("answer:{nothing}"), "{}", 502, &error(NO_RESULT));
    }
    check("silent", "{}", 502, &error(NO_RESULT));
    check(
        "trap",
        "{}",
        502,
        &error("An error has occurred: the action trapped: integer divide by zero."),
    );
    check(
        "exit",
        "{}",
        502,
        &error("An error has occurred: the action exited with code 3."),
    );
    check(
        "overrun",
        "{}",
        502,
        &error("The action exceeded its time limits of 60000 milliseconds."),
    );
    check_with(
        settings(),
        "log",
        "{}",
        200,
        "{}",
        &["ended to stdout\n|to stderr\n", "put back"],
    );
}

/// A result may be as long as OpenWhisk takes, and not a byte longer. A long one leaves without a copy: its head before it.
#[test]
fn results_have_a_greatest_length() {
    let max = 1024 * 1024;
    with_executor(2, settings(), |executor, world| {
        for (len, status) in [(max, 200), (max + 1, 502)] {
            let listener = Listener::Container(executor.create().unwrap());
            answer(executor, world, listener, "/init", &init_body(&format!("repeat:{len}")));
            world.take_events();
            let (found, body) = answer(executor, world, listener, "/run", "{}");
            assert_eq!(found, status);
            let writes = world.take_events().iter().filter(|event| *event == "write").count();
            assert_eq!(writes, if status == 200 { 2 } else { 1 });
            assert_eq!(body.len() == len, status == 200);
        }
    });
}

#[test]
fn answers_in_an_envelope() {
    let check = |script: &str, body: &str, status: u16, text: &str| {
        check_with(envelope(), script, body, status, text, RAN);
    };
    let success = |result: &str| format!(r#"{{"status":"success","status_code":0,"success":true,"result":{result}}}"#);
    let failure =
        |result: &str| format!(r#"{{"status":"application error","status_code":1,"success":false,"result":{result}}}"#);
    check("echo", r#"{"value":{"a" : 1}}"#, 200, &success(r#"{"a" : 1}"#));
    check("answer:[]", "{}", 200, &success("[]"));
    check(
        "answer:{\"a\":{\"error\":1}}",
        "{}",
        200,
        &success(r#"{"a":{"error":1}}"#),
    );
    check("answer:{\"error\":\"x\"}", "{}", 200, &failure(r#"{"error":"x"}"#));
    check(
        "answer:{\"e\\u0072ror\":null}",
        "{}",
        200,
        &failure(r#"{"e\u0072ror":null}"#),
    );
    check("answer:3", "{}", 200, &failure(&error(NO_RESULT)));
    let trapped = error("An error has occurred: the action trapped: integer divide by zero.");
    check("trap", "{}", 200, &failure(&trapped));
    // What is not the outcome of a run is told as ever.
    check_with(
        envelope(),
        "echo",
        "[]",
        400,
        &error("Error unmarshaling request: the body must be a JSON object"),
        &[],
    );
}

#[test]
fn a_container_without_an_action_does_not_run() {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        assert_eq!(
            answer(executor, world, listener, "/run", "{}"),
            (403, error("System not initialized."))
        );
        assert_eq!(world.take_events(), ["write"]);
    });
}
