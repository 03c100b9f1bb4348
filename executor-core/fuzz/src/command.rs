//! Commands: what a body means, as `serde_json` reads it.

use executor_core::json::{self, Str, Value};
use executor_core::openwhisk::{Addressee, Command, CommandError, ContainerId, InitRequest};
use serde_json::Value as Oracle;

/// The input as the body of each request that has one.
pub fn check(data: &[u8]) {
    init(data);
    run(data);
    destroy(data);
}

fn somebody() -> ContainerId {
    ContainerId::new("somebody").unwrap()
}

fn addressee() -> Addressee {
    Addressee::Id(somebody())
}

/// What can be compared: a document for which both have the same limits, and in which no key that matters comes twice (a
/// wrong one then is an error, though a right one follows).
fn comparable(data: &[u8]) -> Option<Oracle> {
    let oracle = serde_json::from_slice(data).ok()?;
    let mut objects = vec![json::parse(data).ok()?];
    while let Some(value) = objects.pop() {
        let Value::Object(object) = value else { continue };
        let mut names: Vec<Vec<u8>> = object.members().map(|(name, _)| name.bytes().collect()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() != count {
            return None;
        }
        objects.extend(object.get("value"));
    }
    Some(oracle)
}

fn init(data: &[u8]) {
    let found = Command::init(addressee(), data.to_vec());
    let document = json::parse(data);
    assert_eq!(matches!(found, Err(CommandError::Json(_))), document.is_err());
    if let Ok(Command::Init(to, InitRequest { body, code, main, env })) = &found {
        assert_eq!((to, &body[..]), (&addressee(), data));
        for content in [code, main].into_iter().flatten() {
            assert!(!content.is_empty() && Str::new(&body[content.clone()]).is_ok());
            assert_eq!((body[content.start - 1], body[content.end]), (b'"', b'"'));
        }
        if let Some(env) = env {
            assert!(matches!(json::parse(&body[env.clone()]), Ok(Value::Object(_))));
        }
    }
    let Some(oracle) = comparable(data) else { return };
    let expected = init_oracle(&oracle);
    let found = found.map(|command| {
        let Command::Init(_, request) = command else {
            panic!("an init")
        };
        let text = |range| String::from_utf8(Str::new(&data[range]).unwrap().bytes().collect()).unwrap();
        let env = request.env.map(|range| serde_json::from_slice(&data[range]).unwrap());
        (request.code.map(text), request.main.map(text), env)
    });
    assert_eq!(found.ok(), expected);
}

type InitOracle = (Option<String>, Option<String>, Option<Oracle>);

/// `None`: a field has a wrong type.
fn init_oracle(body: &Oracle) -> Option<InitOracle> {
    let value = match body {
        Oracle::Null => &Oracle::Null,
        Oracle::Object(_) => &body["value"],
        _ => return None,
    };
    if !value.is_object() && !value.is_null() {
        return None;
    }
    let text = |name: &str| match &value[name] {
        Oracle::Null => Some(None),
        Oracle::String(text) => Some((!text.is_empty()).then(|| text.clone())),
        _ => None,
    };
    let env = match &value["env"] {
        Oracle::Null => None,
        env @ Oracle::Object(_) => Some(env.clone()),
        _ => return None,
    };
    Some((text("code")?, text("main")?, env))
}

fn run(data: &[u8]) {
    let found = Command::<Vec<u8>>::run(addressee(), data);
    let is_empty = data.trim_ascii().is_empty();
    let document = json::parse(data);
    assert_eq!(
        matches!(found, Err(CommandError::Json(_))),
        document.is_err() && !is_empty
    );
    if let Ok(Command::Run(_, run)) = &found {
        assert!(matches!(json::parse(run.value), Ok(Value::Object(_) | Value::Array(_))));
    }
    let oracle = if is_empty { Some(Oracle::Null) } else { comparable(data) };
    let Some(oracle) = oracle else { return };
    let found = found.map(|command| {
        let Command::Run(_, run) = command else { panic!("a run") };
        let value: Oracle = serde_json::from_slice(run.value).unwrap();
        let deadline = run.fields.get("deadline");
        // Digits that are written as escapes are none to the product.
        let is_plain = !matches!(deadline, Some(Value::String(text)) if text.raw().contains(&b'\\'));
        (value, is_plain, run.deadline_epoch_ms)
    });
    let expected = match &oracle {
        Oracle::Null => Some(Oracle::Object(serde_json::Map::new())),
        Oracle::Object(_) => match &oracle["value"] {
            Oracle::Null => Some(Oracle::Object(serde_json::Map::new())),
            value @ (Oracle::Object(_) | Oracle::Array(_)) => Some(value.clone()),
            _ => None,
        },
        _ => None,
    };
    match (found, expected) {
        (Ok((value, is_plain, deadline)), Some(expected)) => {
            assert_eq!(value, expected);
            let field = oracle.get("deadline").unwrap_or(&Oracle::Null);
            if is_plain {
                assert_eq!(deadline, deadline_oracle(field), "{field}");
            }
        }
        (found, expected) => assert_eq!(found.ok().map(|found| found.0), expected),
    }
}

/// Whole milliseconds, from a number or from its text.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn deadline_oracle(field: &Oracle) -> Option<u64> {
    let whole = |number: f64| (0.0..9.2e18).contains(&number).then_some(number as u64);
    match field {
        Oracle::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Oracle::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

fn destroy(data: &[u8]) {
    let Command::<Vec<u8>>::Destroy(of_path, of_body) = Command::destroy(somebody(), data) else {
        panic!("a destroy")
    };
    assert_eq!(of_path, somebody());
    if let Some(id) = of_body {
        assert!(!id.as_str().is_empty() && id.as_str().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
        assert!(std::str::from_utf8(data).unwrap().contains(id.as_str()));
    }
}
