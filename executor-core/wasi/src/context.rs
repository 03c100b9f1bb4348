//! The state of one run: what the guest was given, and what it has open.
//!
//! Nothing in here outlives the run; two runs share nothing but what lies in the host's directories.

use crate::descriptors::Descriptors;
use crate::host::Host;
use crate::output::Output;

/// One run of one guest.
pub struct Context<'r, H: Host> {
    pub(crate) host: &'r H,
    pub(crate) input: Input<'r>,
    pub(crate) stdin_rest: &'r [u8],
    pub(crate) output: &'r mut Output,
    pub(crate) descriptors: Descriptors<'r, H>,
}

/// What a run is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'r> {
    /// `argv`, the program's name first. Each is without NUL; a guest sees no more than up to one.
    pub arguments: &'r [&'r [u8]],
    /// The environment.
    pub environment: Environment<'r>,
    /// Everything that standard input holds.
    pub stdin: &'r [u8],
}

/// Environment variables, as one block: `KEY=value` and a NUL, for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment<'r> {
    block: &'r [u8],
    count: usize,
}

impl<'r> Environment<'r> {
    /// The variables in this block. `None` if it does not end with a NUL; empty is fine.
    #[must_use]
    pub fn new(block: &'r [u8]) -> Option<Self> {
        match block.last() {
            None | Some(0) => Some(Self {
                block,
                count: memchr::memchr_iter(0, block).count(),
            }),
            Some(_) => None,
        }
    }

    /// The block.
    #[must_use]
    pub fn block(&self) -> &'r [u8] {
        self.block
    }

    /// The number of variables.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl<'r, H: Host> Context<'r, H> {
    /// A run about to start. What the guest writes goes to `output`, after what is there already.
    pub fn new(host: &'r H, input: Input<'r>, output: &'r mut Output) -> Self {
        Self {
            host,
            input,
            stdin_rest: input.stdin,
            output,
            descriptors: Descriptors::new(host.preopened()),
        }
    }
}
