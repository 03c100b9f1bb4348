//! The linker script, and the constants of the board, from its board.toml.

fn main() {
    boards::build_script("nucleo-h743zi");
    println!("cargo:rustc-link-arg=-Tlink.x");
}
