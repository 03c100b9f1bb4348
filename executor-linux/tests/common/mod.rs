//! The real binary, and clients that speak to it over real sockets.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod guests;
pub mod openwhisk;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Names another program to test than the one that Cargo has built: a JSON array of words, which may begin with an emulator:
/// `["/usr/bin/qemu-aarch64","-cpu","cortex-a72","/path/executor-arm"]`.
const COMMAND_VARIABLE: &str = "EXECUTOR_TEST_COMMAND";

/// How much longer an emulated program may take. It stays below what keeps "at once" apart from "one after the other" in
/// the tests that ask for it.
const EMULATION_FACTOR: u32 = 3;

/// Far longer than anything takes; a test that waits so long has failed.
pub fn patience() -> Duration {
    allowance(Duration::from_secs(30))
}

/// The time that something may take which takes `native` at most where the program runs by itself.
pub fn allowance(native: Duration) -> Duration {
    if is_emulated() {
        native * EMULATION_FACTOR
    } else {
        native
    }
}

/// The command under test, word by word.
fn command_words() -> Vec<String> {
    match std::env::var(COMMAND_VARIABLE) {
        Ok(text) => {
            let words: Vec<String> = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{COMMAND_VARIABLE} is no JSON array of words: {error}: {text}"));
            assert!(!words.is_empty(), "{COMMAND_VARIABLE} is empty");
            words
        }
        Err(_) => vec![env!("CARGO_BIN_EXE_executor-linux").to_owned()],
    }
}

/// The name that the program under test goes by.
pub fn program_name() -> String {
    let words = command_words();
    let path = std::path::Path::new(words.last().unwrap());
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Whether something else than the processor runs the program: what `/proc` tells of the process is the emulator's then.
pub fn is_emulated() -> bool {
    command_words().len() > 1
}

pub const SENTINEL: &str = "XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX";

/// What a process has written on one stream so far, and whether it has closed it.
type Written = (Vec<u8>, bool);

/// A process's stream, collected by a thread.
#[derive(Clone, Default)]
pub struct Output(Arc<(Mutex<Written>, Condvar)>);

impl Output {
    fn collect(mut stream: impl Read + Send + 'static) -> Self {
        let output = Output::default();
        let shared = output.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let len = stream.read(&mut bytes).unwrap_or(0);
                let mut state = shared.0.0.lock().unwrap();
                state.0.extend_from_slice(&bytes[..len]);
                state.1 = len == 0;
                shared.0.1.notify_all();
                if len == 0 {
                    return;
                }
            }
        });
        output
    }

    pub fn text(&self) -> String {
        let state = self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&state.0).into_owned()
    }

    /// Wait until `condition` holds for what was written so far.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        let mut state = self.0.0.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&state.0).into_owned();
            if condition(&text) {
                return text;
            }
            assert!(!state.1, "the stream ended before {what}: {text}");
            assert!(since.elapsed() < patience(), "no {what} in: {text}");
            state = self.0.1.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
    }

    /// Everything, once the process has closed the stream.
    pub fn whole(&self) -> String {
        let since = Instant::now();
        let mut state = self.0.0.lock().unwrap();
        while !state.1 {
            assert!(since.elapsed() < patience());
            state = self.0.1.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
        String::from_utf8_lossy(&state.0).into_owned()
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub stdout: Output,
    pub stderr: Output,
}

pub fn command() -> Command {
    let words = command_words();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear();
    command
}

impl Server {
    /// Start `PROGRAM SUBCOMMAND --listen 127.0.0.1:0 OPTIONS…`.
    pub fn start(subcommand: &str, options: &[&str]) -> Self {
        let mut command = command();
        command.args([subcommand, "--listen", "127.0.0.1:0"]).args(options);
        Self::spawn(command)
    }

    pub fn action(options: &[&str]) -> Self {
        Self::start("action", options)
    }

    pub fn invoker(options: &[&str]) -> Self {
        Self::start("invoker", options)
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Output::collect(child.stdout.take().unwrap());
        let stderr = Output::collect(child.stderr.take().unwrap());
        let mark = "listening on ";
        let text = stderr.wait_until("start line", |text| text.contains(mark) && text.ends_with('\n'));
        let line = text.lines().find(|line| line.contains(mark)).unwrap();
        let address = line
            .split_once(mark)
            .unwrap()
            .1
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        Server {
            child,
            address,
            stdout,
            stderr,
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    pub fn post(&self, path: &str, body: &str) -> Response {
        self.client().post(path, body)
    }

    /// `/init` that must succeed.
    pub fn init(&self, code: &[u8]) {
        let response = self.post("/init", &init_body(code));
        assert_eq!(response.status, 200, "{}", response.body);
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < patience(), "it does not end");
            thread::sleep(Duration::from_millis(2)); // polling: `wait` has no timeout
        }
    }

    /// How many threads it has; `None` if an emulator's would be counted with them.
    pub fn threads(&self) -> Option<usize> {
        let threads = || {
            std::fs::read_dir(format!("/proc/{}/task", self.child.id()))
                .unwrap()
                .count()
        };
        (!is_emulated()).then(threads)
    }

    /// Its mappings, as the kernel tells them; `None` if they would be an emulator's.
    pub fn mappings(&self) -> Option<String> {
        (!is_emulated()).then(|| std::fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap())
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // proc(5): fields 14 and 15 are utime and stime; the second one, in brackets, may hold spaces.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// The most memory that it ever had; `None` if it would be an emulator's.
    pub fn peak_kib(&self) -> Option<u64> {
        self.memory_kib("VmHWM:")
    }

    /// The memory that it has; `None` if it would be an emulator's.
    pub fn resident_kib(&self) -> Option<u64> {
        self.memory_kib("VmRSS:")
    }

    /// The memory that it has, in bytes: what a board tells of itself, or the process's resident memory.
    pub fn memory_bytes(&self) -> Option<u64> {
        match self.board_status() {
            Some(status) => {
                let bytes = |name: &str| status["memory"][name].as_u64().unwrap();
                Some(bytes("engine_bytes") + bytes("bodies_bytes"))
            }
            None => self.resident_kib().map(|kib| kib * 1024),
        }
    }

    /// What a board without an operating system tells of itself; `None` from the others.
    pub fn board_status(&self) -> Option<serde_json::Value> {
        let mut client = self.client();
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let response = client.receive()?;
        (response.status == 200).then(|| response.json())
    }

    fn memory_kib(&self, field: &str) -> Option<u64> {
        if is_emulated() {
            return None;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        Some(line.trim().trim_end_matches(" kB").parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let text = self.stderr.text();
            let own: Vec<&str> = text.lines().filter(|line| !line.contains(SENTINEL)).collect();
            eprintln!("the server's standard error:\n{}", own.join("\n"));
        }
    }
}

/// A reply as OpenWhisk's client takes it: with a Content-Length, never chunked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The `error` member.
    pub fn error(&self) -> String {
        self.json()["error"]
            .as_str()
            .unwrap_or_else(|| panic!("no error in {}", self.body))
            .to_owned()
    }
}

/// One connection.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(patience())).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub fn post(&mut self, path: &str, body: &str) -> Response {
        self.send(&request(path, body));
        self.receive().expect("a reply")
    }

    /// The same on a connection that the server may have closed.
    pub fn post_if_open(&mut self, path: &str, body: &str) -> Option<Response> {
        let sent = self.0.get_mut().write_all(&request(path, body));
        sent.ok().and_then(|()| self.receive())
    }

    /// Whether the next thing that comes is leave to send the body; if so, it is taken.
    pub fn receives_continue(&mut self) -> bool {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut came = vec![0; CONTINUE.len()];
        let since = Instant::now();
        // Peek: what is not leave is a reply, which is received later.
        while self.stream().peek(&mut came).unwrap() < CONTINUE.len() {
            assert!(since.elapsed() < patience(), "neither leave nor a reply");
            thread::yield_now();
        }
        let is_leave = came == CONTINUE;
        if is_leave {
            self.0.read_exact(&mut came).unwrap();
        }
        is_leave
    }

    /// The next reply; `None` if the server has closed.
    pub fn receive(&mut self) -> Option<Response> {
        let mut head = String::new();
        loop {
            let before = head.len();
            let len = match self.0.read_line(&mut head) {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
                other => other.unwrap(),
            };
            if len == 0 {
                assert_eq!(head, "", "closed within a reply's head");
                return None;
            }
            if &head[before..] == "\r\n" {
                break;
            }
        }
        let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|len| len.trim().to_owned())
            })
            .unwrap_or_else(|| panic!("no length: {head}"));
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        Some(Response {
            status,
            head,
            body: String::from_utf8(body).unwrap(),
        })
    }
}

/// A POST with a body.
pub fn request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// An `/init` body as OpenWhisk's invoker sends it.
pub fn init_body(code: &[u8]) -> String {
    let code = base64_simd::STANDARD.encode_to_string(code);
    format!(
        r#"{{"value":{{"name":"test","main":"main","code":"{code}","binary":true,"env":{{"__OW_NAMESPACE":"guest"}}}}}}"#
    )
}

/// A `/run` body as OpenWhisk's invoker sends it.
pub fn run_body(value: &str) -> String {
    run_body_within(value, Duration::from_secs(60))
}

/// The same for an action with this timeout.
pub fn run_body_within(value: &str, timeout: Duration) -> String {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() + timeout;
    format!(
        r#"{{"value":{value},"namespace":"guest","action_name":"/guest/test","action_version":"0.0.1","activation_id":"0123456789abcdef0123456789abcdef","transaction_id":"tid","deadline":"{}"}}"#,
        since.as_millis()
    )
}
