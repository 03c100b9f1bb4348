//! The code on disk: whole, or not there.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Before the umask: a file like any other, not a private one.
const MODE: u32 = 0o666;

/// Write under a temporary name in the same folder, then rename: a reader sees the old file or the new one.
///
/// # Errors
/// The folder cannot be written to, or the disk is full.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    ensure!(
        !path.is_dir(),
        "cannot write {}: it is a folder; name a file with -o",
        path.display()
    );
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".wamrc-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    file.write_all(bytes)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.persist(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
