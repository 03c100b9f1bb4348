//! The memory map and the constants of the board, from its board.toml; the linker script is `image.ld`.

fn main() {
    boards::build_script("qemu-virt-aarch64");
    println!("cargo:rerun-if-changed=image.ld");
    println!("cargo:rustc-link-arg=-T{}/image.ld", env!("CARGO_MANIFEST_DIR"));
}
