//! JSON: the same documents are taken as by `serde_json`, and mean the same.

use executor_core::json::{self, Fault, Object, Str, Value};
use executor_core::limits::JSON_MAX_DEPTH;
use serde::de::IgnoredAny;
use serde_json::Value as Oracle;

/// The input as a document, and as the content of a string.
pub fn check(data: &[u8]) {
    document(data);
    content(data);
}

/// What `serde_json` says of the grammar alone, at any depth and with any surrogates.
pub fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

fn document(data: &[u8]) {
    let value = match json::parse(data) {
        Ok(value) => value,
        Err(error) if error.fault == Fault::Depth => {
            assert!(depth(data) > JSON_MAX_DEPTH, "refused for its depth");
            return;
        }
        Err(error) => {
            assert!(!is_json(data), "refused: {error}");
            assert!(error.offset <= data.len());
            return;
        }
    };
    assert!(is_json(data), "taken");
    // No more than the grammar can be compared where `serde_json` has other limits: surrogates, numbers, depth.
    if let Ok(oracle) = serde_json::from_slice::<Oracle>(data) {
        assert_means(data, value, &oracle);
    }
}

/// How deep the brackets of a text nest that is JSON as far as it goes.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut is_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => depth += 1,
            b']' | b'}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn assert_means(document: &[u8], value: Value<'_>, oracle: &Oracle) {
    match (value, oracle) {
        (Value::Null, Oracle::Null) => {}
        (Value::Bool(ours), Oracle::Bool(theirs)) => assert_eq!(ours, *theirs),
        (Value::Number(text), Oracle::Number(_)) => {
            assert_eq!(serde_json::from_str::<Oracle>(text).unwrap(), *oracle);
        }
        (Value::String(text), Oracle::String(theirs)) => assert_string(document, text, theirs),
        (Value::Array(array), Oracle::Array(_)) => {
            assert_eq!(document.get(array.span()), Some(array.raw()));
            assert_eq!(serde_json::from_slice::<Oracle>(array.raw()).unwrap(), *oracle);
        }
        (Value::Object(object), Oracle::Object(_)) => assert_object(document, object, oracle),
        (ours, theirs) => panic!("{ours:?} is not {theirs}"),
    }
}

fn assert_object(document: &[u8], object: Object<'_>, oracle: &Oracle) {
    assert_eq!(document.get(object.span()), Some(object.raw()));
    assert_eq!(serde_json::from_slice::<Oracle>(object.raw()).unwrap(), *oracle);
    let mut names = Vec::new();
    for (name, _) in object.members() {
        let text = String::from_utf8(name.bytes().collect()).unwrap();
        assert_string(document, name, &text);
        assert!(name.is(&text));
        // The last of a key's members counts, for both.
        assert_means(document, object.get(&text).unwrap(), &oracle[&text]);
        names.push(text);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), oracle.as_object().unwrap().len());
}

fn assert_string(document: &[u8], text: Str<'_>, oracle: &str) {
    assert_eq!(document.get(text.span()), Some(text.raw()));
    assert_eq!(text.bytes().collect::<Vec<u8>>(), oracle.as_bytes());
    assert_eq!(text.is_empty(), text.raw().is_empty());
    let (least, most) = text.bytes().size_hint();
    assert!((least..=most.unwrap()).contains(&oracle.len()));
}

fn content(data: &[u8]) {
    let quoted = [b"\"", data, b"\""].concat();
    match Str::new(data) {
        Err(error) => assert!(!is_json(&quoted), "refused: {error}"),
        Ok(text) => {
            assert!(is_json(&quoted), "taken");
            match serde_json::from_slice::<String>(&quoted) {
                Ok(oracle) => assert_string(data, text, &oracle),
                // A surrogate without its partner, which here means U+FFFD.
                Err(_) => assert!(String::from_utf8(text.bytes().collect()).unwrap().contains('\u{fffd}')),
            }
        }
    }
}
