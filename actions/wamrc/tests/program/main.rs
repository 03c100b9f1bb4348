//! The real program on real modules.

mod bench;
mod command_line;
mod compile;
