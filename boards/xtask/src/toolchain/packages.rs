//! Debian's packages, downloaded and unpacked into a folder of ours: nothing is installed, and nobody needs to be root.
//!
//! Source: apt-cache(8), apt-get(8), dpkg-deb(1), dpkg-query(1).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::bounded;

const ASK_LIMIT: Duration = Duration::from_secs(60);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);
const UNPACK_LIMIT: Duration = Duration::from_secs(300);

/// `unpack PACKAGE FOLDER TAR-OPTIONS…`. If the left side fails, tar misses its archive's end and fails, too.
///
/// A pattern stands for a path from its beginning, and its `*` for one folder's name: by tar's own default `*` takes in
/// slashes, and so everything below.
const UNPACK: &str = r#"package=$1 folder=$2; shift 2
dpkg-deb --fsys-tarfile "$package" |
    tar --extract --no-same-owner --anchored --no-wildcards-match-slash --directory "$folder" "$@""#;

/// Debian's package archive, through apt.
pub struct Archive {
    /// Package lists of our own, once those of the system proved to be absent or stale.
    lists: Option<PathBuf>,
}

impl Archive {
    /// The archive as the system knows it.
    pub fn of_the_system() -> Self {
        Archive { lists: None }
    }

    /// The archive as [`Archive::fresh`] found it when it was last asked.
    pub fn kept(folder: &Path) -> Self {
        Archive {
            lists: Some(folder.to_owned()),
        }
    }

    /// The archive as it is now. The lists go to `folder`, as only root may change the system's.
    ///
    /// # Errors
    /// If the archive cannot be reached.
    pub fn fresh(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        let archive = Archive::kept(folder);
        bounded::run(archive.apt("apt-get").arg("update"), DOWNLOAD_LIMIT)
            .context("cannot update the package lists")?;
        Ok(archive)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Its words are parsed. Apt's own user may not enter our folder, so root downloads as root, without a warning.
        command.env("LC_ALL", "C").args(["-o", "APT::Sandbox::User=root"]);
        if let Some(folder) = &self.lists {
            command
                .arg("-o")
                .arg(format!("Dir::State::Lists={}", folder.join("lists").display()));
            command
                .arg("-o")
                .arg(format!("Dir::Cache={}", folder.join("cache").display()));
        }
        command
    }

    /// The version that would be installed of `package`, if there is one.
    ///
    /// # Errors
    /// If apt fails.
    pub fn candidate(&self, package: &str) -> Result<Option<String>> {
        let text = bounded::run(self.apt("apt-cache").args(["policy", package]), ASK_LIMIT)?;
        Ok(parse_candidate(&text))
    }

    /// `package` and all that it depends on, directly or not.
    ///
    /// # Errors
    /// If apt does not know it.
    pub fn closure(&self, package: &str) -> Result<Vec<String>> {
        let mut command = self.apt("apt-cache");
        command.args([
            "depends",
            "--recurse",
            "--no-recommends",
            "--no-suggests",
            "--no-conflicts",
            "--no-breaks",
        ]);
        command.args(["--no-replaces", "--no-enhances", package]);
        Ok(parse_closure(&bounded::run(&mut command, ASK_LIMIT)?))
    }

    /// Download packages and unpack them below `root`, without what `excluded` (patterns of tar's) names.
    ///
    /// # Errors
    /// If one cannot be downloaded or unpacked.
    pub fn unpack(&self, packages: &[String], excluded: &[&str], root: &Path) -> Result<()> {
        let downloads = root.join("downloads");
        fs::create_dir_all(&downloads)?;
        let mut command = self.apt("apt-get");
        command.arg("download").args(packages).current_dir(&downloads);
        bounded::run(&mut command, DOWNLOAD_LIMIT).context("cannot download Debian's packages")?;
        for entry in fs::read_dir(&downloads)? {
            unpack(&entry?.path(), excluded, root)?;
        }
        fs::remove_dir_all(&downloads)?;
        Ok(())
    }
}

fn unpack(package: &Path, excluded: &[&str], root: &Path) -> Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", UNPACK, "unpack"]).arg(package).arg(root);
    command.args(excluded.iter().map(|pattern| format!("--exclude={pattern}")));
    bounded::run(&mut command, UNPACK_LIMIT)
        .map(drop)
        .context("cannot unpack Debian's packages")
}

/// See whether the programs that this module runs are there.
///
/// # Errors
/// If one is not.
pub fn check_presence() -> Result<()> {
    for program in ["apt-get", "apt-cache", "dpkg-deb", "dpkg-query"] {
        bounded::run(Command::new(program).arg("--version"), ASK_LIMIT).context("this is not a Debian system")?;
    }
    Ok(())
}

/// Which of `packages` the system has.
///
/// # Errors
/// If dpkg's database cannot be read.
pub fn installed(packages: &[String]) -> Result<Vec<String>> {
    // It fails as soon as it does not know one of them, but prints the others.
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Abbrev}${Package}\n"])
        .args(packages)
        .output()?;
    if output.stdout.is_empty() && output.status.code() != Some(1) {
        bail!("`dpkg-query` failed ({})", output.status);
    }
    Ok(parse_installed(&String::from_utf8_lossy(&output.stdout)))
}

/// `  Candidate: 1.96.0+dfsg1-1~deb12u2`; `(none)` for a package that others only mention.
fn parse_candidate(policy: &str) -> Option<String> {
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Each package in the first column, what it depends on indented below it. `<name>` is a virtual package, and `name:arch`
/// one of another architecture.
fn parse_closure(depends: &str) -> Vec<String> {
    let is_real = |line: &&str| !line.is_empty() && !line.starts_with([' ', '<', '|']) && !line.contains(':');
    depends.lines().filter(is_real).map(str::to_owned).collect()
}

/// `ii libz3-4`: wanted, and installed.
fn parse_installed(statuses: &str) -> Vec<String> {
    statuses
        .lines()
        .filter_map(|line| line.strip_prefix("ii "))
        .map(|name| name.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_a_version() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n";
        assert_eq!(parse_candidate(policy).as_deref(), Some("1.96.0+dfsg1-1~deb12u2"));
        assert_eq!(
            parse_candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"),
            None
        );
        assert_eq!(parse_candidate(""), None);
    }

    #[test]
    fn a_closure_is_the_first_column() {
        let depends =
            "libllvm22\n  Depends: libc6\n |Depends: debconf\n    cdebconf\nlibc6\nlibc6:i386\n<debconf-2.0>\n";
        assert_eq!(parse_closure(depends), ["libllvm22", "libc6"]);
    }

    #[test]
    fn what_is_excluded_is_what_the_pattern_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let (tree, root) = (folder.path().join("tree"), folder.path().join("root"));
        for path in ["DEBIAN", "usr/src/rust/src", "usr/src/rust/library/std/src"] {
            fs::create_dir_all(tree.join(path)).expect("a folder");
        }
        fs::create_dir_all(&root).expect("a folder");
        let control = "Package: small\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: small\n";
        fs::write(tree.join("DEBIAN/control"), control).expect("a file");
        for path in ["usr/src/rust/src/compiler.rs", "usr/src/rust/library/std/src/lib.rs"] {
            fs::write(tree.join(path), "").expect("a file");
        }
        let package = folder.path().join("small.deb");
        let mut build = Command::new("dpkg-deb");
        build.args(["--root-owner-group", "--build"]).arg(&tree).arg(&package);
        bounded::run(&mut build, UNPACK_LIMIT).expect("dpkg-deb builds a package");
        unpack(&package, &["./usr/src/*/src"], &root).expect("the package is unpacked");
        assert!(!root.join("usr/src/rust/src").exists());
        assert!(
            root.join("usr/src/rust/library/std/src/lib.rs").is_file(),
            "a folder deeper is another one"
        );
    }

    #[test]
    fn removed_packages_are_not_installed() {
        assert_eq!(
            parse_installed("ii libz3-4\nrc libedit2\nun libxml2\nii zlib1g\n"),
            ["libz3-4", "zlib1g"]
        );
    }
}
