//! The texts of `--help`.
//!
//! `[@name]` at the end of a line stands for the default of the option of this name, which differs from program to program and
//! from machine to machine: [`fill`] puts it in.

use super::defaults::Defaults;
use crate::memory_budget::{MemoryBudget, in_units};

/// Where a line with a default ends, in characters.
const LINE_END: usize = 80;

/// The text for this program, with the defaults that hold here.
pub fn fill(text: &str, program: &str, defaults: &Defaults) -> String {
    let budget = MemoryBudget::new(defaults.memory_total_bytes, None);
    let value = |name: &str| match name {
        "memory-total" => defaults
            .memory_total_bytes
            .map_or("no limit".to_owned(), |bytes| in_units(bytes as u64)),
        "memory-max" => in_units(budget.instance as u64),
        "threads-max" => defaults.threads_max.to_string(),
        "connections-max" => defaults.connections_max.to_string(),
        "max-containers" => defaults.containers_max.to_string(),
        other => other.to_owned(),
    };
    let mut filled = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_suffix(']').and_then(|line| line.rsplit_once("[@")) {
            Some((line, name)) => {
                let value = value(name);
                let width = LINE_END.saturating_sub(value.chars().count() + 2);
                filled.push_str(&format!("{:<width$}[{value}]", line.trim_end()));
            }
            None => filled.push_str(&line.replace("executor-linux", program)),
        }
        filled.push('\n');
    }
    filled
}

macro_rules! server_options {
    () => {
        r"  --threads-max N          At most N requests at once [@threads-max]
  --connections-max N      At most N connections without a request [@connections-max]
  --drain-seconds S        After SIGTERM new work gets 503, and what runs gets S
                           seconds to end; a second signal ends it at once  [30]
"
    };
}

macro_rules! engine_options {
    () => {
        r"  --trust KEY|FILE         Run native code that this key signed; KEY has the
                           form ed25519-public:…, FILE holds one. Repeatable
  --trust-any-aot          Run native code that nobody signed. For development:
                           it has all rights of this process
  --allow-uninterruptible-aot
                           Run native code that was built without interrupts: if
                           it does not end, nothing ends it, and another thread
                           is started in place of the one that it holds
  --allow-dir HOST[::GUEST]
                           Let guests use the directory HOST, as GUEST.
                           Repeatable
  --sandbox on|off|auto    Take from this process what it does not need: other
                           files, connections to others, most system calls.
                           auto: what the kernel can do; on: all, or fail [auto]
  --memory-total BYTES     Memory for bodies and code (half) and for guests
                           (half); K, M, G [@memory-total]
  --memory-max BYTES       Linear memory of one instance; if not given, half of
                           --memory-total, at most 256M [@memory-max]
  --run-seconds-max S      A run that has not ended after S seconds is stopped,
                           if its request sets no earlier deadline         [300]
  --log LEVEL              off, error, warn, info, debug, trace; also the
                           variable EXECUTOR_LOG                          [warn]

"
    };
}

/// `executor-linux --help`.
pub const TOP: &str = "\
A serverless-function executor: runs Apache OpenWhisk actions that are
WebAssembly, on WAMR, interpreted or compiled ahead of time.

Usage: executor-linux COMMAND [OPTIONS]

Commands:
  action    Serve one action on /init and /run, as an OpenWhisk runtime does
  invoker   Serve many actions: /start gives each container its own port
  run       Try an action: one activation, its result on standard output

executor-linux COMMAND --help explains each with examples.
Also: -h, --help; -V, --version.

Try it:
  executor-linux run add.zip '{\"param1\": 2, \"param2\": 2}'
";

/// `executor-linux action --help`.
pub const ACTION: &str = concat!(
    "\
Serve one action per process: what OpenWhisk expects of a runtime image.

Usage: executor-linux action [OPTIONS]

The first POST /init brings the code; each POST /run is an activation. What the
guest prints goes to standard output and standard error, with OpenWhisk's
sentinel line after each activation. If nobody reads them, it is lost.

",
    "  --listen ADDRESS:PORT    Where to listen                       [0.0.0.0:8080]\n",
    server_options!(),
    engine_options!(),
    "\
Example:
  executor-linux action --listen 127.0.0.1:8080 &
  printf '{\"value\":{\"binary\":true,\"code\":\"%s\"}}' \"$(base64 -w0 add.zip)\" |
    curl -sH 'Content-Type: application/json' -d @- http://127.0.0.1:8080/init
  curl -sd '{\"value\":{\"param1\":2,\"param2\":2}}' http://127.0.0.1:8080/run
  {\"result\":4}

With OpenWhisk: build an image from the Dockerfile, then
  wsk action create add add.zip --docker YOUR/IMAGE
"
);

/// `executor-linux invoker --help`.
pub const INVOKER: &str = concat!(
    "\
Serve many actions in one process, each in a container of its own.

Usage: executor-linux invoker [OPTIONS]

  POST /start        a new container: {\"containerId\":…,\"port\":…}; its port
                     serves /init and /run
  POST /ID/init      the same by the container's id, on the main port; makes the
  POST /ID/run       container if need be
  POST /ID/destroy   removes it

",
    "  --listen ADDRESS:PORT    Where to listen                     [127.0.0.1:9000]\n",
    r#"  --reply plain|envelope   Results as OpenWhisk's runtimes give them, or in
                           WOW's {"status":…,"result":…} envelope       [plain]
  --ports 0|LOW-HIGH       The containers' ports; 0: any free one            [0]
  --max-containers N       At most N containers at once [@max-containers]
                           Ports take three quarters of the open files that the
                           process may have (ulimit -n), or all but 1024
  --idle-seconds S         Remove containers that are idle for S seconds   [660]
  --log-sentinels          Write OpenWhisk's sentinel line after each activation
"#,
    server_options!(),
    engine_options!(),
    "\
Example:
  executor-linux invoker &
  curl -sX POST http://127.0.0.1:9000/start
  {\"containerId\":\"…\",\"port\":40123}
  printf '{\"value\":{\"binary\":true,\"code\":\"%s\"}}' \"$(base64 -w0 add.zip)\" |
    curl -sH 'Content-Type: application/json' -d @- http://127.0.0.1:40123/init
  curl -sd '{\"value\":{\"param1\":2,\"param2\":2}}' http://127.0.0.1:40123/run
  {\"result\":4}
"
);

/// `executor-linux run --help`.
pub const RUN: &str = concat!(
    "\
Try an action: /init and /run once, in this process.

Usage: executor-linux run [OPTIONS] BUNDLE [JSON]

BUNDLE is an action bundle, a zip with one module, or a .wasm file. JSON is the
input, an object or an array; without it, or for '-', standard input is read if
it is not a terminal, else the input is {}. The result goes to standard output,
what the guest prints to standard error.

  --main NAME              The function to run          [the module's own entry]
",
    engine_options!(),
    "\
Exit status: 0 success, 1 the action failed (or could not be loaded), 2 wrong
arguments.

Examples:
  executor-linux run add.zip '{\"param1\": 2, \"param2\": 2}'
  jq -n '{name: \"you\"}' | executor-linux run hello.wasm
"
);
