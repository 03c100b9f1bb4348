//! Manifests: decoded as `executor-core/bundle/FORMAT.md` says, read naively; and none makes native code run that nobody signed.

use action_bundle::manifest::{self, Abi, ArtifactRecord, Capability, Form, Head};
use action_bundle::{Bounds, CodeError, Kind, Manifest};

use crate::archive::{AOT_HEADER, Entry, WASM_HEADER, chosen, written};

/// The input as the bytes of the entry `manifest`.
pub fn check(data: &[u8]) {
    let found = Manifest::parse(data);
    match (&found, naive(data)) {
        (Ok(found), Some(naive)) => {
            let Head { name, abi } = found.head();
            let abi = match abi {
                Abi::Lean => 0,
                Abi::Wow => 1,
                Abi::WasiCommand => 2,
            };
            let capabilities = found.capabilities();
            let found = Naive {
                name: name.to_owned(),
                abi,
                capabilities: capabilities
                    .map(|Capability { name, value }| (name.to_owned(), value.to_owned()))
                    .collect(),
                artifacts: found.artifacts().map(|record| artifact(&record)).collect(),
            };
            assert_eq!(found, naive);
        }
        (Err(CodeError::Manifest | CodeError::ManifestFormat), None) => {}
        (found, naive) => panic!("{found:?}, naively {naive:?}"),
    }
    if let Ok(found) = found {
        assert_encodes(&found);
    }
    assert_runs_nothing_native(data);
}

/// Decoded, encoded, decoded: the same; and if the input's numbers are as short as they can be, the same bytes.
fn assert_encodes(found: &Manifest<'_>) {
    let capabilities: Vec<Capability<'_>> = found.capabilities().collect();
    let artifacts: Vec<ArtifactRecord<'_>> = found.artifacts().collect();
    let mut output = vec![0; 1 << 16];
    let Ok(encoded) = manifest::encode(&found.head(), &capabilities, &artifacts, &mut output) else {
        return;
    };
    let again = Manifest::parse(encoded).expect("what was encoded decodes");
    assert_eq!(again.head(), found.head());
    assert_eq!(again.capabilities().collect::<Vec<_>>(), capabilities);
    assert_eq!(again.artifacts().collect::<Vec<_>>(), artifacts);
}

fn assert_runs_nothing_native(manifest: &[u8]) {
    let entry = |name: &str, content: &[u8]| Entry {
        name: name.to_owned(),
        content: content.to_vec(),
        is_deflated: false,
    };
    let bundle = written(&[
        entry("manifest", manifest),
        entry("add.aot", &[AOT_HEADER, b" native"].concat()),
        entry("add.wasm", &[WASM_HEADER, b" portable"].concat()),
    ]);
    let found = chosen(&bundle.expect("these names can be written"));
    if let Ok((kind, content)) = found {
        assert_eq!(kind, Kind::Wasm);
        assert!(content.starts_with(WASM_HEADER));
    }
}

#[derive(Debug, PartialEq)]
struct Naive {
    name: String,
    abi: u64,
    capabilities: Vec<(String, String)>,
    artifacts: Vec<NaiveArtifact>,
}

#[derive(Debug, PartialEq)]
struct NaiveArtifact {
    entry: String,
    len: u64,
    hash: [u8; 32],
    aot: Option<NaiveAot>,
}

type NaiveAot = (String, String, String, u64, [u64; 3], u64, bool);

fn artifact(record: &ArtifactRecord<'_>) -> NaiveArtifact {
    NaiveArtifact {
        entry: record.entry.to_owned(),
        len: record.len,
        hash: record.hash,
        aot: match record.form {
            Form::Wasm => None,
            Form::Aot(aot) => Some((
                aot.target.to_owned(),
                aot.cpu.to_owned(),
                aot.cpu_features.to_owned(),
                match aot.bounds {
                    Bounds::Software => 0,
                    Bounds::Hardware => 1,
                },
                [aot.wamr.major, aot.wamr.minor, aot.wamr.patch].map(u64::from),
                u64::from(aot.aot_format),
                aot.interruptible,
            )),
        },
    }
}

fn naive(data: &[u8]) -> Option<Naive> {
    let mut reader = Reader(data);
    if reader.take(4)? != b"OWAB" || reader.number(16)? != 3 {
        return None;
    }
    let name = reader.text()?;
    let abi = reader.number(32).filter(|abi| *abi < 3)?;
    let mut capabilities = Vec::new();
    for _ in 0..reader.number(32)? {
        capabilities.push((reader.text()?, reader.text()?));
    }
    let mut artifacts = Vec::new();
    for _ in 0..reader.number(32)? {
        artifacts.push(NaiveArtifact {
            entry: reader.text()?,
            len: reader.number(64)?,
            hash: reader.take(32)?.try_into().ok()?,
            aot: match reader.number(32)? {
                0 => None,
                1 => Some((
                    reader.text()?,
                    reader.text()?,
                    reader.text()?,
                    reader.number(32).filter(|bounds| *bounds < 2)?,
                    [reader.number(16)?, reader.number(16)?, reader.number(16)?],
                    reader.number(32)?,
                    match reader.take(1)? {
                        [0] => false,
                        [1] => true,
                        _ => return None,
                    },
                )),
                _ => return None,
            },
        });
    }
    reader.0.is_empty().then_some(Naive {
        name,
        abi,
        capabilities,
        artifacts,
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// Seven bits a byte, the lowest first; as many bytes as the type can need, and no bit beyond it.
    fn number(&mut self, bits: u32) -> Option<u64> {
        let mut number = 0_u128;
        for index in 0..bits.div_ceil(7) {
            let byte = *self.take(1)?.first()?;
            number |= u128::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return u64::try_from(number).ok().filter(|number| number >> (bits - 1) <= 1);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::try_from(self.number(64)?).ok()?;
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }
}
