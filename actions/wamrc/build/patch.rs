//! The one change to WAMR: code compiled with `--interruptible` polls whether it was told to stop.
//!
//! WAMR has the poll, but emits it for shared memories only, because its only user are threads of one module. Ours is a
//! deadline: the thread that stops a guest is the host's, and the memory is the guest's own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files;

/// In `check_suspend_flags`, whose callers ask for `enable_thread_mgr` before.
const UPSTREAM: &str = "    if (!is_shared_memory) {";
const OURS: &str = "    if (!is_shared_memory && !comp_ctx->enable_thread_mgr) {";

/// The changed copy's path.
pub fn interruptible(core: &Path, out: &Path) -> PathBuf {
    let path = files::source(core, files::PATCHED);
    let source = fs::read_to_string(&path).expect("WAMR's sources are text");
    assert_eq!(
        source.matches(UPSTREAM).count(),
        1,
        "{} has changed: see whether check_suspend_flags still asks for a shared memory, and mend build/patch.rs",
        files::PATCHED
    );
    let copy = out.join("aot_emit_control.c");
    fs::write(&copy, source.replace(UPSTREAM, OURS)).expect("OUT_DIR can be written");
    copy
}
