//! Zips: what runs is what the crate `zip` reads, and what it has written runs.

use std::io::{Cursor, Read};

use action_bundle::{CodeError, Kind};
use arbitrary::{Arbitrary, Unstructured};
use zip::ZipArchive;

use crate::archive::{AOT_HEADER, Entry, WASM_HEADER, chosen, written};

/// A zip, or what one is to be written from.
pub fn check(data: &[u8]) {
    if data.starts_with(b"PK") {
        assert_reads_the_same(data);
    } else if let Ok(plan) = Plan::arbitrary(&mut Unstructured::new(data)) {
        plan.check();
    }
}

/// A zip that is written well, and changes of it.
#[derive(Debug, Arbitrary)]
struct Plan {
    entries: Vec<PlannedEntry>,
    changes: Vec<(u16, u8)>,
    cut: Option<(u16, u8)>,
}

#[derive(Debug, Arbitrary)]
struct PlannedEntry {
    name: u8,
    begins_like: Beginning,
    content: Vec<u8>,
    is_deflated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
enum Beginning {
    Module,
    NativeCode,
    Nothing,
}

impl PlannedEntry {
    fn entry(&self, index: usize) -> Entry {
        let header = match self.begins_like {
            Beginning::Module => WASM_HEADER,
            Beginning::NativeCode => AOT_HEADER,
            Beginning::Nothing => b"",
        };
        let extension = ["wasm", "aot", "wamr", "txt", "js"][usize::from(self.name) % 5];
        Entry {
            name: format!("{index}.{extension}"),
            content: [header, &self.content].concat(),
            is_deflated: self.is_deflated,
        }
    }
}

impl Plan {
    fn check(&self) {
        let entries: Vec<Entry> = (self.entries.iter().enumerate())
            .map(|(index, planned)| planned.entry(index))
            .collect();
        let Some(mut bytes) = written(&entries) else { return };
        assert_eq!(chosen(&bytes), expected(&entries));
        for (at, value) in &self.changes {
            let at = usize::from(*at) % bytes.len();
            bytes[at] ^= value;
        }
        if let Some((at, len)) = self.cut {
            let start = usize::from(at) % bytes.len();
            let end = bytes.len().min(start + usize::from(len));
            bytes.drain(start..end);
        }
        if bytes.starts_with(b"PK") {
            assert_reads_the_same(&bytes);
        }
    }
}

/// The rules for a zip without a manifest.
fn expected(entries: &[Entry]) -> Result<(Kind, Vec<u8>), CodeError> {
    let is_module = |entry: &&Entry| [".wasm", ".aot", ".wamr"].iter().any(|end| entry.name.ends_with(end));
    let modules: Vec<&Entry> = entries.iter().filter(is_module).collect();
    let module = match (entries, modules.as_slice()) {
        // A zip without an entry does not begin as one with.
        ([], _) => return Err(CodeError::UnknownForm),
        (entries, _) if entries.len() > action_bundle::ENTRIES_MAX => return Err(CodeError::ZipEntries),
        ([only], _) => only,
        (_, [only]) => *only,
        (_, []) => return Err(CodeError::NoModule),
        _ => return Err(CodeError::ManyModules),
    };
    if module.content.starts_with(WASM_HEADER) {
        Ok((Kind::Wasm, module.content.clone()))
    } else if module.content.starts_with(b"\0aot") {
        Err(CodeError::AotBare)
    } else if module.content.starts_with(b"\0asm") {
        Err(CodeError::WasmVersion)
    } else {
        Err(CodeError::NoModule)
    }
}

/// Where both read a zip, one of its files is what runs: there is no reading of it by which it is something else.
fn assert_reads_the_same(bytes: &[u8]) {
    let Ok((kind, ours)) = chosen(bytes) else { return };
    assert_eq!(kind, Kind::Wasm, "nobody has signed native code");
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else {
        return;
    };
    let mut is_among = false;
    let mut is_readable = true;
    for index in 0..archive.len() {
        let mut theirs = Vec::new();
        match archive.by_index(index).map(|mut file| file.read_to_end(&mut theirs)) {
            Ok(Ok(_)) => is_among |= theirs == ours,
            _ => is_readable = false,
        }
    }
    assert!(is_among || !is_readable, "the crate `zip` finds no such file");
}
