//! Which command a request line asks for, and of which container.
//!
//! | listener | routes |
//! | --- | --- |
//! | of one container | `POST /init`, `POST /run` |
//! | control | `POST /start`, `POST /:id/init`, `POST /:id/run`, `POST /:id/destroy` |
//!
//! **Source.** OpenWhisk's action interface for the first; for the second, the `invoker-wasm` fork (`/start`) and WOW's
//! executor (the routes with an id).

use core::fmt;

use crate::executor::ContainerKey;
use crate::http::after_scheme;
use crate::limits::CONTAINER_ID_MAX_BYTES;

/// What a connection was accepted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The port on which containers are made, and reached by their ids.
    Control,
    /// The port of one container.
    Container(ContainerKey),
}

/// A container's id, as it stands in a path: 1 to [`CONTAINER_ID_MAX_BYTES`] visible ASCII characters without `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerId(heapless::String<CONTAINER_ID_MAX_BYTES, u8>);

impl ContainerId {
    /// Take an id; `None` if it is not one.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
            return None;
        }
        heapless::String::try_from(text).ok().map(ContainerId)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom a command is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The container of the listener.
    Key(ContainerKey),
    /// The container of this id.
    Id(ContainerId),
}

/// What a request line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Make a container.
    Start,
    /// Load an action.
    Init(Addressee),
    /// Run it.
    Run(Addressee),
    /// Remove a container.
    Destroy(ContainerId),
}

/// Why a request line asks for nothing that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// No such path on this listener.
    NotFound,
    /// The path is one of this listener's, but all take POST only.
    MethodNotAllowed,
}

/// Find the route of a request. `target` may have a query, which means nothing, and may be absolute (RFC 9112 §3.2.2).
///
/// # Errors
/// [`RouteError`]
pub fn route(listener: Listener, method: &str, target: &str) -> Result<Route, RouteError> {
    let route = match listener {
        Listener::Container(key) => match path(target) {
            "/init" => Route::Init(Addressee::Key(key)),
            "/run" => Route::Run(Addressee::Key(key)),
            _ => return Err(RouteError::NotFound),
        },
        Listener::Control => control_route(path(target)).ok_or(RouteError::NotFound)?,
    };
    if method == "POST" {
        Ok(route)
    } else {
        Err(RouteError::MethodNotAllowed)
    }
}

fn control_route(path: &str) -> Option<Route> {
    let path = path.strip_prefix('/')?;
    if path == "start" {
        return Some(Route::Start);
    }
    let (id, command) = path.split_once('/')?;
    let id = ContainerId::new(id)?;
    match command {
        "init" => Some(Route::Init(Addressee::Id(id))),
        "run" => Some(Route::Run(Addressee::Id(id))),
        "destroy" => Some(Route::Destroy(id)),
        _ => None,
    }
}

/// The path of a request target, without scheme, authority and query.
fn path(target: &str) -> &str {
    let target = match after_scheme(target) {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        _ => target,
    };
    target.split_once('?').map_or(target, |(path, _)| path)
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RouteError::NotFound => "There is nothing at this path.",
            RouteError::MethodNotAllowed => "This path takes POST only.",
        })
    }
}

impl core::error::Error for RouteError {}
