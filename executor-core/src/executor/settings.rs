//! What an operator may set.

use action_bundle::Policy;

use crate::limits;
use crate::openwhisk::ReplyStyle;

/// What an operator may set. [`Settings::new`] fills in the defaults.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Which code may run.
    pub policy: Policy<'a>,
    /// How the outcome of a `/run` is dressed.
    pub reply_style: ReplyStyle,
    /// The longest body of an `/init`, in bytes.
    pub init_body_max_bytes: usize,
    /// The longest body of a `/run`, in bytes.
    pub run_body_max_bytes: usize,
    /// The longest result that is passed on, in bytes.
    pub result_max_bytes: usize,
    /// A container that has been idle for so long is removed by [`super::Executor::reap_idle`], in milliseconds.
    pub idle_max_ms: u64,
}

impl<'a> Settings<'a> {
    /// The defaults of [`crate::limits`], and plain replies.
    pub fn new(policy: Policy<'a>) -> Self {
        Settings {
            policy,
            reply_style: ReplyStyle::Plain,
            init_body_max_bytes: limits::INIT_BODY_MAX_BYTES,
            run_body_max_bytes: limits::RUN_BODY_MAX_BYTES,
            result_max_bytes: limits::RESULT_MAX_BYTES,
            idle_max_ms: limits::CONTAINER_IDLE_MAX_MS,
        }
    }
}
