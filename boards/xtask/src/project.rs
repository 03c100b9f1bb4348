//! Where things are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The checkout and the folders around it.
pub struct Project {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's build folder.
    pub target: PathBuf,
    /// What is slow to make and does not change with the sources, for all checkouts of this user.
    pub cache: PathBuf,
}

impl Project {
    pub fn find() -> Result<Self> {
        let cache = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set: where shall the cache be?")?
            .join("edge-executor");
        Self::with_cache(cache)
    }

    /// The same with this cache, whatever the environment says.
    pub fn with_cache(cache: PathBuf) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("xtask lies in boards/xtask")?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Project {
            root: root.to_owned(),
            target,
            cache,
        })
    }

    pub fn boards(&self) -> PathBuf {
        self.root.join("boards")
    }

    /// Where the bundles of the examples go.
    pub fn bundles(&self) -> PathBuf {
        self.target.join("bundles")
    }

    /// `cargo`, in the checkout.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }
}
