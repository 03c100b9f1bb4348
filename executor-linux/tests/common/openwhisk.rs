//! A client that behaves as OpenWhisk's invoker does (`ApacheBlockingContainerClient`, `ContainerProxy`, `ActivationResult`):
//! a connection for each request, a Content-Length or nothing, at most 1 MiB, `/init` retried while nobody listens, the
//! socket dropped when the action's time is over.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// `whisk.activation.payload.max`
const RESPONSE_MAX_BYTES: usize = 1024 * 1024;

/// How OpenWhisk waits between two attempts at `/init`.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What OpenWhisk records of an activation.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    Success(Value),
    ApplicationError(Value),
    DeveloperError(Value),
    /// The node shuts down: the activation is scheduled elsewhere.
    Rescheduled,
    /// "The action exceeded its time limits".
    TimedOut,
}

/// One container, from the invoker's side.
pub struct Invoker {
    address: SocketAddr,
    /// Before each path: of a container that is reached by its id.
    prefix: String,
    /// The action's `limits.timeout`.
    timeout: Duration,
}

impl Invoker {
    pub fn new(address: SocketAddr) -> Self {
        Invoker {
            address,
            prefix: String::new(),
            timeout: Duration::from_secs(60),
        }
    }

    /// A container by its id, on the address of many.
    pub fn of_container(address: SocketAddr, id: &str) -> Self {
        Invoker {
            prefix: format!("/{id}"),
            ..Invoker::new(address)
        }
    }

    pub fn with_timeout(self, timeout: Duration) -> Self {
        Invoker { timeout, ..self }
    }

    /// `/init` with what the invoker sends. `Err`: what the developer is told.
    pub fn init(&self, code: &[u8]) -> Result<(), Activation> {
        let body = serde_json::json!({"value": {
            "name": "test", "main": "main", "binary": true,
            "code": base64_simd::STANDARD.encode_to_string(code),
            "env": {"__OW_NAMESPACE": "guest", "__OW_ACTION_NAME": "/guest/test", "__OW_DEADLINE": "1"},
        }});
        let since = Instant::now();
        loop {
            match self.post("/init", &body.to_string()) {
                Err(Failure::Refused) if since.elapsed() < self.timeout => thread::sleep(RETRY_PAUSE),
                Err(Failure::Refused) => panic!("nobody listens on {}", self.address),
                Err(Failure::TimedOut) => return Err(Activation::TimedOut),
                Ok((200, _)) => return Ok(()),
                Ok((503, _)) => return Err(Activation::Rescheduled),
                Ok((_, body)) => return Err(Activation::DeveloperError(body["error"].clone())),
            }
        }
    }

    /// `/run`: never retried.
    pub fn run(&self, value: &Value) -> Activation {
        let body = serde_json::json!({
            "value": value, "namespace": "guest", "action_name": "/guest/test", "action_version": "0.0.1",
            "activation_id": "0123456789abcdef0123456789abcdef", "transaction_id": "t", "deadline": "9999999999999",
        });
        match self.post("/run", &body.to_string()) {
            Err(Failure::Refused) => panic!("nobody listens on {}", self.address),
            Err(Failure::TimedOut) => Activation::TimedOut,
            Ok((200, result)) if result.get("error").is_some() => Activation::ApplicationError(result["error"].clone()),
            Ok((200, result)) => Activation::Success(result),
            Ok((503, _)) => Activation::Rescheduled,
            Ok((_, result)) => Activation::DeveloperError(result["error"].clone()),
        }
    }

    fn post(&self, path: &str, body: &str) -> Result<(u16, Value), Failure> {
        let mut stream = TcpStream::connect(self.address).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused,
            kind => panic!("cannot connect: {kind}"),
        })?;
        stream.set_read_timeout(Some(self.timeout)).unwrap();
        write!(
            stream,
            "POST {}{path} HTTP/1.1\r\nAccept: application/json\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nHost: {}\r\nConnection: Keep-Alive\r\nUser-Agent: Apache-HttpClient/4.5.5\r\n\r\n{body}",
            self.prefix,
            body.len(),
            self.address
        )
        .unwrap();
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some(reply) = parse(&bytes) {
                return Ok(reply);
            }
            match stream.read(&mut chunk) {
                // The connection is dropped with the stream: this is all that the executor sees of it.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Failure::TimedOut);
                }
                Err(error) => panic!("{path}: {error}"),
                Ok(0) => panic!(
                    "{path}: the connection ended within a reply: {}",
                    String::from_utf8_lossy(&bytes)
                ),
                Ok(len) => bytes.extend_from_slice(&chunk[..len]),
            }
        }
    }
}

enum Failure {
    Refused,
    TimedOut,
}

/// A reply that has come whole. One that OpenWhisk would not take is a panic.
fn parse(bytes: &[u8]) -> Option<(u16, Value)> {
    let head_len = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..head_len]).unwrap();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert_ne!(status, 204, "taken for no response");
    let field = |name: &str| {
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    assert_eq!(field("transfer-encoding"), None, "taken for no response");
    let length: usize = field("content-length")
        .expect("without a length it is taken for no response")
        .parse()
        .unwrap();
    assert!(length <= RESPONSE_MAX_BYTES, "{length} bytes would be cut off");
    let body = bytes[head_len + 4..].get(..length)?;
    Some((status, serde_json::from_slice(body).unwrap_or(Value::Null)))
}
