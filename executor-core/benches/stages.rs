//! The stages of a request, each by itself: `cargo bench --package executor-core --features wamr,fast-interpreter`.
//!
//! What a client meets is measured by `cargo xtask evaluate`; this says which stage has become slower.
#![allow(clippy::unwrap_used, reason = "a bench fails so")]

#[path = "../tests/engine/host.rs"]
mod host;

use std::convert::Infallible;
use std::sync::OnceLock;

use action_bundle::{Artifact, ContentHash, Kind, Policy};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use executor_core::http::{Inbox, Persistence, StatusCode, write_response};
use executor_core::json;
use executor_core::openwhisk::{Addressee, Command, ContainerId};
use executor_core::runtime::{Body, Finished as _, Init, Run, Runtime, Unwatched};
use executor_core::wamr::{Buffer, Config, Engine};
use parking_lot::RawMutex;

use self::host::StillHost;

fn main() {
    divan::main();
}

/// As long as `add`'s bundle, and its module.
const CODE_BYTES: [usize; 2] = [36 * 1024, 118 * 1024];

const HEAD: &str = "POST /a3f9c2/run HTTP/1.1\r\nHost: 10.0.0.7:9000\r\nConnection: keep-alive\r\n\
    Content-Type: application/json\r\nAccept: application/json\r\nAccept-Encoding: gzip,deflate\r\n\
    User-Agent: Apache-HttpClient/4.5.13 (Java/11.0.20)\r\nContent-Length: 0\r\n\r\n";

const RUN: &str = r#"{"value":{"param1":2,"param2":2},"namespace":"guest","action_name":"/guest/add",
    "action_version":"0.0.1","api_host":"http://10.0.0.1:3233","activation_id":"7d5a2c1b3f9e4a60b2c81d0e6f7a8b9c",
    "transaction_id":"XkR3bQnT","deadline":"1767225600000"}"#;

/// Bytes that do not compress and are no pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(&mut next).take(len).collect()
}

fn base64(len: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    noise(len.div_ceil(3) * 4)
        .into_iter()
        .map(|byte| ALPHABET[usize::from(byte) % 64])
        .collect()
}

fn container() -> Addressee {
    Addressee::Id(ContainerId::new("a3f9c2").unwrap())
}

#[divan::bench]
fn head(bencher: Bencher<'_, '_>) {
    let mut memory = vec![0; 64 * 1024];
    bencher.bench_local(|| {
        let mut inbox = Inbox::new(&mut memory);
        inbox
            .read_head(&mut HEAD.as_bytes(), |head| head.framing.keep_alive)
            .unwrap()
    });
}

#[divan::bench]
fn command_of_run() -> bool {
    Command::<Vec<u8>>::run(container(), black_box(RUN.as_bytes())).is_ok()
}

#[divan::bench(args = CODE_BYTES)]
fn command_of_init(bencher: Bencher<'_, '_>, code_bytes: usize) {
    let code = String::from_utf8(base64(code_bytes)).unwrap();
    let body = format!(r#"{{"value":{{"name":"add","main":"main","binary":true,"env":{{}},"code":"{code}"}}}}"#);
    bencher
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| body.clone().into_bytes())
        .bench_values(|body| Command::init(container(), body).is_ok());
}

#[divan::bench(args = CODE_BYTES)]
fn decode_base64(bencher: Bencher<'_, '_>, code_bytes: usize) {
    let text = base64(code_bytes);
    bencher
        .counter(BytesCount::new(text.len()))
        .with_inputs(|| text.clone())
        .bench_values(|mut text| action_bundle::decode_base64(&mut text).unwrap());
}

/// Found and hashed: a module as it is.
#[divan::bench(args = CODE_BYTES)]
fn locate(bencher: Bencher<'_, '_>, code_bytes: usize) {
    let code = [b"\0asm\x01\0\0\0".as_slice(), &noise(code_bytes)].concat();
    let policy = Policy {
        trusted_keys: &[],
        trust_any_aot: false,
        allow_uninterruptible: false,
        node: None,
        artifact_max_bytes: usize::MAX,
        verified: None,
    };
    bencher
        .counter(BytesCount::new(code.len()))
        .bench(|| action_bundle::locate(black_box(&code), &policy).is_ok());
}

/// A connection whose other end takes everything.
struct Sink(Vec<u8>);

impl embedded_io::ErrorType for Sink {
    type Error = Infallible;
}

impl embedded_io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[divan::bench]
fn response(bencher: Bencher<'_, '_>) {
    let mut spare = vec![0; 4096];
    let mut sink = Sink(Vec::with_capacity(4096));
    let answer: [&[u8]; 3] = [b"", br#"{"result":4}"#, b""];
    bencher.bench_local(|| {
        sink.0.clear();
        let persistence = Persistence::Open;
        write_response(&mut sink, &mut spare, StatusCode::Ok, persistence, &answer).unwrap();
        sink.0.len()
    });
}

type WamrEngine = Engine<StillHost, RawMutex>;
type Action = <WamrEngine as Runtime>::Action;

fn engine() -> &'static WamrEngine {
    static ENGINE: OnceLock<WamrEngine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start(StillHost, Config::default()).unwrap())
}

fn echo() -> Vec<u8> {
    wat::parse_str(include_str!("../tests/engine/guests/echo.wat")).unwrap()
}

fn load(module: &[u8]) -> Action {
    let mut body = module.to_vec();
    let artifact = Artifact {
        kind: Kind::Wasm,
        range: 0..module.len(),
        hash: ContentHash::of(module),
    };
    let init = Init::<Buffer> {
        body: Body::InPlace(&mut body),
        inflated: None,
        artifact,
        main: None,
        env: None,
    };
    engine().load(init).unwrap()
}

/// Loaded and unloaded: a module of one page of memory and two functions.
#[divan::bench]
fn load_module(bencher: Bencher<'_, '_>) {
    let module = echo();
    bencher.bench(|| load(&module));
}

/// A first instance, made and thrown away with its module.
#[divan::bench]
fn load_and_instantiate(bencher: Bencher<'_, '_>) {
    let module = echo();
    bencher.bench(|| {
        let action = load(&module);
        engine().prepare(&action, &Unwatched);
        action
    });
}

/// On an instance that is kept and put back.
#[divan::bench]
fn run(bencher: Bencher<'_, '_>) {
    let action = load(&echo());
    engine().prepare(&action, &Unwatched);
    let json::Value::Object(fields) = json::parse(b"{}").unwrap() else {
        panic!("it is an object")
    };
    let run = Run {
        value: br#"{"param1":2,"param2":2}"#,
        fields,
        deadline_epoch_ms: None,
    };
    bencher.bench(|| {
        let finished = engine().run(&action, &run, &Unwatched);
        finished.answer().is_ok()
    });
}
