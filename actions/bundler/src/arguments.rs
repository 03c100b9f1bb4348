//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Make, show and sign action bundles.
///
/// An action bundle is a zip that holds an OpenWhisk action as WebAssembly: a manifest, native code for the nodes that it
/// is meant for, and the portable module for all others. OpenWhisk's clients send it like any other zip.
#[derive(Parser)]
#[command(name = "bundle", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  bundle keygen -o mine                        make mine.key (keep it) and mine.pub (give it to the nodes)
  bundle build actions/examples/add --sign mine.key
                                               build the crate, compile it for this machine's architecture, sign
  bundle build add.wasm --board rpi-4 --board rpi-2 --board linux-amd64 --sign mine.key
                                               one bundle for a mixed fleet
  bundle build add.wasm --target x86_64 --target aarch64v8:cortex-a53
                                               two native artifacts beside the portable module
  bundle build add.wasm --no-aot               only the portable module
  bundle show add.zip --trust mine.pub         what is in it, and who signed it
  wsk action create add add.zip --kind wasm:0.1";

#[derive(Subcommand)]
pub enum Command {
    /// Make a bundle from a module, a Cargo package or a source file
    ///
    /// INPUT is one of:
    ///   add.wasm      a module
    ///   DIRECTORY     a Cargo package, or an npm package with an asconfig.json (AssemblyScript)
    ///   add.c         C, for clang with wasi-libc: a command with `main`, or the lean ABI if it defines `ow_run`
    ///   add.ts        AssemblyScript, for the `asc` of the nearest npm package
    ///
    /// A Cargo package says in its Cargo.toml what it is built for and what it asks for:
    ///   [package.metadata.action]
    ///   target = "wasm32-wasip1"          # default: wasm32-unknown-unknown
    ///   directories = ["/data"]           # like --dir
    ///   network = true                    # like --net
    #[command(verbatim_doc_comment)]
    Build(Box<Build>),
    /// Print a bundle's manifest
    Show(Show),
    /// Sign a bundle in place
    Sign(Sign),
    /// Make a key pair
    Keygen(Keygen),
}

/// What `bundle build` takes
#[derive(Args)]
pub struct Build {
    /// A .wasm, .c or .ts file, or the directory of a Cargo or npm package
    pub input: PathBuf,
    /// Where to write the bundle [default: the action's name and .zip, in this directory]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The action's name, for people [default: the input's]
    #[arg(long)]
    pub name: Option<String>,
    /// Compile for this board, a name of `cargo xtask boards` or the path of a board.toml; may be repeated. One bundle for
    /// a mixed fleet: each node takes what fits it, others interpret the portable module
    #[arg(long = "board", value_name = "BOARD")]
    pub boards: Vec<String>,
    /// Compile for this instruction set, and this CPU; may be repeated [default, without --board: this machine's]
    #[arg(long = "target", value_name = "TARGET[:CPU]")]
    pub targets: Vec<String>,
    /// The CPU of a target that does not name one, in LLVM's words [default: an old one of the target: `wamrc --help`]. Nodes
    /// with less of a CPU run the portable module
    #[arg(long)]
    pub cpu: Option<String>,
    /// Hand an option on to `wamrc`, as in --wamrc-option=--xip; may be repeated
    #[arg(long = "wamrc-option", value_name = "OPTION", allow_hyphen_values = true)]
    pub wamrc_options: Vec<String>,
    /// Native code that does not look whether it was told to stop: faster in loops, but nothing ends it if it does not end by
    /// itself, so that nodes run it only with --allow-uninterruptible-aot
    #[arg(long)]
    pub no_interrupts: bool,
    /// Only the portable module
    #[arg(long, conflicts_with_all = ["boards", "targets", "cpu", "wamrc_options", "wamrc", "no_interrupts"])]
    pub no_aot: bool,
    /// Only native code: the bundle then runs on no node but those that it was compiled for
    #[arg(long, conflicts_with = "no_aot")]
    pub no_wasm: bool,
    /// Sign with this key (a file of `bundle keygen`). Nodes run native code only if they trust the key
    #[arg(long, value_name = "KEYFILE")]
    pub sign: Option<PathBuf>,
    /// Ask for a directory; may be repeated. The operator decides
    #[arg(long = "dir", value_name = "PATH")]
    pub directories: Vec<String>,
    /// Ask for the network. The operator decides
    #[arg(long = "net")]
    pub network: bool,
    /// The ahead-of-time compiler [default: beside `bundle`, else on the PATH]
    #[arg(long, value_name = "PATH")]
    pub wamrc: Option<PathBuf>,
    /// Build a Cargo package with this toolchain of rustup
    #[arg(long, value_name = "NAME")]
    pub toolchain: Option<String>,
    /// Build a Cargo package with these features, with commas
    #[arg(long, value_name = "FEATURES")]
    pub features: Option<String>,
}

/// Print a bundle's manifest
#[derive(Args)]
pub struct Show {
    /// The bundle
    pub file: PathBuf,
    /// Check the signature with this public key: its text, or a file with it; may be repeated
    #[arg(long = "trust", value_name = "KEY")]
    pub trusted: Vec<String>,
}

/// Sign a bundle in place: an older signature is replaced
#[derive(Args)]
pub struct Sign {
    /// The bundle
    pub file: PathBuf,
    /// The secret key: a file of `bundle keygen`
    #[arg(long, value_name = "KEYFILE")]
    pub key: PathBuf,
}

/// Make a key pair: NAME.key, to be kept secret, and NAME.pub, for the nodes' `--trust`
#[derive(Args)]
pub struct Keygen {
    /// The files' name without extension
    #[arg(short, long, value_name = "NAME", default_value = "action")]
    pub output: PathBuf,
}
