//! Boards as data: `boards/NAME/board.toml` says what differs from board to board.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// One board. Every key is mandatory, and an unknown one is an error: a typo must not be a default.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// For people.
    pub description: String,
    /// The target triple of the executor.
    pub rust_target: String,
    /// Flags for rustc.
    pub rust_flags: Vec<String>,
    /// The target of AOT artifacts, as `wamrc --target` names it.
    pub wamrc_target: String,
    /// Their CPU, as `wamrc --cpu` names it.
    pub wamrc_cpu: String,
    /// How memory accesses are kept in bounds.
    pub bounds: Bounds,
    /// Which interpreter is built in.
    pub interpreter: Interpreter,
    /// How its binary is run here.
    pub runner: Runner,
}

/// How memory accesses are kept in bounds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Bounds {
    /// By instructions.
    Software,
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

/// How a board's binary is run on the machine that builds it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// As it is.
    Native,
}

impl Board {
    /// Read `boards/NAME/board.toml`.
    pub fn load(boards: &Path, name: &str) -> Result<Self> {
        let path = boards.join(name).join("board.toml");
        if !path.is_file() {
            bail!("there is no board `{name}`; `cargo xtask boards` lists those that there are");
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a board description", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }
}

/// The names of all boards, sorted.
pub fn names(boards: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(boards).with_context(|| format!("cannot read {}", boards.display()))? {
        let entry = entry?;
        if entry.path().join("board.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = include_str!("../../linux-amd64/board.toml");

    #[test]
    fn the_reference_board_is_read() {
        let board = Board::parse(GOOD).unwrap();
        assert_eq!(board.rust_target, "x86_64-unknown-linux-gnu");
        assert_eq!(board.interpreter, Interpreter::Fast);
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, said) in [
            ("bounds =", "bound =", "unknown field `bound`"),
            ("\"software\"", "\"hardware\"", "unknown variant `hardware`"),
            ("interpreter = \"fast\"", "", "missing field `interpreter`"),
            ("[\"-Ctarget-feature=+crt-static\"]", "3", "invalid type"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from} is in the file");
            let error = format!("{:#}", Board::parse(&text).unwrap_err());
            assert!(error.contains(said), "{to}: {error}");
        }
    }

    #[test]
    fn every_board_here_is_read() {
        let boards = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let names = names(boards).unwrap();
        assert!(names.contains(&"linux-amd64".to_owned()));
        for name in names {
            Board::load(boards, &name).unwrap();
        }
        assert!(Board::load(boards, "no-such-board").is_err());
    }
}
