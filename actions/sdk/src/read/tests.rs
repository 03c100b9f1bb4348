use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use core::fmt::Debug;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{DEPTH_MAX, from_slice};

/// The oracle is serde_json: the same value, or both refuse.
fn check<T: DeserializeOwned + PartialEq + Debug>(text: &[u8]) {
    let ours = from_slice::<T>(text);
    match serde_json::from_slice::<T>(text) {
        Ok(expected) => assert_eq!(ours.expect("it is JSON"), expected, "{}", text.escape_ascii()),
        Err(error) => assert!(ours.is_err(), "{error}: {ours:?}: {}", text.escape_ascii()),
    }
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "null",
    "nul",
    "nulls",
    "true",
    "false",
    "tru",
    "True",
    "0",
    "-0",
    "00",
    "01",
    "-",
    "-1",
    "+1",
    "818.571226835246499",
    "1.",
    ".1",
    "1.0",
    "1e5",
    "1e",
    "1e+",
    "1E-2",
    "1.5e+3",
    "1e400",
    "-1e400",
    "1e-400",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "9007199254740993",
    "0.1",
    "123456789012345678901234567890",
    "0x10",
    "NaN",
    "Infinity",
    "1 2",
    "1,",
    "\"\"",
    "\"a\"",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\\"\"",
    "\"\\x\"",
    "\"\\u0041\"",
    "\"\\u004\"",
    "\"\\u00e9\\n\\t\\b\\f\\r\\/\\\\\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ud83dx\"",
    "\"\\ud83d\\ud83d\"",
    "\"\\ud83d\\n\"",
    "\"\\udbff\\udfff\"",
    "\"\\uDBFF\\uE000\"",
    "\"\\uFFFF\"",
    "\"\\u+123\"",
    "\"a\nb\"",
    "\"\\\n\"",
    "\"a\u{7f}é😀\"",
    "'a'",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2]",
    "[1,,2]",
    "[",
    "]",
    "[1",
    "[1,",
    "[[]]",
    "[[]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" : 1 , \"b\" : [ ] }",
    "{a:1}",
    "{1:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1]",
    "[1}",
    "{",
    "}",
    "{\"a\":{\"b\":{\"c\":[1,{\"d\":null}]}}}",
    "\u{feff}{}",
    "\t\r\n 1 \t\r\n",
    "\u{b}1",
    "1\0",
    "/**/1",
    "{\"\\u0061\":1}",
    "{\"1\":1,\"-2\":2}",
    "{\"01\":1}",
    "{\"1 \":1}",
];

#[test]
fn the_same_as_serde_json() {
    for text in TEXTS.iter().map(|text| text.as_bytes()) {
        check::<Value>(text);
        check::<String>(text);
        check::<u8>(text);
        check::<u64>(text);
        check::<i64>(text);
        check::<bool>(text);
        check::<()>(text);
        check::<Option<u16>>(text);
        check::<Vec<Value>>(text);
        check::<(u8, u8)>(text);
        check::<BTreeMap<String, Value>>(text);
        check::<BTreeMap<i8, u8>>(text);
        check::<char>(text);
    }
    for text in [&b"\xff"[..], b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"[\"\xe9\"]", b"{}\x80"] {
        check::<Value>(text);
    }
}

/// serde_json without `float_roundtrip` may be off by one in the last place: here the oracle is the standard library.
#[test]
fn doubles_are_exact() {
    for text in [
        "0.1",
        "1e23",
        "5e-324",
        "1.7976931348623157e308",
        "9007199254740993",
        "-0",
        "123456789012345678.9e-3",
    ] {
        let expected: f64 = text.parse().expect("a double");
        assert_eq!(
            from_slice::<f64>(text.as_bytes()).expect("a double").to_bits(),
            expected.to_bits(),
            "{text}"
        );
    }
    assert_eq!(from_slice::<f32>(b"2.5").expect("a float"), 2.5);
}

#[derive(Debug, Deserialize, PartialEq)]
enum Shape {
    Point,
    Circle(u32),
    Line(i8, i8),
    Box { width: u8, height: Option<u8> },
}

#[derive(Debug, Deserialize, PartialEq)]
struct Wrapper(Vec<Shape>);

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    One { number: f64 },
    Two { shapes: Wrapper },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Strict {
    a: u8,
    #[serde(default)]
    b: Option<String>,
}

#[test]
fn enums_newtypes_and_attributes() {
    for text in [
        r#"["Point",{"Circle":7},{"Line":[1,-1]},{"Box":{"width":1}},{"Box":{"height":2,"width":1}},{"Point":null}]"#,
        r#"["Circle"]"#,
        r#"[{"Circle":-7}]"#,
        r#"[{"Line":[1]}]"#,
        r#"[{"Line":[1,2,3]}]"#,
        r#"[{"Point":1}]"#,
        r#"[{"Circle":1,"Point":null}]"#,
        r#"[{}]"#,
        r#"["Square"]"#,
        r#"[ { "Circle" : 7 } ]"#,
        r#"[1]"#,
    ] {
        check::<Wrapper>(text.as_bytes());
    }
    for text in [
        r#"{"kind":"one","number":1}"#,
        r#"{"shapes":["Point"],"kind":"two"}"#,
        r#"{"kind":"three"}"#,
        "{}",
    ] {
        check::<Tagged>(text.as_bytes());
    }
    for text in [
        r#"{"a":1}"#,
        r#"{"a":1,"b":"x"}"#,
        r#"{"a":1,"c":[{}]}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"b":null}"#,
        r#"{"a":256}"#,
    ] {
        check::<Strict>(text.as_bytes());
    }
}

#[test]
fn errors_say_what_was_expected_and_where() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its errors count")]
    struct Input {
        count: u8,
        name: String,
    }
    for (text, expected) in [
        ("{", "Expected a string at byte 1 of the input"),
        (r#"{"x":[1,]}"#, "Expected a value at byte 8 of the input"),
        (r#"{"count":1}"#, "Expected name to be present"),
        (r#"{"count":1,"count":2}"#, "Expected count only once"),
        (r#"{"count":"1"}"#, "Expected u8"),
        (r#"{"count":1.5}"#, "Expected u8"),
        (r#"{"name":1}"#, "Expected a string"),
        ("[]", "Expected struct Input"),
    ] {
        let error = from_slice::<Input>(text.as_bytes()).expect_err(text);
        assert_eq!(format!("{error}"), expected, "{text}");
    }
    assert_eq!(
        format!("{}", from_slice::<f64>(b"1e999").expect_err("too large")),
        "Expected a number in the range of a double"
    );
}

#[test]
fn nesting_ends_somewhere() {
    #[derive(Debug, Deserialize)]
    struct Nothing {}
    for (depth, is_read) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false), (1 << 20, false)] {
        let text = ["[".repeat(depth), "]".repeat(depth)].concat();
        assert_eq!(from_slice::<Value>(text.as_bytes()).is_ok(), is_read, "{depth}");
        // What is ignored counts the same; here the object is a level itself.
        let text = format!(r#"{{"ignored":{}}}"#, &text[1..text.len() - 1]);
        assert_eq!(from_slice::<Nothing>(text.as_bytes()).is_ok(), is_read, "{depth}");
    }
    let siblings = json!(vec![json!([[]]); 1000]).to_string();
    assert!(
        from_slice::<Value>(siblings.as_bytes()).is_ok(),
        "what is closed no longer counts"
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000..1000_i32).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_back(value in any_value()) {
        for text in [serde_json::to_vec(&value).expect("a value is JSON"), serde_json::to_vec_pretty(&value).expect("a value is JSON")] {
            prop_assert_eq!(&from_slice::<Value>(&text).expect("it is JSON"), &value);
        }
    }

    #[test]
    fn damaged_text_is_judged_alike(value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).expect("a value is JSON");
        *at.get_mut(&mut text[..]) = byte;
        check::<Value>(&text);
        check::<BTreeMap<String, Value>>(&text);
        text.truncate(at.index(text.len()));
        check::<Value>(&text);
    }

    #[test]
    fn tokens_in_any_order_are_judged_alike(
        tokens in prop::collection::vec(prop::sample::select(&["{", "}", "[", "]", ",", ":", "\"a\"", "1", "-0.5", "null", " "][..]), 0..12)
    ) {
        check::<Value>(tokens.concat().as_bytes());
    }
}
