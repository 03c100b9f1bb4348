//! `/init` of one container.

use std::sync::atomic::Ordering;

use executor_core::openwhisk::Listener;

use crate::client::{answer, base64, code, error, init_body, zip};
use crate::world::{AOT_HEADER, WASM_HEADER, settings, with_executor};

const OK: &str = r#"{"ok":true}"#;

/// One `/init` of a fresh container: the reply, and whether the logs get their end.
fn check(body: &str, status: u16, text: &str, is_told_to_logs: bool) {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        assert_eq!(
            answer(executor, world, listener, "/init", body),
            (status, text.into()),
            "{body}"
        );
        let mut expected = vec!["write"];
        if is_told_to_logs {
            expected.push("ended |");
        }
        let events: Vec<_> = world
            .take_events()
            .into_iter()
            .filter(|event| !event.starts_with("prepare"))
            .collect();
        assert_eq!(events, expected, "{body}");

        // Whatever came of it, the container can be initialised if and only if it is not.
        let again = answer(executor, world, listener, "/init", &init_body("echo"));
        if status == 200 {
            assert_eq!(
                again,
                (403, error("Cannot initialize the action more than once.")),
                "{body}"
            );
        } else {
            assert_eq!(again, (200, OK.into()), "{body}");
        }
        let ran = answer(executor, world, listener, "/run", r#"{"value":{"a":1}}"#);
        assert_eq!(ran, (200, r#"{"a":1}"#.into()), "{body}");
    });
}

#[test]
fn code_that_is_loaded() {
    let echo = code("echo");
    check(&init_body("echo"), 200, OK, false);
    // Every other field may be missing, null, or of any type.
    check(&format!(r#"{{"value":{{"code":"{echo}"}}}}"#), 200, OK, false);
    check(
        &format!(r#"{{"value":{{"code":"{echo}","main":null,"env":null,"name":7,"binary":"x"}}}}"#),
        200,
        OK,
        false,
    );
    check(
        &format!(r#"{{"value":{{"code":"{echo}","annotations":{{"dir":"/"}}}}}}"#),
        200,
        OK,
        false,
    );
    check(
        &format!(r#"{{"value":{{"code":"{echo}","annotations":[{{"key":"dir","value":"/"}}]}}}}"#),
        200,
        OK,
        false,
    );
    // JSON writers escape as they like, files end in newlines.
    check(&format!(r#"{{"value":{{"code":"{echo}\n"}}}}"#), 200, OK, false);
    let escaped: String = echo.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    check(&format!(r#"{{"value":{{"code":"{escaped}"}}}}"#), 200, OK, false);
    // A zip with one deflated module.
    let module = [WASM_HEADER, b"echo"].concat();
    check(
        &format!(r#"{{"value":{{"code":"{}"}}}}"#, base64(&zip("a.wasm", &module))),
        200,
        OK,
        false,
    );
}

#[test]
fn code_that_is_missing() {
    let missing = error("Missing main/no code to execute.");
    for body in [
        "{}",
        "null",
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        r#"{"value":{"name":"a","main":"main","binary":false,"env":{}}}"#,
        r#"{"value":{"code":""}}"#,
        r#"{"value":{"code":null}}"#,
        r#"{"value":{"code":" \n"}}"#,
    ] {
        check(body, 403, &missing, false);
    }
}

#[test]
fn requests_that_are_malformed() {
    let json = |text: &str| error(&format!("Error unmarshaling request: {text}"));
    check("", 400, &json("unexpected end of JSON input at byte 0"), false);
    check(
        "{\"value\":",
        400,
        &json("unexpected end of JSON input at byte 9"),
        false,
    );
    check("[1]", 400, &json("the body must be a JSON object"), false);
    check(r#"{"value":{"code":1}}"#, 400, &json("code must be a string"), false);
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        for code in ["####", "AGFzbQ", "AGFz\\u0000", "A===", "function main() {}"] {
            let body = format!(r#"{{"value":{{"code":"{code}"}}}}"#);
            let (status, text) = answer(executor, world, listener, "/init", &body);
            assert_eq!(status, 400, "{code}");
            assert!(text.starts_with(r#"{"error":"cannot decode the request: "#), "{text}");
            assert_eq!(world.take_events(), ["write"], "{code}");
        }
    });
}

#[test]
fn code_that_cannot_be_loaded() {
    let check_failure = |body: &str, reason: &str| {
        check(
            body,
            502,
            &error(&format!("The action cannot be loaded: {reason}.")),
            true,
        );
    };
    check_failure(
        &init_body("no main"),
        "the module exports no function of the name and type that main asks for",
    );
    check_failure(
        &init_body("bad module"),
        "the engine refuses the module (unexpected \"end\"): build it again",
    );
    check_failure(&init_body("too large"), "this node has no memory for the module now");
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        let mut damaged = zip("a.wasm", &[WASM_HEADER, b"echo"].concat());
        let last = damaged.len() - 1;
        damaged.truncate(last);
        let mut forged = zip("a.wasm", &[WASM_HEADER, b"echo"].concat());
        forged[14] ^= 1; // A bit of the first CRC.
        forged[50] ^= 1; // And of the content.
        for code in [
            b"neither".to_vec(),
            b"\0asm\x02\0\0\0".to_vec(),
            damaged,
            forged,
            zip("readme", b"nothing"),
        ] {
            let body = format!(r#"{{"value":{{"code":"{}"}}}}"#, base64(&code));
            let (status, text) = answer(executor, world, listener, "/init", &body);
            assert_eq!(status, 502, "{text}");
            assert!(text.starts_with(r#"{"error":"The action cannot be loaded: "#), "{text}");
            assert_eq!(world.take_events(), ["write", "ended |"], "{text}");
        }
        // The body fits into the inbox, and there is no memory to inflate it into.
        let body = format!(
            r#"{{"value":{{"code":"{}"}}}}"#,
            base64(&zip("a.wasm", &[WASM_HEADER, b"echo"].concat()))
        );
        world.buffers.store(0, Ordering::SeqCst);
        let refused = error("The action cannot be loaded: this node has no memory for the module now.");
        assert_eq!(answer(executor, world, listener, "/init", &body), (502, refused));
        assert_eq!(world.take_events(), ["write", "ended |"]);
        world.buffers.store(1, Ordering::SeqCst);
        assert_eq!(answer(executor, world, listener, "/init", &body), (200, OK.into()));
    });
}

/// Wherever the code lies in the body, AOT code is aligned (the fake engine looks) and whole.
#[test]
fn aot_code_is_aligned_in_place() {
    for (script, is_long) in [
        (format!("answer:[1]{}", " ".repeat(40)), true),
        ("answer:[1]".into(), false),
    ] {
        let code = base64(&[AOT_HEADER, script.as_bytes()].concat());
        let mut loaded = 0;
        for padding in 0..32 {
            with_executor(1, settings(), |executor, world| {
                let listener = Listener::Container(executor.create().unwrap());
                let body = format!(r#"{{"value":{{"{}":0,"code":"{code}"}}}}"#, "x".repeat(padding));
                let (status, text) = answer(executor, world, listener, "/init", &body);
                if status == 200 {
                    loaded += 1;
                    assert_eq!(
                        answer(executor, world, listener, "/run", ""),
                        (200, "[1]".into()),
                        "{padding}"
                    );
                } else {
                    // The base64 of code that is too short to be true leaves no room to move it.
                    assert_eq!((status, is_long), (502, false), "{padding} {text}");
                }
            });
        }
        assert!(loaded > 0);
    }
}

#[test]
fn main_and_environment_reach_the_engine() {
    with_executor(2, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        let body = format!(r#"{{"value":{{"main":"f\u00fc\"r","code":"{}"}}}}"#, code("main"));
        assert_eq!(answer(executor, world, listener, "/init", &body).0, 200);
        assert_eq!(
            answer(executor, world, listener, "/run", "{}").1,
            error("The action did not return a dictionary or array.")
        );

        let listener = Listener::Container(executor.create().unwrap());
        let env = r#"{"__OW_NAMESPACE":"init","a":"\u0041","b":null,"c":[1]}"#;
        let body = format!(r#"{{"value":{{"env":{env},"code":"{}"}}}}"#, code("env"));
        assert_eq!(answer(executor, world, listener, "/init", &body).0, 200);
        let run = r#"{"value":{},"namespace":"run","deadline":"17","activation_id":"4\/2"}"#;
        let expected =
            r#"{"__OW_NAMESPACE":"run","a":"A","b":"","c":"[1]","__OW_DEADLINE":"17","__OW_ACTIVATION_ID":"4/2"}"#;
        let ran = answer(executor, world, listener, "/run", run).1;
        let tree = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(tree(&ran), tree(expected));
    });
}
