//! A real program of Rust's `wasm32-wasip1`, on another engine than ours: the standard library knows WASI's structures from the
//! specification, so that both sides cannot be wrong in the same way.

#![allow(clippy::unwrap_used, reason = "a test fails so")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use executor_linux::wasi_files::{Grant, Machine};
use executor_wasi::{Context, Environment, Function, GuestMemory, Input, MODULE, Output, OutputLimits, Stop};
use wasmi::{Caller, Engine, Error, FuncType, Linker, Module, Store, Val, ValType};

type Run<'r> = Context<'r, Machine>;

/// Compile one file. The target is one of those that `cargo xtask test` installs.
fn compile(source: &str, to: &Path) -> Vec<u8> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wasi_program")
        .join(source);
    let output = Command::new(rustc)
        .args(["--edition=2024", "--target=wasm32-wasip1", "-Copt-level=2", "-o"])
        .arg(to)
        .arg(source)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(to).unwrap()
}

/// All of WASI, as any engine would link it: by the table.
fn link<'r>(linker: &mut Linker<Run<'r>>) {
    let value = |letter| if letter == b'I' { ValType::I64 } else { ValType::I32 };
    let values = |letters: &str| letters.bytes().map(value).collect::<Vec<_>>();
    for function in Function::ALL {
        let signature = function.signature().to_str().unwrap();
        let (parameters, results) = signature.trim_start_matches('(').split_once(')').unwrap();
        let function_type = FuncType::new(values(parameters), values(results));
        let call = move |mut caller: Caller<'_, Run<'r>>, arguments: &[Val], results: &mut [Val]| {
            let slots: Vec<u64> = arguments
                .iter()
                .map(|argument| match argument {
                    Val::I32(value) => u64::from(value.cast_unsigned()),
                    Val::I64(value) => value.cast_unsigned(),
                    other => panic!("{other:?}"),
                })
                .collect();
            let memory = caller.get_export("memory").unwrap().into_memory().unwrap();
            let (bytes, context) = memory.data_and_store_mut(&mut caller);
            match context.call(function, &mut GuestMemory::new(bytes), &slots) {
                Ok(errno) => results[0] = Val::I32(errno.code().into()),
                Err(Stop::Exit(code)) => return Err(Error::i32_exit(code.cast_signed())),
                Err(Stop::Interrupted) => return Err(Error::new("interrupted")),
            }
            Ok(())
        };
        linker
            .func_new(
                MODULE.to_str().unwrap(),
                function.name().to_str().unwrap(),
                function_type,
                call,
            )
            .unwrap();
    }
}

/// Run a command; how it ended.
fn run(wasm: &[u8], context: Run<'_>) -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, context);
    let mut linker = Linker::new(&engine);
    link(&mut linker);
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    instance
        .get_typed_func::<(), ()>(&store, "_start")?
        .call(&mut store, ())
}

#[test]
fn a_program_finds_its_world_and_its_walls() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let grant = |name: &str, read_only| {
        fs::create_dir(path(name)).unwrap();
        fs::write(path(name).join("given"), "from outside").unwrap();
        Grant {
            guest: format!("/{name}"),
            host: path(name),
            read_only,
        }
    };
    let machine = Machine::new(&[grant("data", false), grant("fixed", true)]).unwrap();
    fs::create_dir(path("outside")).unwrap();
    fs::write(path("outside/secret"), "secret").unwrap();
    symlink("given", path("data/link")).unwrap();
    symlink("../outside", path("data/way_out")).unwrap();
    let wasm = compile("guest.rs", &path("guest.wasm"));

    let json = br#"{"name":"world"}"#;
    let input = Input {
        arguments: &[b"guest", json],
        environment: Environment::new(b"__OW_ACTION_NAME=/_/guest\0EMPTY=\0").unwrap(),
        stdin: json,
    };
    let mut output = Output::new(OutputLimits {
        log_bytes: 10_000,
        result_bytes: 1_000,
    });
    let ended = run(&wasm, Context::new(&machine, input, &mut output));

    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let ended = ended.unwrap_err();
    assert_eq!(
        ended.i32_exit_status(),
        Some(7),
        "{ended}\n{}\n{}",
        text(output.stdout()),
        text(output.stderr())
    );
    assert_eq!(text(output.last_line()), r#"{"result":4}"#);
    let log = "{(\"EMPTY\", \"\"), (\"__OW_ACTION_NAME\", \"/_/guest\")}\n/_/guest\n";
    assert_eq!(
        (text(output.log()).as_str(), text(output.stderr()).as_str()),
        (log, "guest begins\n")
    );
    assert!(!output.is_truncated());

    assert_eq!(fs::read(path("data/copy")).unwrap(), b"ab234");
    assert_eq!(fs::read(path("outside/secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(path("outside")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(path("fixed")).unwrap().count(), 1);
}
