//! Sockets and threads: who waits for what, and who serves whom.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`listening`] | listening sockets; what connections inherit from them |
//! | `registry` | the slots behind epoll's tokens |
//! | [`reactor`] | one epoll instance: listeners and parked connections |
//! | [`connection`] | a connection in a worker's hands, as `embedded_io` sees it |
//! | [`waiting_room`] | how many workers wait for slow clients |
//! | [`pool`] | the workers |
//! | [`activity`] | how many requests are being served, and whether the process drains |
//!
//! The way of a connection: all workers wait in one `epoll_wait`. One accepts, and serves the connection with blocking
//! reads and writes. When a request of a kept connection does not come soon, the connection is parked, and the worker
//! waits for other work. The system calls of a request on a new connection are `epoll_wait`, `accept4`, `epoll_ctl`,
//! `recvfrom`, `sendmsg`; of the next one on a kept connection, `recvfrom` and `sendmsg`.

pub mod activity;
pub mod connection;
pub mod listening;
pub mod pool;
pub mod reactor;
mod registry;
pub mod waiting_room;
