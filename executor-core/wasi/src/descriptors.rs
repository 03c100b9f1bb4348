//! The descriptor table of one run.
use crate::host::{Host, Preopened};

pub(crate) struct Descriptors<'r, H: Host> {
    _preopened: &'r [Preopened<H::Directory>],
}

impl<'r, H: Host> Descriptors<'r, H> {
    pub(crate) fn new(preopened: &'r [Preopened<H::Directory>]) -> Self {
        Self { _preopened: preopened }
    }
}
