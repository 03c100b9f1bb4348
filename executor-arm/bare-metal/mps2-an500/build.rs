//! The linker script, and the constants of the board, from its board.toml.

fn main() {
    boards::build_script("mps2-an500");
    println!("cargo:rustc-link-arg=-Tlink.x");
}
