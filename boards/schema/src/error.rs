//! Why there is no board.

use std::fmt;
use std::io;

use crate::names;

/// Why there is no board. The text says what to do.
#[derive(Debug)]
pub enum BoardError {
    /// No board of this repository has the name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A description's file cannot be read.
    File {
        /// Where it should be.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// A text is no description of a board.
    Description {
        /// The board's name.
        name: String,
        /// What is wrong, and in which line if that can be told.
        reason: String,
    },
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoardError::Unknown { name } => {
                let names: Vec<_> = names().collect();
                write!(
                    f,
                    "there is no board `{name}`: there are {}; or give the path of a board.toml",
                    names.join(", ")
                )
            }
            BoardError::File { path, error } => write!(f, "cannot read {path}: {error}"),
            BoardError::Description { name, reason } => write!(f, "{name}/board.toml: {}", reason.trim_end()),
        }
    }
}

impl std::error::Error for BoardError {}
