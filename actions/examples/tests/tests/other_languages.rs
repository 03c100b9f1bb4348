//! ABI 1 from C and AssemblyScript. Ignored unless asked for: what they need does not come with Rust.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tests::lean::Lean;

fn succeed(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn check(module: &[u8], cases: &[(&str, Value)]) {
    assert_eq!(Lean::new(module).exports(), ["ow_allocate", "ow_run"]);
    for (input, expected) in cases {
        let mut lean = Lean::new(module);
        let answer = lean.run("ow_run", input.as_bytes()).expect("no trap");
        let answer: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
        assert_eq!(answer, *expected, "{input}");
        assert_eq!(lean.pages(), 1);
    }
}

#[test]
#[ignore = "needs clang-19 and lld-19"]
fn hello_in_c() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../c-hello");
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-hello.wasm");
    succeed(
        Command::new("clang-19")
            .current_dir(folder)
            .args(["@flags", "hello.c", "-o"])
            .arg(&output),
    );
    let module = fs::read(output).expect("it was built");
    check(
        &module,
        &[
            (r#"{"name":"Ada"}"#, json!({ "greeting": "Hello, Ada!" })),
            (r#"{"name":""}"#, json!({ "greeting": "Hello, !" })),
            (
                r#"{"name":"\u00c5\"\\\n\ud83d\ude00"}"#,
                json!({ "greeting": "Hello, Å\"\\\n😀!" }),
            ),
            ("{}", json!({ "greeting": "Hello, stranger!" })),
            ("[]", json!({ "greeting": "Hello, stranger!" })),
            (
                r#" { "x" : [ { "name" : "}]\"" } , 1 ] , "y":-1e3,"name" : "Ada" } "#,
                json!({ "greeting": "Hello, Ada!" }),
            ),
            (
                r#"{"x":{"name":"Eve"},"name":null}"#,
                json!({ "greeting": "Hello, stranger!" }),
            ),
            (r#"{"name":7}"#, json!({ "error": "Expected name to be a string" })),
            (
                r#"{"name":["Ada"]}"#,
                json!({ "error": "Expected name to be a string" }),
            ),
        ],
    );
    // Two pages more than there are at the start.
    let name = "x".repeat(100_000);
    let answer = Lean::new(&module)
        .run("ow_run", json!({ "name": name }).to_string().as_bytes())
        .expect("no trap");
    assert!(answer == format!(r#"{{"greeting":"Hello, {name}!"}}"#).as_bytes());
}

#[test]
#[ignore = "needs node 20 and npm"]
fn add_in_assemblyscript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../as-add");
    let npm = || {
        let mut npm = Command::new("npm");
        npm.current_dir(&folder);
        npm
    };
    succeed(npm().args(["ci", "--silent", "--no-audit", "--no-fund"]));
    succeed(npm().args(["run", "--silent", "build"]));
    let module = fs::read(folder.join("build/as-add.wasm")).expect("it was built");
    check(
        &module,
        &[
            (r#"{"param1":2,"param2":2}"#, json!({ "result": 4 })),
            (
                r#" { "x" : {"param1":[1,"}"]} , "param2" : -1.5e1 , "param1" : 0.5 } "#,
                json!({ "result": -14.5 }),
            ),
            (r#"{"param1":2}"#, json!({ "error": "Expected param2 to be present" })),
            (r#"{"param2":2}"#, json!({ "error": "Expected param1 to be present" })),
            ("[1]", json!({ "error": "Expected param1 to be present" })),
            (
                r#"{"param1":2,"param2":"2"}"#,
                json!({ "error": "Expected param2 to be a number" }),
            ),
            (
                r#"{"param1":1e308,"param2":1e308}"#,
                json!({ "error": "The sum is too large" }),
            ),
        ],
    );
}
