//! Heads of requests: against `httparse`, and against the grammar of RFC 9112, read naively.

use executor_core::http::{BodyLength, Framing, Head, HeadError, Status, Version, parse_head};

/// More fields than a head of the longest input has.
const FIELDS_MAX: usize = 2048;

/// Beyond this, not every cut of a head is tried.
const CUT_MAX_BYTES: usize = 300;

/// The input as what has come of a connection.
pub fn check(data: &[u8]) {
    let found = parse_head(data);
    let naive = naive_head(data);
    match found {
        Ok(Status::Complete(head)) => {
            assert_eq!(Some(summary(&head)), naive, "taken");
            assert_httparse_agrees(data, &head);
            for cut in cuts(head.len) {
                assert_eq!(parse_head(&data[..cut]), Ok(Status::Partial), "cut at {cut}");
            }
            assert_eq!(parse_head(&data[..head.len]), found, "what follows does not matter");
        }
        Ok(Status::Partial) => {
            assert_eq!(naive, None, "more is waited for");
            for cut in cuts(data.len()) {
                assert_eq!(parse_head(&data[..cut]), Ok(Status::Partial), "cut at {cut}");
            }
        }
        Err(error) => {
            assert_eq!(naive, None, "refused: {error}");
            assert_is_final(data, error);
        }
    }
}

fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len.min(CUT_MAX_BYTES)).chain((CUT_MAX_BYTES..len).step_by(97))
}

/// Whatever comes next, the head stays refused, and for the same reason.
fn assert_is_final(data: &[u8], error: HeadError) {
    for more in [&b"\r\n\r\n"[..], b"x", b"Host: x\r\nContent-Length: 1\r\n\r\n"] {
        assert_eq!(parse_head(&[data, more].concat()), Err(error));
    }
}

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    method: String,
    target: String,
    is_http_1_0: bool,
    /// The length of the body.
    pub body_length: BodyLength,
    /// The client wants to go on.
    pub keep_alive: bool,
    expects_continue: bool,
    /// The head's length.
    pub len: usize,
}

fn summary(head: &Head<'_>) -> Summary {
    let Framing {
        version,
        body_length,
        keep_alive,
        expects_continue,
    } = head.framing;
    Summary {
        method: head.method.to_owned(),
        target: head.target.to_owned(),
        is_http_1_0: version == Version::Http10,
        body_length,
        keep_alive,
        expects_continue,
        len: head.len,
    }
}

fn assert_httparse_agrees(data: &[u8], head: &Head<'_>) {
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(data) {
        Ok(httparse::Status::Complete(len)) => {
            assert_eq!(len, head.len);
            assert_eq!(request.method, Some(head.method));
            assert_eq!(request.path, Some(head.target));
            assert_eq!(request.version == Some(0), head.framing.version == Version::Http10);
        }
        // It knows no later minor versions.
        Err(httparse::Error::Version) => assert_eq!(head.framing.version, Version::Http11),
        other => panic!("httparse disagrees: {other:?}"),
    }
}

/// A head that is whole and right, else nothing. Splits, loops and copies: nothing is clever.
pub fn naive_head(data: &[u8]) -> Option<Summary> {
    // RFC 9112 §2.2: one empty line before the request line is skipped.
    let skipped = if data.starts_with(b"\r\n") { 2 } else { 0 };
    let end = skipped + find(&data[skipped..], b"\r\n\r\n")?;
    let mut lines = Vec::new();
    let mut rest = &data[skipped..end + 2];
    while let Some(at) = find(rest, b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    let is_bad = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    if lines.iter().any(|line| line.iter().any(is_bad)) {
        return None;
    }
    let words: Vec<&[u8]> = lines.first()?.split(|byte| *byte == b' ').collect();
    let &[method, target, version] = words.as_slice() else {
        return None;
    };
    let is_http_1_0 = version == b"HTTP/1.0";
    let is_later = version.len() == 8 && version.starts_with(b"HTTP/1.") && version[7].is_ascii_digit();
    if !is_token(method) || !is_target(method, target) || !is_later {
        return None;
    }
    let mut fields = Vec::new();
    for line in &lines[1..] {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        let is_control = |byte: &u8| *byte != b'\t' && (*byte < 0x20 || *byte == 0x7f);
        if !is_token(name) || value.iter().any(is_control) {
            return None;
        }
        fields.push((name.to_ascii_lowercase(), value.to_ascii_lowercase()));
    }
    let values = |name: &str| -> Vec<&Vec<u8>> {
        let named = fields.iter().filter(|field| field.0 == name.as_bytes());
        named.map(|field| &field.1).collect()
    };
    let hosts = values("host");
    if hosts.len() > 1 || (hosts.is_empty() && !is_http_1_0) || !hosts.iter().all(|host| is_host(host)) {
        return None;
    }
    let bytes = match values("content-length").as_slice() {
        [] => 0,
        [one] if one.iter().all(u8::is_ascii_digit) => std::str::from_utf8(one).ok()?.parse().ok()?,
        _ => return None,
    };
    // Once, alone, and the body is nothing else.
    let body_length = match values("transfer-encoding").as_slice() {
        [] => BodyLength::Bytes(bytes),
        [one] if one.as_slice() == b"chunked" && !is_http_1_0 && values("content-length").is_empty() => {
            BodyLength::Chunked
        }
        _ => return None,
    };
    let expectations = values("expect");
    let expects_continue = !expectations.is_empty() && !is_http_1_0;
    if expects_continue && expectations.iter().any(|value| value.as_slice() != b"100-continue") {
        return None;
    }
    let connection = values("connection");
    let options: Vec<&[u8]> = connection
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(trim)
        .collect();
    let wants = |option: &str| options.contains(&option.as_bytes());
    Some(Summary {
        method: String::from_utf8(method.to_vec()).ok()?,
        target: String::from_utf8(target.to_vec()).ok()?,
        is_http_1_0,
        body_length,
        keep_alive: !wants("close") && (!is_http_1_0 || wants("keep-alive")),
        expects_continue,
        len: end + 4,
    })
}

/// Where `needle` begins.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// RFC 9112 §3.2, with the characters of RFC 3986.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    let is_of_uri = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(byte);
    if !target.iter().all(is_of_uri) {
        return false;
    }
    if method == b"CONNECT" {
        let colon = target.iter().rposition(|byte| *byte == b':');
        return colon.is_some_and(|at| at > 0 && at + 1 < target.len() && is_host(target));
    }
    let lower = target.to_ascii_lowercase();
    let authority = lower.strip_prefix(b"http://").or(lower.strip_prefix(b"https://"));
    match authority {
        Some(rest) => {
            let end = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
            end > 0 && is_host(&rest[..end])
        }
        None => target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS"),
    }
}

/// A name or an address in brackets, and perhaps a port.
fn is_host(host: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
    let rest = if host.starts_with(b"[") {
        let Some(end) = find(host, b"]") else { return false };
        if end == 1 || !host[1..end].iter().all(|byte| *byte == b':' || is_of_name(byte)) {
            return false;
        }
        &host[end + 1..]
    } else {
        let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
        if !host[..end].iter().all(is_of_name) {
            return false;
        }
        &host[end..]
    };
    rest.is_empty() || (rest[0] == b':' && rest[1..].iter().all(u8::is_ascii_digit))
}

/// RFC 9110 §5.6.2
fn is_token(text: &[u8]) -> bool {
    let separators = b"\"(),/:;<=>?@[\\]{}";
    !text.is_empty()
        && text
            .iter()
            .all(|byte| (0x21..=0x7e).contains(byte) && !separators.contains(byte))
}

fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(start, |last| last + 1);
    &text[start..end]
}
