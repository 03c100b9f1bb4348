//! The manifest of an action bundle.
//!
//! In: the bytes of the entry `manifest`. Out: a [`Manifest`] that has been decoded to its end once, and whose records are
//! decoded again as they are iterated: nothing is allocated. The format is specified in `FORMAT.md`; [`encode`] writes it.

use core::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::{Bounds, CodeError, Kind, WamrVersion};

/// The first bytes of a manifest.
pub const MAGIC: [u8; 4] = *b"OWAB";

/// The format that this crate writes, and the one that it reads.
pub const FORMAT: u16 = 3;

/// The name of the manifest's entry.
pub const ENTRY: &str = "manifest";

/// The name of the signature's entry.
pub const SIGNATURE_ENTRY: &str = "manifest.sig";

/// What every format begins with.
#[derive(Serialize, Deserialize)]
struct Preamble {
    magic: [u8; 4],
    format: u16,
}

/// A manifest's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head<'a> {
    /// The action's name, for people.
    pub name: &'a str,
    /// How the module is called.
    pub abi: Abi,
}

/// How a module is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Abi {
    /// Ours: `ow_allocate` and `ow_run`.
    Lean,
    /// WOW's buffer exports and `_start`.
    Wow,
    /// A WASI command: `_start`, JSON in on argv and stdin, out on stdout.
    WasiCommand,
}

/// Something that the action asks the executor for. Whether it gets it is the operator's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability<'a> {
    /// [`Capability::DIRECTORY`], [`Capability::NETWORK`], or one that this version does not know.
    pub name: &'a str,
    /// What exactly: a directory's path, for example.
    pub value: &'a str,
}

impl Capability<'_> {
    /// A directory; the value is its path.
    pub const DIRECTORY: &'static str = "directory";
    /// Outgoing connections; the value is empty.
    pub const NETWORK: &'static str = "network";
}

/// What the manifest says about one artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord<'a> {
    /// The name of its entry in the zip.
    pub entry: &'a str,
    /// The length of its bytes.
    pub len: u64,
    /// The BLAKE3 of its bytes.
    pub hash: [u8; 32],
    /// What it is.
    pub form: Form<'a>,
}

/// What an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form<'a> {
    /// A WebAssembly module.
    Wasm,
    /// Native code.
    #[serde(borrow)]
    Aot(AotTarget<'a>),
}

impl Form<'_> {
    /// The kind of the artifact.
    pub fn kind(&self) -> Kind {
        match self {
            Form::Wasm => Kind::Wasm,
            Form::Aot(_) => Kind::Aot,
        }
    }
}

/// Where native code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AotTarget<'a> {
    /// The instruction set, in the words of WAMR's compiler.
    pub target: &'a str,
    /// The CPU that it was compiled for, in LLVM's words: for people.
    pub cpu: &'a str,
    /// The CPU features that the code may use beyond its target's baseline, by `rustc`'s names, with commas between them.
    pub cpu_features: &'a str,
    /// How it keeps memory accesses in bounds.
    pub bounds: Bounds,
    /// The release of WAMR whose compiler made it.
    pub wamr: WamrVersion,
    /// The version of the AOT file format.
    pub aot_format: u32,
    /// Whether it looks in its loops and calls if it was told to stop.
    pub interruptible: bool,
}

impl<'a> AotTarget<'a> {
    /// The names in `cpu_features`.
    pub fn cpu_features(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.cpu_features.split(',').filter(|name| !name.is_empty())
    }
}

/// A manifest, decoded to its end.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    head: Head<'a>,
    capabilities: Records<'a, Capability<'a>>,
    artifacts: Records<'a, ArtifactRecord<'a>>,
}

impl<'a> Manifest<'a> {
    /// Decode a manifest.
    ///
    /// # Errors
    /// [`CodeError::ManifestFormat`] if its format is newer than this crate, [`CodeError::Manifest`] if it is malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CodeError> {
        let (preamble, rest) = take::<Preamble>(bytes)?;
        match preamble {
            Preamble {
                magic: MAGIC,
                format: FORMAT,
            } => {}
            Preamble { magic: MAGIC, format } if format > FORMAT => return Err(CodeError::ManifestFormat),
            _ => return Err(CodeError::Manifest),
        }
        let (head, rest) = take(rest)?;
        let (capabilities, rest) = Records::parse(rest)?;
        let (artifacts, rest) = Records::parse(rest)?;
        if rest.is_empty() {
            Ok(Manifest {
                head,
                capabilities,
                artifacts,
            })
        } else {
            Err(CodeError::Manifest)
        }
    }

    /// The manifest's own fields.
    pub fn head(&self) -> Head<'a> {
        self.head
    }

    /// What the action asks for.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability<'a>> + use<'a> {
        self.capabilities
    }

    /// The artifacts, in the order of preference of who built the bundle.
    pub fn artifacts(&self) -> impl Iterator<Item = ArtifactRecord<'a>> + use<'a> {
        self.artifacts
    }
}

/// Encode a manifest into `output`. Returns the part that was written.
///
/// # Errors
/// [`CodeError::Manifest`] if it does not fit.
pub fn encode<'o>(
    head: &Head<'_>,
    capabilities: &[Capability<'_>],
    artifacts: &[ArtifactRecord<'_>],
    output: &'o mut [u8],
) -> Result<&'o mut [u8], CodeError> {
    let manifest = (
        Preamble {
            magic: MAGIC,
            format: FORMAT,
        },
        head,
        capabilities,
        artifacts,
    );
    postcard::to_slice(&manifest, output).map_err(|_| CodeError::Manifest)
}

/// A sequence of records, known to decode.
#[derive(Clone, Copy, Debug)]
struct Records<'a, T> {
    count: u32,
    bytes: &'a [u8],
    record: PhantomData<T>,
}

impl<'a, T: Deserialize<'a>> Records<'a, T> {
    /// Decode a whole sequence and forget it again.
    fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), CodeError> {
        let (count, bytes) = take::<u32>(bytes)?;
        let records = Records {
            count,
            bytes,
            record: PhantomData,
        };
        let mut rest = bytes;
        // A record takes at least one byte, so a false count ends with the bytes.
        for _ in 0..count {
            rest = take::<T>(rest)?.1;
        }
        Ok((records, rest))
    }
}

impl<'a, T: Deserialize<'a>> Iterator for Records<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.count = self.count.checked_sub(1)?;
        let (record, rest) = take(self.bytes).ok()?;
        self.bytes = rest;
        Some(record)
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), CodeError> {
    postcard::take_from_bytes(bytes).map_err(|_| CodeError::Manifest)
}
