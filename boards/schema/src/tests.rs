#![allow(clippy::unwrap_used, reason = "a test fails so")]

use super::*;

const GOOD: &str = include_str!("../../rpi-4/board.toml");

#[test]
fn every_board_of_the_repository_is_complete() {
    assert!(names().any(|name| name == "linux-amd64"));
    assert!(names().is_sorted());
    for name in names() {
        let board = Board::find(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(board.name, name);
    }
}

#[test]
fn a_description_is_read() {
    let board = Board::parse("rpi-4", GOOD).unwrap();
    assert_eq!(board.build.rust_target, "aarch64-unknown-linux-gnu");
    assert_eq!(
        (board.aot.target.as_str(), board.aot.cpu.as_str()),
        ("aarch64v8", "cortex-a72")
    );
    let packages: Vec<_> = board.packages().collect();
    assert_eq!(
        packages,
        ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "qemu-user"]
    );
}

#[test]
fn mistakes_are_named() {
    for (from, to, said) in [
        ("bounds =", "bound =", "unknown field `bound`"),
        ("\"software\"", "\"hardware\"", "unknown variant `hardware`"),
        ("interpreter = \"fast\"", "", "missing field `interpreter`"),
        ("c_flags = [\"-mcpu=cortex-a72\"]", "c_flags = 3", "invalid type"),
        ("program =", "programme =", "unknown field `programme`"),
        (
            "\"qemu-user\"\nprogram",
            "\"qemu-system\"\nprogram",
            "unknown variant `qemu-system`",
        ),
        ("package = \"executor-arm\"", "package = \"\"", "one word"),
        ("cpu = \"cortex-a72\"", "cpu = \"cortex a72\"", "one word"),
        ("features = \"\"", "features = \"crc\"", "+ or -"),
        ("memory_max_mib = 768", "memory_max_mib = 8", "below 16"),
        ("memory_max_mib = 768", "memory_max_mib = -1", "invalid value"),
        ("containers_max = 2048", "containers_max = 0", "containers_max"),
        ("0x100_0000_0000", "0x0", "guest_memory"),
        ("[build]", "[build", "line"),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from} is in the file");
        let error = Board::parse("rpi-4", &text).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("rpi-4/board.toml"),
            "{to}: {error}"
        );
    }
}

#[test]
fn a_board_is_found_by_name_or_path() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../rpi-4/board.toml");
    assert_eq!(Board::find(path).unwrap(), Board::find("rpi-4").unwrap());
    let error = Board::find("rpi-9").unwrap_err().to_string();
    assert!(error.contains("no board `rpi-9`") && error.contains("rpi-4"), "{error}");
    let error = Board::find("no/such/board.toml").unwrap_err().to_string();
    assert!(error.contains("cannot read no/such/board.toml"), "{error}");
}
