//! Finds LLVM 19: `llvm-config` knows where it lies and how it is linked.

use std::env;
use std::ffi::OsString;
use std::process::{self, Command};

/// The one version that the artifacts are tested with: another one would make other code of the same module.
const MAJOR: &str = "19";

pub struct Llvm {
    config: OsString,
    pub include_folder: String,
}

impl Llvm {
    /// The `llvm-config` of the variable `LLVM_CONFIG`, else of the `PATH`. Ends the build with one clear line if there is
    /// none of version 19.
    pub fn find() -> Llvm {
        println!("cargo:rerun-if-env-changed=LLVM_CONFIG");
        let candidates: Vec<OsString> = match env::var_os("LLVM_CONFIG") {
            Some(config) => vec![config],
            None => ["llvm-config-19", "llvm-config"].map(OsString::from).to_vec(),
        };
        for config in candidates {
            let version = query(&config, &["--version"]).unwrap_or_default();
            if version.split('.').next() != Some(MAJOR) {
                continue;
            }
            let include_folder = query(&config, &["--includedir"]).unwrap_or_default();
            // The program alone comes with another package (llvm-19) than the headers.
            if std::path::Path::new(&include_folder).join("llvm-c/Core.h").is_file() {
                return Llvm { config, include_folder };
            }
        }
        eprintln!("error: wamrc needs LLVM {MAJOR}: install llvm-19-dev (cargo xtask setup does)");
        process::exit(1);
    }

    /// What the linker needs: the shared library if there is one, which is Debian's way and keeps `wamrc` small.
    pub fn link_arguments(&self) -> Vec<String> {
        let folder = query(&self.config, &["--libdir"]).map(|folder| format!("-L{folder}"));
        let libraries = query(&self.config, &["--link-shared", "--libs"])
            .or_else(|| query(&self.config, &["--link-static", "--libs", "--system-libs"]))
            .expect("llvm-config names the libraries that it was installed with");
        folder
            .into_iter()
            .chain(libraries.split_whitespace().map(str::to_owned))
            .collect()
    }
}

/// What `llvm-config` answers; `None` if it is not there, or refuses.
fn query(config: &OsString, arguments: &[&str]) -> Option<String> {
    let output = Command::new(config).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
