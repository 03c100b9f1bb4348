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
            "\"qemu-whatever\"\nprogram",
            "unknown variant `qemu-whatever`",
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

const BARE: &str = include_str!("../../mps2-an500/board.toml");

#[test]
fn a_memory_map_that_cannot_work_is_named() {
    for (from, to, said) in [
        ("start = 0x2000_0000, kib", "start = 0x0000_1000, kib", "overlap"),
        ("stack_kib = 96", "stack_kib = 32", "stack_kib"),
        ("flash_max_kib = 256", "flash_max_kib = 8192", "flash_max_kib"),
        ("start = 0x60a0_0000, kib", "start = 0x609f_fc00, kib", "overlap"),
        (
            "bodies = {",
            "dma = { start = 0x6000_0000, kib = 4 }\nbodies = {",
            "overlap",
        ),
        ("engine_kib = 2048", "engine_kib = 16384", "engine_kib"),
        ("code_kib = 1024", "code_kib = 1536", "power of two"),
        ("instance_max_kib = 4096", "instance_max_kib = 9999", "instance_max_kib"),
        ("02:00:00:00:05:00", "01:00:00:00:05:00", "mac"),
        ("02:00:00:00:05:00", "02:00:00:00:05", "mac"),
        ("control_port = 9000", "control_port = 8080", "ports differ"),
        ("connections = 12", "connections = 65", "connections"),
        ("method = \"qemu-system\"", "method = \"native\"", "or neither"),
        (
            "method = \"qemu-system\"",
            "method = \"hardware-only\"",
            "unknown field",
        ),
    ] {
        let text = BARE.replace(from, to);
        assert_ne!(text, BARE, "{from} is in the file");
        let error = Board::parse("mps2-an500", &text).unwrap_err().to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    let without: Vec<&str> = BARE.split("[bare]").collect();
    let error = Board::parse("mps2-an500", without[0]).unwrap_err().to_string();
    assert!(error.contains("or neither"), "{error}");
}

/// Nothing of it runs here: it says so, and names nothing that would run it.
#[test]
fn a_board_without_an_emulation_says_so() {
    const NUCLEO: &str = include_str!("../../nucleo-h743zi/board.toml");

    let board = Board::parse("nucleo-h743zi", NUCLEO).unwrap();
    assert_eq!(board.run, Run::HardwareOnly {});
    assert_eq!(board.packages().collect::<Vec<_>>(), board.build.packages);
    assert!(board.verified.contains("never run"), "{}", board.verified);
    let bare = board.bare.unwrap();
    assert!(
        bare.constants("nucleo-h743zi", 1)
            .contains("DMA: (usize, usize) = (0x30040000, 0x8000)")
    );
    let without: Vec<&str> = NUCLEO.split("[bare]").collect();
    let error = Board::parse("nucleo-h743zi", without[0]).unwrap_err().to_string();
    assert!(error.contains("or neither"), "{error}");
}

#[test]
fn the_regions_of_guests_fill_them_without_a_gap() {
    let bare = Board::parse("mps2-an500", BARE).unwrap().bare.unwrap();
    let mut next = bare.guests.start;
    for (name, start, bytes) in bare.regions() {
        assert_eq!(start, next, "{name}");
        assert!(bytes > 0, "{name}");
        next += bytes;
    }
    assert_eq!(next, bare.guests.start + bare.guests.kib * 1024);
    let script = bare.memory_script();
    // 512 KiB in all: 96 and 16 of stacks, the rest.
    for line in [
        "STACK : ORIGIN = 0x20000000, LENGTH = 0x18000",
        "HANDLER_STACK : ORIGIN = 0x20018000, LENGTH = 0x4000",
        "RAM : ORIGIN = 0x2001c000, LENGTH = 0x64000",
    ] {
        assert!(script.contains(line), "{line}: {script}");
    }
}
