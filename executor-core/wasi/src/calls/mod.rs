//! What each function does, one method of [`crate::Context`] each, by the groups of the specification.
//!
//! Every method takes the guest's memory and its arguments as alleged; it checks all of them before it changes anything
//! outside, as far as that can be.

mod clock;
mod descriptor;
mod directory;
mod path;
mod poll;
mod process;
mod transfer;
