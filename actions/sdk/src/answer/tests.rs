use core::convert::Infallible;
use core::fmt::Display;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{bytes, enveloped, plain, typed};

fn answer<I: DeserializeOwned, O: Serialize, E: Display>(
    action: impl FnOnce(I) -> Result<O, E>,
    input: &[u8],
) -> Vec<u8> {
    plain(typed(action)(input))
}

fn answer_in_envelope<I: DeserializeOwned, O: Serialize, E: Display>(
    action: impl FnOnce(I) -> Result<O, E>,
    input: &[u8],
) -> Vec<u8> {
    enveloped(typed(action)(input))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

fn half(input: Value) -> Result<Value, String> {
    let number = input["number"].as_i64().ok_or("Expected number to be an integer")?;
    if number % 2 == 0 {
        Ok(json!({ "half": number / 2 }))
    } else {
        Err(format!("{number} is \"odd\"\n"))
    }
}

#[test]
fn a_result_a_failure_and_bad_input_are_answers() {
    for (input, plain, envelope) in [
        (r#"{"number":4}"#, r#"{"half":2}"#, r#"{"Ok":{"half":2}}"#),
        (r#" { "number" : -4 } "#, r#"{"half":-2}"#, r#"{"Ok":{"half":-2}}"#),
        (
            r#"{"number":3}"#,
            r#"{"error":"3 is \"odd\"\n"}"#,
            r#"{"Err":{"error":"3 is \"odd\"\n"}}"#,
        ),
        (
            "[]",
            r#"{"error":"Expected number to be an integer"}"#,
            r#"{"Err":{"error":"Expected number to be an integer"}}"#,
        ),
        (
            "",
            r#"{"error":"Expected a value at byte 0 of the input"}"#,
            r#"{"Err":{"error":"Expected a value at byte 0 of the input"}}"#,
        ),
        (
            "{} x",
            r#"{"error":"Expected the end at byte 3 of the input"}"#,
            r#"{"Err":{"error":"Expected the end at byte 3 of the input"}}"#,
        ),
    ] {
        assert_eq!(text(answer(half, input.as_bytes())), plain, "{input}");
        assert_eq!(text(answer_in_envelope(half, input.as_bytes())), envelope, "{input}");
    }
}

#[test]
fn input_that_is_no_json_never_reaches_the_action() {
    for input in [&b"\xff"[..], b"{\"number\":", b"nul", b"{\"a\":\"\xc3\"}", b"'x'"] {
        let run = |_: Value| -> Result<Value, Infallible> { panic!("the action ran on {input:?}") };
        let value: BTreeMap<String, String> =
            serde_json::from_slice(&answer(run, input)).expect("an object of strings");
        assert_eq!(value.keys().collect::<Vec<_>>(), ["error"]);
    }
}

#[test]
fn types_of_ones_own() {
    #[derive(Deserialize)]
    struct Input {
        words: Vec<String>,
    }
    #[derive(Serialize)]
    struct Output {
        longest: usize,
    }
    let run = |input: Input| {
        input
            .words
            .iter()
            .map(String::len)
            .max()
            .map(|longest| Output { longest })
            .ok_or("no words")
    };
    assert_eq!(text(answer(run, br#"{"words":["a","abc"]}"#)), r#"{"longest":3}"#);
    assert_eq!(text(answer(run, br#"{"words":[]}"#)), r#"{"error":"no words"}"#);
    assert_eq!(text(answer(run, b"{}")), r#"{"error":"Expected words to be present"}"#);
}

#[test]
fn bytes_pass_unchanged() {
    let echo = |input: &[u8]| {
        if input.is_empty() {
            Err("nothing")
        } else {
            Ok(input.to_vec())
        }
    };
    let input = br#"{"b" : 1.0, "a":[1e3,"\u0041"]}"#;
    assert_eq!(plain(bytes(echo)(input)), input);
    assert_eq!(text(enveloped(bytes(echo)(b"[1]"))), r#"{"Ok":[1]}"#);
    assert_eq!(text(plain(bytes(echo)(b""))), r#"{"error":"nothing"}"#);
}

#[test]
fn a_result_that_json_cannot_hold_is_a_failure() {
    let run = |_: Value| Ok::<_, Infallible>(BTreeMap::from([(vec![1], 2)]));
    assert_eq!(
        text(answer(run, b"{}")),
        r#"{"error":"The result cannot be written as JSON"}"#
    );
    assert_eq!(
        text(answer_in_envelope(run, b"{}")),
        r#"{"Err":{"error":"The result cannot be written as JSON"}}"#
    );
}

#[test]
#[should_panic(expected = "as it is")]
fn a_panic_is_passed_on() {
    answer(|_: Value| -> Result<Value, Infallible> { panic!("as it is") }, b"{}");
}
