#![expect(clippy::unwrap_used, reason = "a test may panic")]

extern crate std;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;
use serde_json::Value as Tree;

use super::*;

/// Text the fault, or `"ok"`.
fn verdict(document: &[u8]) -> String {
    parse(document).map_or_else(|error| error.to_string(), |_| "ok".into())
}

#[test]
fn documents() {
    let check = |document: &str, expected: &str| assert_eq!(verdict(document.as_bytes()), expected, "{document:?}");
    for valid in [
        "null",
        " true ",
        "\t\r\nfalse",
        "0",
        "-0",
        "-0.0e-0",
        "10",
        "1.5",
        "1E+2",
        "1e2",
        r#""""#,
        r#""\u0041""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "[]",
        "[ ]",
        "[1 , 2]",
        "{}",
        "{ }",
        r#"{"":0}"#,
        r#"{"a" : [ {"b":[[],{}]} ] , "a":1}"#,
        "\"\u{7f}\u{80}é€😀\"",
    ] {
        check(valid, "ok");
    }
    check("", "unexpected end of JSON input at byte 0");
    check("  ", "unexpected end of JSON input at byte 2");
    check("nul", "unexpected end of JSON input at byte 3");
    check("nulL", "a JSON value is missing at byte 0");
    check("nil", "a JSON value is missing at byte 0");
    check("nullx", "text after the JSON value at byte 4");
    check("{} {}", "text after the JSON value at byte 3");
    check("+1", "a JSON value is missing at byte 0");
    check(".5", "a JSON value is missing at byte 0");
    check("NaN", "a JSON value is missing at byte 0");
    check("-", "unexpected end of JSON input at byte 1");
    check("-a", "malformed number at byte 1");
    check("01", "text after the JSON value at byte 1");
    check("1.", "unexpected end of JSON input at byte 2");
    check("1.e5", "malformed number at byte 2");
    check("1e", "unexpected end of JSON input at byte 2");
    check("1e+x", "malformed number at byte 3");
    check("0x1", "text after the JSON value at byte 1");
    check("[", "unexpected end of JSON input at byte 1");
    check("[,]", "a JSON value is missing at byte 1");
    check("[1,]", "a JSON value is missing at byte 3");
    check("[1 2]", "a comma or a closing bracket is missing at byte 3");
    check("[1}", "a comma or a closing bracket is missing at byte 2");
    check("]", "a JSON value is missing at byte 0");
    check("{", "unexpected end of JSON input at byte 1");
    check("{1:2}", "a key in quotes is missing at byte 1");
    check("{'a':2}", "a key in quotes is missing at byte 1");
    check(r#"{"a"}"#, "a colon is missing at byte 4");
    check(r#"{"a":}"#, "a JSON value is missing at byte 5");
    check(r#"{"a":1,}"#, "a key in quotes is missing at byte 7");
    check(r#"{"a":1]"#, "a comma or a closing bracket is missing at byte 6");
    check(r#"{"a":1 "b":2}"#, "a comma or a closing bracket is missing at byte 7");
    check(r#"""#, "unexpected end of JSON input at byte 1");
    check("\"\n\"", "control character in a string at byte 1");
    check("\"\0\"", "control character in a string at byte 1");
    check(r#""\x""#, "malformed escape in a string at byte 1");
    check(r#""\u12g4""#, "malformed escape in a string at byte 1");
    check(r#""\u12"#, "unexpected end of JSON input at byte 1");
    check("\u{feff}1", "a JSON value is missing at byte 0");
    check("\u{a0}1", "a JSON value is missing at byte 0");
    check("/**/1", "a JSON value is missing at byte 0");
    for not_utf8 in [
        &b"\"\xff\""[..],
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
    ] {
        assert_eq!(verdict(not_utf8), "not UTF-8 at byte 1");
    }
}

#[test]
fn nesting_is_bounded() {
    let max = crate::limits::JSON_MAX_DEPTH;
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        let levels = if open.len() == 6 { 2 } else { 1 };
        assert_eq!(verdict(nested(open, close, max / levels).as_bytes()), "ok");
        let deeper = nested(open, close, max / levels + 1);
        let error = parse(deeper.as_bytes()).unwrap_err();
        assert_eq!(error.fault, Fault::Depth);
    }
    // Far deeper than a recursive parser's stack would be.
    assert_eq!(parse("[".repeat(1 << 20).as_bytes()).unwrap_err().fault, Fault::Depth);
}

/// A special byte is found wherever in a chunk it is.
#[test]
fn every_place_in_a_long_string_is_looked_at() {
    for len in 0..140 {
        for place in 0..len {
            for (special, fault) in [
                (b'\n', Fault::Control),
                (b'\x1f', Fault::Control),
                (b'\\', Fault::Escape),
            ] {
                let mut document = [b"\"".as_slice(), &std::vec![b'x'; len], b"\""].concat();
                document[1 + place] = special;
                let error = parse(&document).unwrap_err();
                // `\x` in the middle, `\"` at the end, where the closing quote is then missing.
                let at_end = special == b'\\' && place + 1 == len;
                let expected = if at_end {
                    (document.len(), Fault::End)
                } else {
                    (1 + place, fault)
                };
                assert_eq!((error.offset, error.fault), expected, "{len} {place}");
            }
        }
    }
}

/// Both ways of looking at many bytes at once, whichever this processor takes: they stop at the block of the first byte that is
/// special, and at no other.
#[test]
fn blocks_are_plain_or_not() {
    let check = |text: &[u8], is_utf8: bool| {
        let first = text
            .iter()
            .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\' || !(is_utf8 || byte < 0x80))
            .unwrap_or(text.len());
        assert_eq!(scan::plain_chunks_len(text, is_utf8), first / 64 * 64, "{text:?}");
        let word = size_of::<usize>();
        assert_eq!(scan::plain_words_len(text, is_utf8), first / word * word, "{text:?}");
    };
    for neighbour in [0x20, 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']'] {
        for place in 0..64 {
            for byte in 0..=u8::MAX {
                let mut text = [neighbour; 64];
                text[place] = byte;
                check(&text, false);
                check(&text, true);
            }
        }
    }
}

/// Wherever the first character beyond ASCII is, all behind it is checked.
#[test]
fn bytes_that_are_not_utf8_are_found_wherever_they_are() {
    for len in 0..140 {
        for place in 0..len {
            for before in ["", "\u{e9}", "\\n"] {
                let mut document = ["[\"", before, "\", \"", &"x".repeat(len), "\"]"].concat().into_bytes();
                let at = document.len() - 2 - len + place;
                document[at] = 0xff;
                let error = parse(&document).unwrap_err();
                assert_eq!(
                    (error.offset, error.fault),
                    (at, Fault::Utf8),
                    "{before:?} {len} {place}"
                );
            }
        }
    }
}

#[test]
fn members_and_spans() {
    let body = br#" { "a" : 1 , "b":{"c":"x\"}y"},"\u0061": [ 2,"]"] , "e":"" } "#;
    let Ok(Value::Object(object)) = parse(body) else {
        panic!("an object")
    };
    assert_eq!(&body[object.span()], object.raw());
    let members: Vec<_> = object.members().map(|(key, value)| (key.raw(), value)).collect();
    assert_eq!(
        members.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        [&b"a"[..], b"b", br"\u0061", b"e"]
    );
    assert_eq!(members[0].1, Value::Number("1"));
    // The last of two that mean the same counts.
    let Some(Value::Array(array)) = object.get("a") else {
        panic!("an array")
    };
    assert_eq!((array.raw(), &body[array.span()]), (&br#"[ 2,"]"]"#[..], array.raw()));
    let Some(Value::Object(inner)) = object.get("b") else {
        panic!("an object")
    };
    assert_eq!(&body[inner.span()], br#"{"c":"x\"}y"}"#);
    let Some(Value::String(text)) = inner.get("c") else {
        panic!("a string")
    };
    assert_eq!(&body[text.span()], br#"x\"}y"#);
    assert!(text.is("x\"}y") && !text.is("x\"}") && !text.is(r#"x\"}y"#));
    assert_eq!(object.get("f"), None);
    assert_eq!(Object::EMPTY.members().count(), 0);
}

#[test]
fn contents_alone() {
    let check = |content: &[u8], expected: Result<&str, (usize, Fault)>| {
        let result = Str::new(content).map(|text| String::from_utf8(text.bytes().collect()).unwrap());
        let result = result.map_err(|error| (error.offset, error.fault));
        assert_eq!(result, expected.map(String::from), "{content:?}");
    };
    check(b"", Ok(""));
    check(br"main\n\u00e9", Ok("main\né"));
    check(br"\ud83d\ude00", Ok("😀"));
    check(br"\ud83d\u0041", Ok("\u{fffd}A"));
    check(br"\ude00\ud83d", Ok("\u{fffd}\u{fffd}"));
    check(br"\b\f\n\r\t\/\\", Ok("\u{8}\u{c}\n\r\t/\\"));
    check(b"a\"b", Err((2, Fault::Trailing)));
    check(b"a\x01", Err((1, Fault::Control)));
    check(b"a\\", Err((1, Fault::End)));
    check(br"\u00", Err((0, Fault::End)));
    check(b"\xff", Err((0, Fault::Utf8)));
}

/// What `serde_json` says, of which a raw value is checked for its grammar only, as here.
fn oracle_accepts(document: &[u8]) -> bool {
    std::str::from_utf8(document).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// Checks all of a value against the oracle's.
fn check_same(value: Value<'_>, tree: &Tree) {
    match (value, tree) {
        (Value::Null, Tree::Null) => {}
        (Value::Bool(ours), Tree::Bool(theirs)) => assert_eq!(ours, *theirs),
        (Value::Number(ours), Tree::Number(theirs)) => assert_eq!(ours, theirs.to_string()),
        (Value::String(ours), Tree::String(theirs)) => {
            assert_eq!(String::from_utf8(ours.bytes().collect()).unwrap(), *theirs);
            assert!(ours.is(theirs));
        }
        // The oracle does not always read back the number that it wrote, but it does read the same text alike.
        (Value::Array(ours), Tree::Array(_)) => assert_eq!(
            serde_json::from_slice::<Tree>(ours.raw()).unwrap(),
            serde_json::from_str::<Tree>(&tree.to_string()).unwrap()
        ),
        (Value::Object(ours), Tree::Object(theirs)) => {
            for (key, tree) in theirs {
                check_same(ours.get(key).expect("the oracle has it"), tree);
            }
            for (key, _) in ours.members() {
                let key = String::from_utf8(key.bytes().collect()).unwrap();
                assert!(theirs.contains_key(&key), "{key:?}");
            }
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}

/// Documents made of the parts that matter to a JSON parser, in any order.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(std::vec![
        "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"", "\\", "\\\"", "\\u", "d800", "dc00", "0", "1", "-", ".",
        "e", "+", "true", "null", "fals", " ", "\n", "\u{1}", "é", "{}", "[]", "\"\"", "\\ud83d", "\\ude00",
    ]);
    prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        any::<f64>().prop_map(Tree::from),
        any::<String>().prop_map(Tree::from),
        "[\"\\\\a-b]{0,70}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::from),
            prop::collection::vec((".{0,3}", inner), 0..6)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn accepts_what_the_oracle_accepts(document in fragments()) {
        prop_assert_eq!(parse(document.as_bytes()).is_ok(), oracle_accepts(document.as_bytes()));
    }

    #[test]
    fn accepts_no_more_after_a_change(tree in trees(), pretty in any::<bool>(), place: prop::sample::Index, byte in any::<u8>()) {
        let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) };
        let mut document = text.unwrap().into_bytes();
        let place = place.index(document.len());
        document[place] = byte;
        prop_assert_eq!(parse(&document).is_ok(), oracle_accepts(&document));
        document.truncate(place);
        prop_assert_eq!(parse(&document).is_ok(), oracle_accepts(&document));
    }

    #[test]
    fn reads_what_the_oracle_wrote(tree in trees(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) };
        let text = text.unwrap();
        check_same(parse(text.as_bytes()).unwrap(), &tree);
    }

    #[test]
    fn decodes_as_the_oracle_does(content in fragments()) {
        let text = format!("\"{content}\"");
        // Where it refuses a lone surrogate, we decode to some valid UTF-8.
        match (Str::new(content.as_bytes()), serde_json::from_str::<String>(&text)) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours.bytes().collect::<Vec<_>>(), theirs.into_bytes()),
            (Ok(ours), Err(_)) => {
                prop_assert!(content.contains("\\u"));
                prop_assert!(String::from_utf8(ours.bytes().collect()).unwrap().contains(char::REPLACEMENT_CHARACTER));
            }
            (Err(_), Ok(_)) => prop_assert!(false, "refused"),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn size_hints_hold(content in fragments()) {
        if let Ok(text) = Str::new(content.as_bytes()) {
            let (low, high) = text.bytes().size_hint();
            let count = text.bytes().count();
            prop_assert!(low <= count && count <= high.unwrap());
        }
    }
}
