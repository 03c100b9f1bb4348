//! What workers serve: requests for actions.

use std::io;
use std::sync::Arc;

use executor_core::http::Inbox;
use executor_core::openwhisk::Listener;
use executor_core::serve::{Next, serve_one};
use executor_core::wamr::{self, RunStopper};

use crate::assembly::LinuxExecutor;
use crate::server::connection::Connection;
use crate::server::pool::{After, Service};
use crate::watchdog::{Seat, Watchdog};

/// A worker's receive buffer. Bodies of `/run` up to about this size are used where they arrive. It is address space
/// until it is used: beyond malloc's `M_MMAP_THRESHOLD` (128 KiB), the kernel gives a page when it is touched.
const INBOX_BYTES: usize = 256 * 1024;

/// Actions, by way of an executor.
pub struct Actions {
    /// Serves requests.
    pub executor: LinuxExecutor,
    /// Stops guests.
    pub watchdog: Arc<Watchdog<RunStopper>>,
}

/// What a worker keeps.
pub struct Desk {
    memory: Box<[u8]>,
    seat: Seat<RunStopper>,
}

/// What a worker has for one client.
pub struct Counter<'d> {
    inbox: Inbox<'d>,
    seat: &'d Seat<RunStopper>,
}

impl Service for Actions {
    type Listener = Listener;
    type Desk = Desk;
    type Inbox<'d> = Counter<'d>;

    fn desk(&self) -> io::Result<Desk> {
        wamr::prepare_thread();
        let memory = bytemuck::allocation::try_zeroed_slice_box(INBOX_BYTES);
        Ok(Desk {
            memory: memory.map_err(|()| io::ErrorKind::OutOfMemory)?,
            seat: self.watchdog.seat(),
        })
    }

    fn inbox<'d>(&self, desk: &'d mut Desk) -> Counter<'d> {
        Counter {
            inbox: Inbox::new(&mut desk.memory),
            seat: &desk.seat,
        }
    }

    fn serve(&self, counter: &mut Counter<'_>, connection: &mut Connection<'_>, listener: Listener) -> After {
        let client = connection.socket();
        let watch = counter.seat.attend(Some(&client));
        match serve_one(&self.executor, connection, &mut counter.inbox, listener, &watch) {
            Next::Close => After::Close,
            Next::KeepAlive if counter.inbox.is_empty() => After::KeepAlive,
            Next::KeepAlive => After::More,
        }
    }

    fn given_up(&self) -> usize {
        self.watchdog.given_up()
    }
}
