use super::*;

const DEFAULTS: Defaults = Defaults {
    memory_total_bytes: Some(441 << 20),
    threads_max: 12,
    connections_max: 345,
    containers_max: 67,
};

fn parse_all(arguments: &[&str]) -> Result<Command, String> {
    parse(arguments.iter().map(OsString::from), &DEFAULTS).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_the_help() {
    let Ok(Command::Action(engine, server)) = parse_all(&["action"]) else {
        panic!("action")
    };
    assert_eq!(engine, Engine::new(&DEFAULTS));
    assert_eq!(engine.memory_total_bytes, Some(441 << 20));
    assert_eq!((server.threads_max, server.connections_max), (12, 345));
    assert_eq!(server.listen.to_string(), "0.0.0.0:8080");
    assert!(server.log_sentinels);
    let Ok(Command::Invoker(_, server, invoker)) = parse_all(&["invoker"]) else {
        panic!("invoker")
    };
    assert_eq!(server.listen.to_string(), "127.0.0.1:9000");
    assert!(!server.log_sentinels);
    assert_eq!(invoker, Invoker::new(&DEFAULTS));
    assert_eq!(invoker.containers_max, 67);
    for (text, values) in [
        (help::ACTION, ["[0.0.0.0:8080]", "[12]", "[345]", "[30]", "[441M]"]),
        (
            help::INVOKER,
            ["[127.0.0.1:9000]", "[plain]", "[67]", "[660]", "[220M]"],
        ),
        (help::RUN, ["[warn]", "[441M]", "[220M]", "run [OPTIONS]", "[JSON]"]),
    ] {
        let text = help::fill(text, "executor-linux", &DEFAULTS);
        assert!(!text.contains('@') || text.contains("-d @-"), "{text}");
        for value in values {
            assert!(text.contains(value), "{value} in {text}");
        }
    }
}

#[test]
fn without_a_limit_the_help_says_so() {
    let unlimited = Defaults {
        memory_total_bytes: None,
        ..DEFAULTS
    };
    let text = help::fill(help::ACTION, "executor-arm", &unlimited);
    assert!(text.contains("[no limit]\n") && text.contains("[256M]\n"), "{text}");
    assert!(text.contains("executor-arm action --listen") && !text.contains("executor-linux"));
}

#[test]
fn every_option_is_explained() {
    let engine = [
        "--trust",
        "--trust-any-aot",
        "--allow-uninterruptible-aot",
        "--allow-dir",
        "--sandbox",
        "--memory-total",
        "--memory-max",
        "--run-seconds-max",
        "--log",
    ];
    let server = ["--listen", "--threads-max", "--connections-max", "--drain-seconds"];
    let invoker = [
        "--reply",
        "--ports",
        "--max-containers",
        "--idle-seconds",
        "--log-sentinels",
    ];
    for (command, text, options) in [
        ("action", help::ACTION, [&engine[..], &server].concat()),
        ("invoker", help::INVOKER, [&engine[..], &server, &invoker].concat()),
        ("run", help::RUN, [&engine[..], &["--main"]].concat()),
    ] {
        assert_eq!(parse_all(&[command, "--help"]), Ok(Command::Help(text)));
        for option in options {
            let explained = [' ', '\n'].map(|end| format!("\n  {option}{end}"));
            assert!(
                explained.iter().any(|start| text.contains(start)),
                "{option} is explained in {text}"
            );
            let complaint = parse_all(&[command, option]).err().unwrap_or_default();
            assert!(!complaint.contains("no option"), "{command} {option}: {complaint}");
        }
        for line in help::fill(text, "executor-linux", &DEFAULTS).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn values_are_read() {
    let arguments = [
        "invoker",
        "--listen=[::1]:0",
        "--reply",
        "envelope",
        "--ports=20000-29999",
        "--max-containers=7",
        "--idle-seconds=3",
        "--log-sentinels",
        "--threads-max=5",
        "--connections-max=6",
        "--drain-seconds=0",
        "--trust=ed25519-public:x",
        "--trust",
        "key.pub",
        "--trust-any-aot",
        "--allow-uninterruptible-aot",
        "--allow-dir=/srv/data::/data",
        "--allow-dir=/tmp",
        "--sandbox=on",
        "--memory-total=1G",
        "--memory-max=16M",
        "--run-seconds-max=7",
        "--log=debug",
    ];
    let Ok(Command::Invoker(engine, server, invoker)) = parse_all(&arguments) else {
        panic!("invoker")
    };
    let directory = |host: &str, guest: &str| Grant {
        host: host.into(),
        guest: guest.into(),
        read_only: false,
    };
    assert_eq!(
        engine,
        Engine {
            trust: vec!["ed25519-public:x".into(), "key.pub".into()],
            trust_any_aot: true,
            allow_uninterruptible: true,
            allow_dirs: vec![directory("/srv/data", "/data"), directory("/tmp", "/tmp")],
            sandbox: sandbox::Mode::On,
            memory_total_bytes: Some(1 << 30),
            memory_max_bytes: Some(16 << 20),
            run_max: Duration::from_secs(7),
            log: Some(LevelFilter::Debug),
        }
    );
    assert_eq!(server.listen.to_string(), "[::1]:0");
    assert_eq!(
        (server.threads_max, server.connections_max, server.drain),
        (5, 6, Duration::ZERO)
    );
    assert!(server.log_sentinels);
    assert_eq!(
        invoker,
        Invoker {
            reply: ReplyStyle::Envelope,
            ports: Some(20_000..=29_999),
            containers_max: 7,
            idle: Duration::from_secs(3)
        }
    );
}

#[test]
fn run_takes_a_bundle_and_json() {
    let run = |arguments: &[&str]| match parse_all(arguments) {
        Ok(Command::Run(_, run)) => run,
        other => panic!("{other:?}"),
    };
    let expected = |input: Option<&str>| Run {
        bundle: "a.zip".into(),
        input: input.map(str::to_owned),
        main: String::new(),
    };
    assert_eq!(run(&["run", "a.zip"]), expected(None));
    assert_eq!(run(&["run", "a.zip", "-"]), expected(None));
    assert_eq!(run(&["run", "a.zip", "{}"]), expected(Some("{}")));
    assert_eq!(run(&["run", "--main=f", "a.zip"]).main, "f");
}

#[test]
fn complaints_name_the_option_the_value_and_what_is_allowed() {
    for (arguments, complaint) in [
        (&[][..], "a command is missing: action, invoker or run"),
        (&["serve"], "\"serve\" is no command; there are action, invoker and run"),
        (
            &["action", "--ports=0"],
            "--ports is no option of this command; --help lists them",
        ),
        (
            &["action", "--log-sentinels"],
            "--log-sentinels is no option of this command; --help lists them",
        ),
        (
            &["action", "--listen=8080"],
            "--listen: \"8080\" is not allowed; give ADDRESS:PORT, as 127.0.0.1:9000 or [::1]:9000",
        ),
        (&["action", "--listen"], "--listen: a value is missing"),
        (
            &["action", "--threads-max=1"],
            "--threads-max: \"1\" is not allowed; give a number from 2 to 65536",
        ),
        (
            &["action", "--memory-max=1"],
            "--memory-max: \"1\" is not allowed; give a number of bytes from 64K to 4G; K, M and G are understood",
        ),
        (
            &["action", "--memory-max=99999999999G"],
            "--memory-max: \"99999999999G\" is not allowed; give a number of bytes from 64K to 4G; K, M and G are understood",
        ),
        (
            &["action", "--memory-max=é"],
            "--memory-max: \"é\" is not allowed; give a number of bytes from 64K to 4G; K, M and G are understood",
        ),
        (
            &["action", "--memory-total=1M"],
            "--memory-total: \"1M\" is not allowed; give a number of bytes from 8M; K, M and G are understood",
        ),
        (
            &["action", "--sandbox=yes"],
            "--sandbox: \"yes\" is not allowed; give on, off or auto",
        ),
        (
            &["action", "--log=loud"],
            "--log: \"loud\" is not allowed; give off, error, warn, info, debug or trace",
        ),
        (
            &["invoker", "--reply=xml"],
            "--reply: \"xml\" is not allowed; give plain or envelope",
        ),
        (
            &["invoker", "--ports=2-1"],
            "--ports: \"2-1\" is not allowed; give 0 (any) or LOW-HIGH, as 20000-29999",
        ),
        (
            &["invoker", "--ports=0-9"],
            "--ports: \"0-9\" is not allowed; give 0 (any) or LOW-HIGH, as 20000-29999",
        ),
        (
            &["invoker", "--idle-seconds=0"],
            "--idle-seconds: \"0\" is not allowed; give a number of seconds from 1 to 604800",
        ),
        (
            &["invoker", "--allow-dir=::/x"],
            "--allow-dir: \"::/x\" is not allowed; give HOST or HOST::/GUEST",
        ),
        (&["run"], "run: the bundle's file is missing"),
        (
            &["run", "a", "{", "}"],
            "run: \"}\" is one argument too many; quote the JSON",
        ),
    ] {
        assert_eq!(parse_all(arguments), Err(complaint.to_owned()), "{arguments:?}");
    }
}
