pub mod arguments;
pub mod help;
