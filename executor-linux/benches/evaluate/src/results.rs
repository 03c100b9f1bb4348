//! All that was measured, as it is written and read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::experiments::cold::{Cold, First};
use crate::experiments::load::Load;
use crate::experiments::memory::Memory;
use crate::experiments::sizes::Size;
use crate::experiments::split::Split;
use crate::experiments::start::Start;
use crate::experiments::throughput::{Scaling, Throughput};
use crate::experiments::warm::Warm;
use crate::experiments::zipf::Zipf;
use crate::machine::Machine;

/// Names carry units: `_us` is microseconds, `_bytes` bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    /// The executor's commit.
    pub revision: String,
    /// Few repetitions: for a look, not for a table.
    pub is_quick: bool,
    /// What else is to be told: who was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cold: Vec<Cold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<First>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<Split>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load: Vec<Load>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warm: Vec<Warm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throughput: Vec<Throughput>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaling: Vec<Scaling>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<Start>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Memory>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zipf: Vec<Zipf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<Size>,
}

impl Results {
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} holds no results", path.display()))
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
