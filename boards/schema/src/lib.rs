//! Boards as data: `boards/NAME/board.toml` says what differs from board to board.
//!
//! The descriptions of this repository are compiled in, so that `bundle build --board NAME` works wherever `bundle` was
//! installed; [`Board::find`] also takes the path of another description.
//!
//! **Invariant.** A [`Board`] that exists is complete: every key is mandatory, an unknown one is an error (a typo must not be
//! a default), and values that cannot work are refused when they are read.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bare;
mod error;
mod image;

use std::fs;
use std::path::Path;

use serde::Deserialize;

pub use bare::{Area, Bare, Network};
pub use error::BoardError;
pub use image::build_script;

/// The boards of this repository, as (name, text), sorted by name.
const COMPILED_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/boards.rs"));

/// One board.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The folder's name.
    #[serde(skip)]
    pub name: String,
    /// For people.
    pub description: String,
    /// What was tried of it, and how.
    pub verified: String,
    /// How its executor is built.
    pub build: Build,
    /// What its AOT code is compiled for.
    pub aot: Aot,
    /// What it has, and what the executor may use of that.
    pub node: Node,
    /// How its executor is run on the machine that builds it.
    pub run: Run,
    /// What there is in place of an operating system. Boards with one leave it out.
    pub bare: Option<Bare>,
}

/// How a board's executor is built.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The executor's package, which is also its program's name.
    pub package: String,
    /// The target triple.
    pub rust_target: String,
    /// Flags for rustc.
    pub rust_flags: Vec<String>,
    /// The C compiler, which also links.
    pub c_compiler: String,
    /// Flags for the C compiler.
    pub c_flags: Vec<String>,
    /// Debian's packages with that compiler and a C library.
    pub packages: Vec<String>,
    /// Which interpreter is built in.
    pub interpreter: Interpreter,
}

/// What AOT code for a board is compiled for, in the words of `wamrc`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Aot {
    /// The instruction set.
    pub target: String,
    /// The ABI.
    pub abi: String,
    /// The CPU.
    pub cpu: String,
    /// Features beyond the CPU's, or without them: `+crc,-neon`. Empty: those of the CPU.
    pub features: String,
    /// How memory accesses are kept in bounds.
    pub bounds: Bounds,
    /// Without relocations, so that code which is baked into an image runs from flash.
    #[serde(default)]
    pub xip: bool,
}

/// What a board has, and what the executor may use of that.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// How `/proc/device-tree/model` begins on such boards. Empty: they have no such file.
    pub models: Vec<String>,
    /// The most memory that the executor may take: what its service is limited to, in MiB.
    pub memory_max_mib: u32,
    /// The most containers at once.
    pub containers_max: u32,
}

/// How memory accesses are kept in bounds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Bounds {
    /// By instructions.
    Software,
}

impl Bounds {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Bounds::Software => "software",
        }
    }
}

/// Which of WAMR's interpreters is built in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Interpreter {
    /// Slower to load, faster to run.
    Fast,
    /// Faster to load, slower to run, less memory.
    Classic,
}

/// How a board's executor is run on the machine that builds it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Run {
    /// As it is.
    Native,
    /// By QEMU's emulation of one Linux program.
    QemuUser {
        /// QEMU's program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Debian's packages with it.
        packages: Vec<String>,
        /// From which address to which other the emulated program's memory lies in QEMU's own: where its share of QEMU's
        /// resident memory is counted.
        guest_memory: [u64; 2],
    },
    /// By QEMU's emulation of the whole board.
    QemuSystem {
        /// QEMU's program.
        program: String,
        /// Its arguments: the machine, without what depends on the run (the image, the forwarded ports, the consoles).
        arguments: Vec<String>,
        /// The network interface's arguments; `{net}` in them stands for the forwarded network.
        network: Vec<String>,
        /// The arguments of the device that guests' output goes to: it uses the character device `output`.
        output: Vec<String>,
        /// Debian's packages with it.
        packages: Vec<String>,
    },
    /// Not at all: nothing here emulates the board. Its program is built, and its sizes are checked.
    // Braces, for serde accepts anything beside a variant without.
    HardwareOnly {},
}

impl Board {
    /// A board of this repository by its name, or another by the path of its `board.toml`.
    ///
    /// # Errors
    /// [`BoardError`]: there is none, or it is not a description.
    pub fn find(name_or_path: &str) -> Result<Self, BoardError> {
        if let Some((name, text)) = COMPILED_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, text);
        }
        let path = Path::new(name_or_path);
        if path.extension().is_none_or(|extension| extension != "toml") {
            return Err(BoardError::Unknown {
                name: name_or_path.to_owned(),
            });
        }
        let text = fs::read_to_string(path).map_err(|error| BoardError::File {
            path: name_or_path.to_owned(),
            error,
        })?;
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        Self::parse(&folder.to_string_lossy(), &text)
    }

    /// Read a description.
    ///
    /// # Errors
    /// [`BoardError::Description`] says what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, BoardError> {
        let wrong = |reason: String| BoardError::Description {
            name: name.to_owned(),
            reason,
        };
        let mut board: Board = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        name.clone_into(&mut board.name);
        match board.complaint() {
            None => Ok(board),
            Some(reason) => Err(wrong(reason.to_owned())),
        }
    }

    /// What cannot work.
    fn complaint(&self) -> Option<&'static str> {
        let Board {
            build, aot, node, run, ..
        } = self;
        let are_words = |words: &[&String]| {
            words
                .iter()
                .all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
        };
        if !are_words(&[
            &build.package,
            &build.rust_target,
            &build.c_compiler,
            &aot.target,
            &aot.abi,
            &aot.cpu,
        ]) {
            return Some("package, rust_target, c_compiler and aot's target, abi and cpu are one word each");
        }
        if aot
            .features
            .split(',')
            .any(|feature| !feature.is_empty() && !feature.starts_with(['+', '-']))
        {
            return Some("aot's features are words with + or - before each and commas between them");
        }
        if matches!(run, Run::QemuSystem { .. } | Run::HardwareOnly {}) != self.bare.is_some() {
            return Some("a board has both of [bare] and one of the methods qemu-system and hardware-only, or neither");
        }
        // Without an operating system, [bare] says what there is.
        if node.memory_max_mib < 16 && self.bare.is_none() {
            return Some("memory_max_mib is below 16: the executor and one instance do not fit");
        }
        if !(1..=1_000_000).contains(&node.containers_max) {
            return Some("containers_max is not from 1 to 1000000");
        }
        if let Run::QemuUser {
            program, guest_memory, ..
        } = run
        {
            if !are_words(&[program]) {
                return Some("run's program is one word");
            }
            if guest_memory[0] >= guest_memory[1] {
                return Some("run's guest_memory goes from a lower address to a higher one");
            }
        }
        self.bare.as_ref().and_then(Bare::complaint)
    }

    /// Debian's packages that building and running it here takes.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        let of_run = match &self.run {
            Run::Native | Run::HardwareOnly {} => &[][..],
            Run::QemuUser { packages, .. } | Run::QemuSystem { packages, .. } => packages,
        };
        self.build.packages.iter().chain(of_run).map(String::as_str)
    }
}

/// The names of this repository's boards, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMPILED_IN.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
