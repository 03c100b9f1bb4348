//! A process for each run: `/init` brings a native program, which reads the input and prints the answer.
//!
//! The program is kept in memory (`memfd_create`) and started with `posix_spawn` (vfork and exec).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use peer_http::containers::{Containers, Engine};
use peer_http::server::{arguments, serve};
use rustix::fs::MemfdFlags;

struct Processes;

impl Engine for Processes {
    type Module = File;

    fn load(&self, code: &[u8]) -> Result<File> {
        let mut file = File::from(rustix::fs::memfd_create("action", MemfdFlags::CLOEXEC)?);
        file.write_all(code)?;
        // A file that is open for writing cannot be run.
        Ok(File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?)
    }

    fn run(&self, module: &File, input: &[u8], answer: &mut Vec<u8>) -> Result<()> {
        let mut child = Command::new(format!("/proc/self/fd/{}", module.as_raw_fd()))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("it is piped")?.write_all(input)?;
        child.stdout.take().context("it is piped")?.read_to_end(answer)?;
        let status = child.wait()?;
        ensure!(status.success(), "the process ended with {status}");
        Ok(())
    }
}

fn main() -> Result<()> {
    let (address, _) = arguments()?;
    Ok(serve(address, Containers::new(Processes, false))?)
}
