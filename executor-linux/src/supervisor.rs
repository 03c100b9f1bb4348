//! The main thread: signals, housekeeping, and the orderly end.
//!
//! On the first SIGTERM or SIGINT the process drains: what runs may finish, new work is refused with 503, which makes
//! OpenWhisk schedule it elsewhere. It ends when nothing runs, when the time for that is over, or at the second signal.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use log::{info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use crate::server::activity::Activity;

/// The signals that end the process, as a socket that becomes readable.
#[derive(Debug)]
pub struct Signals(UnixStream);

impl Signals {
    /// From now on SIGTERM and SIGINT are caught.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn catch() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGTERM, writer.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGINT, writer)?;
        Ok(Signals(reader))
    }

    /// Whether a signal has come; forgets it.
    fn take(&self) -> bool {
        let mut byte = [0];
        matches!(rustix::net::recv(&self.0, &mut byte, RecvFlags::DONTWAIT), Ok((_, 1)))
    }
}

/// A write beyond the limit of file sizes (`RLIMIT_FSIZE`) is an error of that write from now on, which a guest is told. By
/// itself the kernel would end the process for it.
///
/// # Errors
/// What the kernel says.
pub fn survive_long_files() -> io::Result<()> {
    // Nobody looks at the flag: that there is a handler is enough.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was running any more.
    Drained,
    /// Something was still running.
    Cut,
}

/// Keep house every `tick` until a signal comes; then drain for at most `drain_max`.
pub fn supervise(
    signals: &Signals,
    activity: &Activity,
    tick: Duration,
    drain_max: Duration,
    mut keep_house: impl FnMut(),
) -> End {
    while !signals.take() {
        if wait(signals, activity, tick) == 0 {
            keep_house();
        }
    }
    // Who reads that this process drains may rely on it.
    activity.drain();
    info!("draining: {} requests are being served", activity.requests());
    let since = Instant::now();
    while activity.requests() > 0 {
        let left = drain_max.saturating_sub(since.elapsed());
        if left.is_zero() || signals.take() {
            warn!("ending although {} requests are being served", activity.requests());
            return End::Cut;
        }
        wait(signals, activity, left);
        activity.acknowledge();
    }
    End::Drained
}

/// Sleep until a signal comes, the last request of a drain ends, or `time` is over (then 0).
fn wait(signals: &Signals, activity: &Activity, time: Duration) -> usize {
    let time = Timespec::try_from(time).ok();
    let mut sources = [
        PollFd::new(&signals.0, PollFlags::IN),
        PollFd::new(activity, PollFlags::IN),
    ];
    match poll(&mut sources, time.as_ref()) {
        Ok(ready) => ready,
        Err(Errno::INTR) => 1,
        Err(error) => {
            warn!("poll: {error}");
            1
        }
    }
}
