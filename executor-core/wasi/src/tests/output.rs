//! The log and the last line, against an oracle that keeps everything.

use std::vec::Vec;

use proptest::prelude::*;

use crate::{Output, OutputLimits};

const WIDE: OutputLimits = OutputLimits {
    log_bytes: 1000,
    result_bytes: 1000,
};

fn written(limits: OutputLimits, pieces: &[&[u8]]) -> Output {
    let mut output = Output::new(limits);
    for piece in pieces {
        output.write_stdout(piece).unwrap();
    }
    output
}

#[test]
fn the_last_line_is_the_result() {
    for (stdout, log, last_line) in [
        ("", "", ""),
        ("\n \n\t", "", ""),
        ("{}", "", "{}"),
        ("{}\n", "", "{}"),
        ("{}\r\n\n  \n", "", "{}"),
        ("a\n{}", "a\n", "{}"),
        ("a\n\nb\r\n{\"a\":1}\n", "a\n\nb\r\n", "{\"a\":1}"),
        ("a\n  {}  \n", "a\n", "{}"),
        ("\n\n{}\n", "\n\n", "{}"),
        ("a\n \n{}", "a\n \n", "{}"),
    ] {
        let whole = written(WIDE, &[stdout.as_bytes()]);
        assert_eq!(
            (whole.log(), whole.last_line()),
            (log.as_bytes(), last_line.as_bytes()),
            "{stdout:?}"
        );
        assert_eq!(whole.stdout(), stdout.as_bytes());
        assert!(!whole.is_truncated());
    }
}

#[test]
fn a_long_log_loses_its_end_and_not_the_result() {
    let limits = OutputLimits {
        log_bytes: 10,
        result_bytes: 8,
    };
    let output = written(limits, &[b"12345\n", b"abcdefg\n", b"more\n", b"{\"a\":1}\n"]);
    assert_eq!(
        (output.log(), output.last_line()),
        (&b"12345\nabc\n"[..], &b"{\"a\":1}"[..])
    );
    assert!(output.is_truncated());
}

#[test]
fn the_result_may_have_its_limit_and_one_byte_more_shows() {
    let limits = OutputLimits {
        log_bytes: 0,
        result_bytes: 8,
    };
    for (line, len, log) in [
        ("12345678", 8, ""),
        ("12345678\n\n", 8, ""),
        ("123456789", 9, ""),
        ("a\n123456789012\n", 10, ""),
    ] {
        let output = written(limits, &[line.as_bytes()]);
        assert_eq!(output.log(), log.as_bytes());
        assert!(output.last_line().len() >= len, "{line:?}");
        assert_eq!(output.last_line().len() > limits.result_bytes, len > 8, "{line:?}");
    }
    // White space within a line that was cut does not make it shorter.
    let output = written(limits, &[b"{              }"]);
    assert!(output.last_line().len() > limits.result_bytes);
}

#[test]
fn both_streams_share_the_log() {
    let limits = OutputLimits {
        log_bytes: 10,
        result_bytes: 100,
    };
    let mut output = Output::new(limits);
    output.write_stderr(b"123456").unwrap();
    output.write_stdout(b"abcdefgh\n{}").unwrap();
    assert_eq!(
        (output.stderr(), output.log(), output.last_line()),
        (&b"123456"[..], &b"abc\n"[..], &b"{}"[..])
    );
    output.write_stderr(b"7").unwrap();
    assert_eq!(output.stderr(), b"123456");
    assert!(output.is_truncated());
}

#[test]
fn a_cleared_output_is_a_new_one() {
    let mut output = written(
        OutputLimits {
            log_bytes: 3,
            result_bytes: 3,
        },
        &[b"abcdef\nabcdef\nabcdef"],
    );
    assert!(output.is_truncated());
    output.clear();
    output.write_stdout(b"{}\n").unwrap();
    assert_eq!(
        (output.log(), output.last_line(), output.is_truncated()),
        (&b""[..], &b"{}"[..], false)
    );
}

/// What is log and what is the last line (with the white space before it), of everything.
fn oracle(stdout: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut log = Vec::new();
    let mut line = Vec::new();
    for piece in stdout.split_inclusive(|byte| *byte == b'\n') {
        if !piece.trim_ascii().is_empty() {
            log.append(&mut line);
        }
        line.extend_from_slice(piece);
    }
    // Blank lines before the first line belong to the log too.
    let start = line.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let line_start = line[..start]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    log.extend_from_slice(&line[..line_start]);
    (log, line[line_start..].trim_ascii_end().to_vec())
}

proptest! {
    #[test]
    fn the_cut_output_agrees_with_everything(
        pieces in prop::collection::vec(("[a \n]{0,12}", any::<bool>()), 0..20),
        log_bytes in 0_usize..40,
        result_bytes in 0_usize..12,
    ) {
        let limits = OutputLimits { log_bytes, result_bytes };
        let mut output = Output::new(limits);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        for (piece, is_error) in &pieces {
            if *is_error {
                output.write_stderr(piece.as_bytes()).unwrap();
                stderr.extend_from_slice(piece.as_bytes());
            } else {
                output.write_stdout(piece.as_bytes()).unwrap();
                stdout.extend_from_slice(piece.as_bytes());
            }
        }
        let (log, last_line) = oracle(&stdout);
        let trimmed = last_line.trim_ascii();
        if last_line.len() <= result_bytes {
            prop_assert_eq!(output.last_line(), trimmed);
        } else {
            // White space before it may make it too long, and cannot make it another.
            prop_assert!(output.last_line().len() > result_bytes || output.last_line() == trimmed);
            prop_assert!(trimmed.starts_with(output.last_line().trim_ascii()));
        }
        // A prefix, but for the line end that closes a cut line.
        let kept = output.log();
        prop_assert!(log.starts_with(kept) || log.starts_with(&kept[..kept.len() - 1]) && kept.ends_with(b"\n"));
        prop_assert!(stderr.starts_with(output.stderr()));
        prop_assert!(output.log().len() + output.stderr().len() <= log_bytes);
        prop_assert!(output.stdout().len() + output.stderr().len() <= log_bytes + result_bytes + 2);
        if stdout.len() + stderr.len() <= log_bytes {
            prop_assert!(!output.is_truncated());
            prop_assert_eq!(output.log(), &log[..]);
            prop_assert_eq!(output.stderr(), &stderr[..]);
        }
    }
}
