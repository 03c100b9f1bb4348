//! The committed inputs, through the targets' checks: the seeds, and what once was a finding.

use std::path::Path;
use std::{fs, io};

use fuzz::TARGETS;

/// Every file below `folder`/`target`, in the order of their names.
fn inputs(folder: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let files = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        other => other.expect("a folder"),
    };
    let mut inputs: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a file")))
        .collect();
    inputs.sort();
    inputs
}

fn replay(folder: &str) -> usize {
    let mut count = 0;
    for (target, check) in TARGETS {
        for (name, input) in inputs(folder, target) {
            // Read only when a check panics: the harness shows what a failed test has printed.
            println!("{name}");
            check(&input);
            count += 1;
        }
    }
    count
}

#[test]
fn seeds_hold() {
    assert!(replay("corpus") > 0);
    for (target, _) in TARGETS {
        assert!(!inputs("corpus", target).is_empty(), "{target} has seeds");
    }
}

#[test]
fn findings_stay_mended() {
    replay("regressions");
}
