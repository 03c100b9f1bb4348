#![expect(clippy::unwrap_used, reason = "a test may panic")]

extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::executor::ContainerKey;
use crate::json::{self, Value};

fn id(text: &str) -> ContainerId {
    ContainerId::new(text).expect(text)
}

fn key() -> ContainerKey {
    ContainerKey::from_id(&id("ow-1-2")).expect("the form of a key")
}

#[test]
fn routes_of_the_control_listener() {
    let check = |target: &str, expected| assert_eq!(route(Listener::Control, "POST", target), expected, "{target}");
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    check("/start", Ok(Route::Start));
    check("/start?", Ok(Route::Start));
    check("http://127.0.0.1:9000/start", Ok(Route::Start));
    check(&format!("/{uuid}/init"), Ok(Route::Init(Addressee::Id(id(uuid)))));
    check(
        &format!("/{uuid}/run?blocking=true"),
        Ok(Route::Run(Addressee::Id(id(uuid)))),
    );
    check(&format!("/{uuid}/destroy"), Ok(Route::Destroy(id(uuid))));
    check("/start/init", Ok(Route::Init(Addressee::Id(id("start")))));
    check(
        &format!("/{}/run", "x".repeat(64)),
        Ok(Route::Run(Addressee::Id(id(&"x".repeat(64))))),
    );
    for nothing in [
        "/",
        "*",
        "start",
        "/init",
        "/run",
        "/start/",
        "//init",
        "/a/b/init",
        "/a/init/",
        "/a/Init",
        "/a",
        "/a/",
        "?/start",
        "http://h",
        "http://h/",
        "http:///start/x",
        "/x?http://h/start",
    ] {
        check(nothing, Err(RouteError::NotFound));
    }
    check(&format!("/{}/run", "x".repeat(65)), Err(RouteError::NotFound));
}

#[test]
fn routes_of_a_container() {
    let listener = Listener::Container(key());
    let check = |method, target, expected| assert_eq!(route(listener, method, target), expected, "{target}");
    check("POST", "/init", Ok(Route::Init(Addressee::Key(key()))));
    check("POST", "/run", Ok(Route::Run(Addressee::Key(key()))));
    check("GET", "/run", Err(RouteError::MethodNotAllowed));
    check("post", "/init", Err(RouteError::MethodNotAllowed));
    check("GET", "/", Err(RouteError::NotFound));
    check("POST", "/start", Err(RouteError::NotFound));
    check("POST", "/ow-1-2/run", Err(RouteError::NotFound));
}

#[test]
fn keys_as_ids() {
    let check = |text: &str, is_key: bool| {
        let key = ContainerKey::from_id(&id(text));
        assert_eq!(key.map(|key| key.id()).as_deref(), is_key.then_some(text), "{text}");
    };
    check("ow-0-0", true);
    check("ow-3e7-ffffffff", true);
    check("ow-ffffffff-ffffffff", true);
    for other in [
        "ow-0",
        "ow-0-",
        "ow--0",
        "ow-00-0",
        "ow-A-0",
        "ow-+1-0",
        "ow-100000000-0",
        "ow-1-1-1",
        "Ow-1-1",
        "ow-g-1",
    ] {
        check(other, false);
    }
}

/// Reads the body of an `/init`: what `code`, `main` and `env` are, or the error's text.
fn init(body: &str) -> Result<[Option<&str>; 3], String> {
    match Command::init(Addressee::Key(key()), body.as_bytes()) {
        Ok(Command::Init(_, request)) => {
            assert_eq!(request.body, body.as_bytes());
            Ok([request.code, request.main, request.env].map(|range| range.map(|range| &body[range])))
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(format!("{error}")),
    }
}

#[test]
fn bodies_of_init() {
    let check = |body: &str, expected| assert_eq!(init(body), Ok(expected), "{body}");
    let full = r#"{"value":{"name":"/ns/a","main":"main","code":"AGFz\/w==","binary":true,"env":{"A":"1"},"annotations":[{"key":"exec","value":"x"}]}}"#;
    check(full, [Some("AGFz\\/w=="), Some("main"), Some(r#"{"A":"1"}"#)]);
    for nothing in [
        "{}",
        "null",
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        r#"{"value":{"code":null,"main":null,"env":null}}"#,
        r#"{"value":{"code":"","main":""}}"#,
        r#"{"code":"A"}"#,
        r#" { "value" : { } } "#,
    ] {
        check(nothing, [None; 3]);
    }
    check(r#"{"value":{"env":{}}}"#, [None, None, Some("{}")]);
    check(
        r#"{"value":{"code":"A"},"value":{"code":"B","c\u006fde":"C"}}"#,
        [Some("C"), None, None],
    );
    // What is not used may be anything.
    check(
        r#"{"value":{"name":1,"binary":"no","annotations":{"dir":"/"},"x":[]},"y":2}"#,
        [None; 3],
    );

    let fail = |body: &str, expected: &str| {
        assert_eq!(
            init(body),
            Err(format!("Error unmarshaling request: {expected}")),
            "{body}"
        );
    };
    fail("", "unexpected end of JSON input at byte 0");
    fail("{", "unexpected end of JSON input at byte 1");
    fail("[]", "the body must be a JSON object");
    fail("3", "the body must be a JSON object");
    fail(r#"{"value":3}"#, "value must be an object");
    fail(r#"{"value":[]}"#, "value must be an object");
    fail(r#"{"value":{"code":{}}}"#, "code must be a string");
    fail(r#"{"value":{"main":1}}"#, "main must be a string");
    fail(r#"{"value":{"env":"A=1"}}"#, "env must be an object");
}

/// Reads the body of a `/run`: `value` and the deadline, or the error.
fn run(body: &str) -> Result<(String, Option<u64>), CommandError> {
    match Command::<()>::run(Addressee::Key(key()), body.as_bytes())? {
        Command::Run(_, run) => Ok((
            String::from_utf8(run.value.to_vec()).expect("it was checked"),
            run.deadline_epoch_ms,
        )),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bodies_of_run() {
    let check = |body: &str, value: &str| assert_eq!(run(body), Ok((value.into(), None)), "{body}");
    for empty in [
        "",
        " \r\n",
        "null",
        "{}",
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        r#"{"x":3}"#,
    ] {
        check(empty, "{}");
    }
    check(r#"{"value": {"a" : 1} }"#, r#"{"a" : 1}"#);
    check(r#"{"value":[1, {}]}"#, "[1, {}]");
    check(r#"{"value":1,"value":{"a":2}}"#, r#"{"a":2}"#);
    for scalar in ["3", "true", "\"{}\"", "0.5"] {
        assert_eq!(run(&format!(r#"{{"value":{scalar}}}"#)), Err(CommandError::ScalarValue));
    }
    for other in ["[]", "3", "\"a\"", "true"] {
        assert_eq!(run(other), Err(CommandError::NotObject));
    }
    assert!(matches!(run("{\"value\":"), Err(CommandError::Json(_))));
}

#[test]
fn deadlines() {
    let check = |deadline: &str, expected| {
        let body = format!(r#"{{"deadline":{deadline}}}"#);
        assert_eq!(run(&body), Ok(("{}".into(), expected)), "{deadline}");
    };
    check(r#""1700000000123""#, Some(1_700_000_000_123));
    check("1700000000123", Some(1_700_000_000_123));
    check("1.7e12", Some(1_700_000_000_000));
    check("1700000000123.9", Some(1_700_000_000_123));
    check("0", Some(0));
    for none in [
        "null", "\"\"", "\"soon\"", "-1", "1e99", "true", "{}", "\"NaN\"", "\"inf\"",
    ] {
        check(none, None);
    }
}

#[test]
fn bodies_of_destroy() {
    let check = |body: &str, expected: Option<&str>| match Command::<()>::destroy(id("a"), body.as_bytes()) {
        Command::Destroy(path, other) => {
            assert_eq!(
                (path.as_str(), other.as_ref().map(ContainerId::as_str)),
                ("a", expected),
                "{body}"
            );
        }
        other => panic!("{other:?}"),
    };
    check("", None);
    check("b", Some("b"));
    check(" \"b\"\n", Some("b"));
    check("{}", Some("{}"));
    check("b c", None);
    check(&"b".repeat(65), None);
}

fn variables<'a>(variables: impl Iterator<Item = Variable<'a>>) -> Vec<String> {
    variables
        .map(|variable| {
            let bytes = variable.name().chain(*b"=").chain(variable.value()).collect();
            String::from_utf8(bytes).expect("names and values are UTF-8")
        })
        .collect()
}

#[test]
fn variables_of_an_activation() {
    let body = r#"{"value":"not one","namespace":"guest","action_name":"\/guest\/\u0061","activation_id":"1","deadline":"17",
        "api_key":null,"n":3,"tr\u00e4":"\ud83d\ude00","a=b":"c","":"x","nul":"\u0000","\u0000":"x"}"#;
    let Ok(Value::Object(fields)) = json::parse(body.as_bytes()) else {
        panic!("an object")
    };
    let expected = [
        "__OW_NAMESPACE=guest",
        "__OW_ACTION_NAME=/guest/a",
        "__OW_ACTIVATION_ID=1",
        "__OW_DEADLINE=17",
        "__OW_TRä=😀",
    ];
    assert_eq!(variables(activation_variables(&fields)), expected);
}

#[test]
fn variables_of_init() {
    let body =
        r#"{"__OW_ACTION_NAME":"\/a","b":"x\ny","n":1.50,"t":true,"f":false,"z":null,"o":{"a": [1]},"l":[ ],"a=b":1}"#;
    let Ok(Value::Object(env)) = json::parse(body.as_bytes()) else {
        panic!("an object")
    };
    let expected = [
        "__OW_ACTION_NAME=/a",
        "b=x\ny",
        "n=1.50",
        "t=true",
        "f=false",
        "z=",
        r#"o={"a": [1]}"#,
        "l=[ ]",
    ];
    assert_eq!(variables(init_variables(&env)), expected);
}

/// The text of a reply that is made here.
fn told(error: RequestError) -> Option<(u16, String)> {
    let reply = Reply::of_request_error(&error)?;
    Some((
        reply.status.code(),
        String::from_utf8(reply.content.parts().concat()).expect("JSON is UTF-8"),
    ))
}

#[test]
fn request_errors_as_told() {
    let check = |error, status, text: &str| {
        assert_eq!(
            told(error),
            Some((status, format!(r#"{{"error":"{text}"}}"#))),
            "{error:?}"
        );
    };
    check(
        RequestError::Route(RouteError::NotFound),
        404,
        "There is nothing at this path.",
    );
    check(
        RequestError::Route(RouteError::MethodNotAllowed),
        405,
        "This path takes POST only.",
    );
    check(
        RequestError::TooLarge {
            body_len: u64::MAX,
            max_bytes: 9,
        },
        413,
        "The request's body is too large: 18446744073709551615 > 9 bytes.",
    );
    check(
        RequestError::BundleTooLarge {
            body_len: u64::MAX,
            max_bytes: 9,
        },
        413,
        "The bundle is larger than this node takes (an /init of 18446744073709551615 > 9 bytes): build \
         it smaller or for fewer targets, or give the executor a larger memory budget.",
    );
    let scalar = "The action did not receive a dictionary or array as an argument.";
    check(RequestError::Command(CommandError::ScalarValue), 404, scalar);
    assert_eq!(told(RequestError::Receive(crate::http::ReceiveError::Closed)), None);
}

/// Whatever an engine says, the reply is JSON, and it is not longer than its place.
#[test]
fn long_and_odd_texts_are_told() {
    use crate::executor::{InitError, Outcome};
    use crate::runtime::LoadError;
    for letter in ["\"", "\\", "\n", "\u{1}", "\u{85}", "é", "😀", "x"] {
        let mut reason = heapless::String::new();
        while reason.push_str(letter).is_ok() {}
        let outcome: Outcome<Never> = Outcome::InitFailed(InitError::Load(LoadError::Module(reason)));
        let reply = Reply::of_outcome(&outcome, ReplyStyle::Plain, 0);
        let body = reply.content.parts().concat();
        assert!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"].is_string(),
            "{letter:?}"
        );
        assert_eq!(reply.status.code(), 502);
    }
}

/// An engine that is never asked.
struct Never;

impl crate::runtime::Runtime for Never {
    type Buffer = Vec<u8>;
    type Action = ();
    type Finished = Never;
    type Stopper = Never;
    fn buffer(&self, _: usize) -> Result<Vec<u8>, crate::runtime::OutOfMemory> {
        unreachable!()
    }
    fn load(&self, _: crate::runtime::Init<'_, Vec<u8>>) -> Result<(), crate::runtime::LoadError> {
        unreachable!()
    }
    fn run(&self, (): &(), _: &crate::runtime::Run<'_>, _: &impl crate::runtime::Watch<Never>) -> Never {
        unreachable!()
    }
    fn prepare(&self, (): &(), _: &impl crate::runtime::Watch<Never>) {
        unreachable!()
    }
}

impl crate::runtime::Stopper for Never {
    fn stop(&self) {
        unreachable!()
    }
}

impl crate::runtime::Finished for Never {
    fn answer(&self) -> Result<&[u8], crate::runtime::RunError> {
        unreachable!()
    }
    fn logs(&self) -> crate::runtime::Logs<'_> {
        unreachable!()
    }
}
