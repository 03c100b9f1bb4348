//! What workers serve: requests for actions.

use std::io;

use executor_core::http::Inbox;
use executor_core::openwhisk::Listener;
use executor_core::runtime::Unwatched;
use executor_core::serve::{Next, serve_one};
use executor_core::wamr;

use crate::assembly::LinuxExecutor;
use crate::server::connection::Connection;
use crate::server::pool::{After, Service};

/// A worker's receive buffer. Bodies of `/run` up to about this size are used where they arrive. It is address space
/// until it is used: beyond malloc's `M_MMAP_THRESHOLD` (128 KiB), the kernel gives a page when it is touched.
const INBOX_BYTES: usize = 256 * 1024;

/// Actions, by way of an executor.
pub struct Actions(pub LinuxExecutor);

impl Service for Actions {
    type Listener = Listener;
    type Desk = Vec<u8>;
    type Inbox<'d> = Inbox<'d>;

    fn desk(&self) -> io::Result<Vec<u8>> {
        wamr::prepare_thread();
        Ok(vec![0; INBOX_BYTES])
    }

    fn inbox<'d>(&self, desk: &'d mut Vec<u8>) -> Inbox<'d> {
        Inbox::new(desk)
    }

    fn serve(&self, inbox: &mut Inbox<'_>, connection: &mut Connection<'_>, listener: Listener) -> After {
        match serve_one(&self.0, connection, inbox, listener, &Unwatched) {
            Next::Close => After::Close,
            Next::KeepAlive if inbox.is_empty() => After::KeepAlive,
            Next::KeepAlive => After::More,
        }
    }
}
