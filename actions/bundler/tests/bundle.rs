//! The `bundle` command, run as its users run it.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use action_bundle::manifest::{Abi, AotTarget, Capability, Form};
use action_bundle::{Artifact, Bundle, Kind, Located, NodeTarget, Policy, PublicKey, SignatureStatus, locate};
use tempfile::TempDir;

const LEAN: &str = r#"(module (memory (export "memory") 1)
    (func (export "ow_allocate") (param i32) (result i32) i32.const 0)
    (func (export "ow_run") (param i32 i32) (result i64) i64.const 0))"#;

/// The target that the compiler of these tests "compiles" for. Not this machine's, so that the code is not loaded.
const TARGET: &str = if cfg!(target_arch = "aarch64") {
    "x86_64"
} else {
    "aarch64v8"
};

/// A directory with a module in it, where `bundle` runs.
struct Workbench(TempDir);

impl Workbench {
    fn new() -> Self {
        let bench = Workbench(tempfile::tempdir().unwrap());
        fs::write(bench.path("add.wasm"), lean()).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bundle"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// Run `bundle`, which succeeds. Returns what it prints.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Run `bundle`, which fails. Returns its complaint.
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(
            complaint.starts_with("bundle: ") && !complaint.contains("panicked"),
            "{complaint}"
        );
        complaint
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn public_key(&self, name: &str) -> PublicKey {
        fs::read_to_string(self.path(name)).unwrap().parse().unwrap()
    }

    /// A program in the place of `wamrc`, which turns a module into an AOT file that holds the compiler's own arguments.
    #[cfg(unix)]
    fn compiler(&self, wamr: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let format = node().aot_format;
        let script = format!(
            r#"#!/bin/sh
            if [ -e fail ]; then echo 'no such CPU' >&2; exit 1; fi
            arguments="$*"
            arguments=${{arguments%% -o *}}
            interruptible=false
            case "$arguments" in *--interruptible*) interruptible=true ;; esac
            target=$5
            while [ $# -gt 0 ] && [ "$1" != -o ]; do shift; done
            if [ $# -gt 0 ]; then
                printf '\000aot\{format:03o}\000\000\000%s' "$arguments" >"$2"
                cat "$3" >>"$2"
            fi
            printf '{{"wamr":"{wamr}","aot_format":{format},"bounds":"software","cpu":"old",'
            printf '"cpu_features":["crc","dpb"],"target":"%s","interruptible":%s}}' "$target" "$interruptible"
            "#
        );
        let path = self.path("wamrc");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// A node with the engine that `bundle` was built with, for [`TARGET`].
fn node() -> NodeTarget<'static> {
    NodeTarget {
        target: TARGET,
        ..executor_core::wamr::node_target(&["crc", "dpb"])
    }
}

fn lean() -> Vec<u8> {
    wat::parse_str(LEAN).unwrap()
}

fn policy(keys: &[PublicKey]) -> Policy<'_> {
    Policy {
        trusted_keys: keys,
        trust_any_aot: false,
        allow_uninterruptible: false,
        node: Some(node()),
        artifact_max_bytes: 1024 * 1024,
        verified: None,
    }
}

fn stored(bytes: &[u8], keys: &[PublicKey]) -> Artifact {
    match locate(bytes, &policy(keys)).unwrap() {
        Located::Stored(artifact) => artifact,
        Located::Deflated(_) => panic!("a bundle's artifacts are stored"),
    }
}

#[test]
fn a_module_becomes_a_bundle_that_the_executor_reads() {
    let bench = Workbench::new();
    let printed = bench.succeed(&[
        "build", "add.wasm", "--no-aot", "--dir", "/data", "--dir", "/data", "--net",
    ]);
    assert!(printed.starts_with("add.zip: "), "{printed}");
    let bytes = bench.read("add.zip");
    let bundle = Bundle::open(&bytes).unwrap();
    assert_eq!(
        (bundle.manifest().head().name, bundle.manifest().head().abi),
        ("add", Abi::Lean)
    );
    let capabilities: Vec<(&str, &str)> = bundle
        .manifest()
        .capabilities()
        .map(|asked| (asked.name, asked.value))
        .collect();
    assert_eq!(
        capabilities,
        [(Capability::DIRECTORY, "/data"), (Capability::NETWORK, "")]
    );
    let Artifact { kind, range, .. } = stored(&bytes, &[]);
    assert_eq!((kind, range.start % 16, &bytes[range]), (Kind::Wasm, 0, &lean()[..]));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bench = Workbench::new();
    bench.succeed(&["keygen", "-o", "mine"]);
    for name in ["a.zip", "b.zip"] {
        bench.succeed(&["build", "add.wasm", "--no-aot", "--sign", "mine.key", "-o", name]);
    }
    assert_eq!(bench.read("a.zip"), bench.read("b.zip"));
}

#[cfg(unix)]
#[test]
fn native_code_that_cannot_be_stopped_says_so() {
    let bench = Workbench::new();
    let compiler = bench.compiler(&node().wamr.to_string());
    bench.succeed(&["keygen", "-o", "mine"]);
    let keys = [bench.public_key("mine.pub")];
    let build = [
        "build", "add.wasm", "--target", TARGET, "--wamrc", &compiler, "--sign", "mine.key",
    ];
    let stoppable = bench.succeed(&build);
    assert!(!stoppable.contains("CANNOT BE STOPPED"), "{stoppable}");
    let told = bench.succeed(&[&build[..], &["--no-interrupts"]].concat());
    assert!(told.contains("CANNOT BE STOPPED"), "{told}");
    let bytes = bench.read("add.zip");
    assert_eq!(stored(&bytes, &keys).kind, Kind::Wasm);
    let allowing = Policy {
        allow_uninterruptible: true,
        ..policy(&keys)
    };
    let Ok(Located::Stored(Artifact { kind, .. })) = locate(&bytes, &allowing) else {
        panic!("it is allowed")
    };
    assert_eq!(kind, Kind::Aot);
}

#[cfg(unix)]
#[test]
fn native_code_comes_first_is_signed_and_says_what_it_needs() {
    let bench = Workbench::new();
    let compiler = bench.compiler(&node().wamr.to_string());
    bench.succeed(&["keygen", "-o", "mine"]);
    let key = bench.public_key("mine.pub");
    let build = ["build", "add.wasm", "--target", TARGET, "--wamrc", &compiler];
    bench.succeed(
        &[
            &build[..],
            &["--cpu", "fast", "--wamrc-option", "--xip", "--sign", "mine.key"],
        ]
        .concat(),
    );
    let bytes = bench.read("add.zip");

    let Artifact { kind, range, .. } = stored(&bytes, &[key]);
    assert_eq!((kind, range.start % 16), (Kind::Aot, 0));
    let bundle = Bundle::open(&bytes).unwrap();
    let record = bundle.manifest().artifacts().next().unwrap();
    let Form::Aot(target) = record.form else {
        panic!("{record:?}")
    };
    let NodeTarget {
        bounds,
        wamr,
        aot_format,
        ..
    } = node();
    let expected = AotTarget {
        target: TARGET,
        cpu: "old",
        cpu_features: "crc,dpb",
        bounds,
        wamr,
        aot_format,
        interruptible: true,
    };
    assert_eq!(target, expected);
    let told = format!("--describe --bounds software --target {TARGET} --cpu fast --interruptible --xip");
    let code = [&b"\0aot"[..], &aot_format.to_le_bytes(), told.as_bytes(), &lean()].concat();
    assert_eq!(
        &bytes[range], &code,
        "the compiler was given everything, and its output arrived"
    );

    // Nobody's trust: the portable module. Native code only: an error.
    assert_eq!(stored(&bytes, &[]).kind, Kind::Wasm);
    bench.succeed(&[&build[..], &["--no-wasm", "-o", "aot.zip"]].concat());
    assert!(locate(&bench.read("aot.zip"), &policy(&[key])).is_err());
}

#[cfg(unix)]
#[test]
fn one_bundle_serves_a_mixed_fleet() {
    let bench = Workbench::new();
    let compiler = bench.compiler(&node().wamr.to_string());
    bench.succeed(&["keygen", "-o", "mine"]);
    let boards = ["--board", "rpi-4", "--board", "rpi-2", "--board", "rpi-2"];
    let build = ["build", "add.wasm", "--sign", "mine.key", "--wamrc", &compiler];
    bench.succeed(&[&build[..], &boards].concat());
    let bytes = bench.read("add.zip");
    let bundle = Bundle::open(&bytes).unwrap();
    let entries: Vec<_> = bundle.manifest().artifacts().map(|record| record.entry).collect();
    assert_eq!(entries, ["add.aarch64v8-old.aot", "add.armv7-old.aot", "add.wasm"]);
    let key = bench.public_key("mine.pub");
    let keys = [key];
    let taken = |target| {
        let node = NodeTarget { target, ..node() };
        let policy = Policy {
            node: Some(node),
            ..policy(&keys)
        };
        match locate(&bytes, &policy).unwrap() {
            Located::Stored(artifact) => artifact,
            Located::Deflated(_) => panic!("bundles are not compressed"),
        }
    };
    for (target, cpu) in [("aarch64v8", "cortex-a72"), ("armv7", "cortex-a7")] {
        let artifact = taken(target);
        assert_eq!(artifact.kind, Kind::Aot, "{target}");
        let told = format!("--target {target} --cpu {cpu} --target-abi");
        let code = String::from_utf8_lossy(&bytes[artifact.range]).into_owned();
        assert!(code.contains(&told), "{target}: {code}");
    }
    assert_eq!(taken("x86_64").kind, Kind::Wasm, "a node that nobody thought of");
    let complaint = bench.fail(&[&build[..], &["--board", "rpi-9"]].concat());
    assert!(complaint.contains("no board `rpi-9`"), "{complaint}");
}

#[cfg(unix)]
#[test]
fn a_compiler_that_fails_or_is_not_there_is_named() {
    let bench = Workbench::new();
    let compiler = bench.compiler(&node().wamr.to_string());
    fs::write(bench.path("fail"), "").unwrap();
    let build = ["build", "add.wasm", "--target", TARGET, "--wamrc"];
    let complaint = bench.fail(&[&build[..], &[&compiler]].concat());
    assert!(complaint.contains("no such CPU"), "{complaint}");
    let complaint = bench.fail(&[&build[..], &["/nowhere/wamrc"]].concat());
    assert!(
        complaint.contains("not installed") && complaint.contains("--no-aot"),
        "{complaint}"
    );
    fs::remove_file(bench.path("fail")).unwrap();
    let complaint = bench.fail(&[&build[..], &[&bench.compiler("1.0.0")]].concat());
    assert!(complaint.contains("is of WAMR 1.0.0"), "{complaint}");
    assert!(!bench.path("add.zip").exists());
}

#[cfg(all(unix, any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn code_for_this_machine_that_the_engine_does_not_load_is_not_bundled() {
    let bench = Workbench::new();
    let compiler = bench.compiler(&node().wamr.to_string());
    let complaint = bench.fail(&["build", "add.wasm", "--wamrc", &compiler]);
    assert!(complaint.contains("does not load"), "{complaint}");
    assert!(!bench.path("add.zip").exists());
}

#[test]
fn a_bundle_can_be_signed_later_and_again() {
    let bench = Workbench::new();
    bench.succeed(&["build", "add.wasm", "--no-aot"]);
    for name in ["first", "second"] {
        bench.succeed(&["keygen", "-o", name]);
        bench.succeed(&["sign", "add.zip", "--key", &format!("{name}.key")]);
        let key = bench.public_key(&format!("{name}.pub"));
        let bytes = bench.read("add.zip");
        assert_eq!(
            Bundle::open(&bytes).unwrap().signature(&[key], None),
            SignatureStatus::Trusted(key)
        );
    }
    // What signing gives is what building and signing gives.
    bench.succeed(&[
        "build",
        "add.wasm",
        "--no-aot",
        "--sign",
        "second.key",
        "-o",
        "whole.zip",
    ]);
    assert_eq!(bench.read("add.zip"), bench.read("whole.zip"));
}

#[test]
fn show_tells_who_signed_and_what_is_wrong() {
    let bench = Workbench::new();
    for name in ["mine", "other"] {
        bench.succeed(&["keygen", "-o", name]);
    }
    let text = bench.public_key("mine.pub").to_string();
    bench.succeed(&["build", "add.wasm", "--no-aot", "-o", "unsigned.zip"]);
    bench.succeed(&["build", "add.wasm", "--no-aot", "--sign", "mine.key"]);
    for (arguments, expected) in [
        (&["show", "unsigned.zip"][..], "signature   none"),
        (
            &["show", "add.zip", "--trust", "mine.pub"],
            &format!("signature   good, by {text}"),
        ),
        (
            &["show", "add.zip", "--trust", &text],
            &format!("signature   good, by {text}"),
        ),
        (
            &["show", "add.zip", "--trust", "other.pub"],
            &format!("signature   by {text}, which --trust does not name"),
        ),
        (&["show", "add.zip"], "which --trust does not name"),
        (&["show", "add.zip"], "any node, interpreted"),
        (&["show", "add.zip"], "abi         lean"),
    ] {
        let printed = bench.succeed(arguments);
        assert!(printed.contains(expected), "{arguments:?}: {printed}");
    }

    let mut bytes = bench.read("add.zip");
    let range = stored(&bytes, &[]).range;
    bytes[range.end - 1] ^= 1;
    fs::write(bench.path("damaged.zip"), &bytes).unwrap();
    assert!(
        bench
            .succeed(&["show", "damaged.zip"])
            .contains("ERROR: these are not the bytes")
    );
    assert!(
        bench
            .fail(&["sign", "damaged.zip", "--key", "mine.key"])
            .contains("is not what the manifest describes")
    );

    let mut bytes = bench.read("add.zip");
    let at = bytes.windows(3).position(|window| window == b"add").unwrap();
    bytes[at] = b'o';
    fs::write(bench.path("forged.zip"), &bytes).unwrap();
    for arguments in [
        &["show", "forged.zip"][..],
        &["show", "forged.zip", "--trust", "mine.pub"],
    ] {
        assert!(bench.succeed(arguments).contains("signature   BAD"), "{arguments:?}");
    }
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let bench = Workbench::new();
    bench.succeed(&["keygen", "-o", "a.b"]);
    let (secret, public) = (bench.read("a.b.key"), bench.read("a.b.pub"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(bench.path("a.b.key")).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    bench.fail(&["keygen", "-o", "a.b"]);
    fs::remove_file(bench.path("a.b.pub")).unwrap();
    bench.fail(&["keygen", "-o", "a.b"]);
    assert_eq!(bench.read("a.b.key"), secret);
    assert!(!bench.path("a.b.pub").exists(), "no public key without its secret one");

    fs::remove_file(bench.path("a.b.key")).unwrap();
    fs::write(bench.path("a.b.pub"), &public).unwrap();
    bench.fail(&["keygen", "-o", "a.b"]);
    assert!(!bench.path("a.b.key").exists());
}

#[test]
fn what_cannot_be_built_is_said_plainly() {
    let bench = Workbench::new();
    fs::create_dir(bench.path("empty")).unwrap();
    fs::write(bench.path("a.txt"), "text").unwrap();
    fs::write(bench.path("bad.wasm"), "text").unwrap();
    fs::write(bench.path("component.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    fs::write(
        bench.path("no-abi.wasm"),
        wat::parse_str("(module (memory (export \"memory\") 1))").unwrap(),
    )
    .unwrap();
    let asking = r#"(module (import "env" "abort" (func)) (memory (export "memory") 1) (func (export "_start")))"#;
    fs::write(bench.path("asking.wasm"), wat::parse_str(asking).unwrap()).unwrap();
    fs::write(bench.path("bad.key"), "secret").unwrap();
    bench.succeed(&["keygen", "-o", "mine"]);
    for (arguments, expected) in [
        (&["build", "missing.wasm", "--no-aot"][..], "there is no missing.wasm"),
        (
            &["build", "empty", "--no-aot"],
            "neither a Cargo.toml nor an asconfig.json",
        ),
        (&["build", "a.txt", "--no-aot"], "cannot build a.txt"),
        (&["build", "bad.wasm", "--no-aot"], "not a valid WebAssembly module"),
        (&["build", "component.wasm", "--no-aot"], "component"),
        (&["build", "no-abi.wasm", "--no-aot"], "cannot be called"),
        (
            &["build", "add.wasm", "--no-aot", "--sign", "missing.key"],
            "bundle keygen",
        ),
        (&["build", "add.wasm", "--no-aot", "--sign", "bad.key"], "no secret key"),
        (
            &["build", "add.wasm", "--no-aot", "--sign", "mine.pub"],
            "is a public key",
        ),
        (
            &["build", "add.wasm", "--no-aot", "-o", "missing/add.zip"],
            "cannot write missing/add.zip",
        ),
        (
            &[
                "build", "add.wasm", "--target", "x86_64", "--target", "armv7", "--cpu", "old",
            ],
            "TARGET:CPU",
        ),
        (&["build", "asking.wasm", "--no-aot"], "env.abort"),
        (&["show", "add.wasm"], "neither an action bundle"),
        (&["show", "missing.zip"], "cannot read missing.zip"),
        (&["sign", "add.wasm", "--key", "mine.key"], "neither an action bundle"),
    ] {
        let complaint = bench.fail(arguments);
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    assert!(!bench.path("add.zip").exists());
}

#[test]
fn a_cargo_package_is_built_for_the_target_that_it_names() {
    let bench = Workbench::new();
    let package = bench.path("greet");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(
        package.join("Cargo.toml"),
        "[package]\nname = \"greet\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [package.metadata.action]\ntarget = \"wasm32-unknown-unknown\"\ndirectories = [\"/data\"]\nnetwork = true\n\
         [lib]\ncrate-type = [\"cdylib\"]\n",
    )
    .unwrap();
    fs::write(
        package.join("src/lib.rs"),
        "#[unsafe(no_mangle)] pub extern \"C\" fn ow_allocate(_: i32) -> i32 { 1024 }\n\
         #[unsafe(no_mangle)] pub extern \"C\" fn ow_run(_: i32, _: i32) -> i64 { 0 }\n",
    )
    .unwrap();
    let printed = bench.succeed(&["build", "greet", "--no-aot", "-o", "greet.zip"]);
    assert!(
        printed.contains("name        greet\n") && printed.contains("abi         lean\n"),
        "{printed}"
    );
    assert!(
        printed.contains("asks for    directory /data\nasks for    network"),
        "{printed}"
    );

    fs::write(package.join("src/lib.rs"), "this is not Rust").unwrap();
    let complaint = bench.fail(&["build", "greet", "--no-aot"]);
    assert!(
        complaint.contains("error: ") && complaint.contains("src/lib.rs"),
        "{complaint}"
    );
    let no_such = fs::read_to_string(package.join("Cargo.toml"))
        .unwrap()
        .replace("wasm32-unknown-unknown", "wasm96-none");
    fs::write(package.join("Cargo.toml"), no_such).unwrap();
    bench.fail(&["build", "greet", "--no-aot"]);
}

#[test]
fn help_teaches_by_example() {
    let bench = Workbench::new();
    let help = bench.succeed(&["--help"]);
    assert!(
        help.contains("bundle keygen -o mine") && help.contains("wsk action create"),
        "{help}"
    );
    assert!(bench.succeed(&["build", "--help"]).contains("package.metadata.action"));
}
