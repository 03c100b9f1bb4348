//! A stack that fits an action. The linkers' default of 1 MiB would make the smallest memory seventeen pages, and the
//! executor puts every page back after each run.

fn main() {
    println!("cargo::rerun-if-changed=Cargo.toml"); // nothing else decides it
    let stack_bytes = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("unknown" | "none") => 24 * 1024, // with its data and its heap, a lean action fits one page of 64 KiB
        Ok("wasi") => 64 * 1024,             // std formats and calls more deeply
        _ => return,
    };
    println!("cargo::rustc-link-arg-bins=-zstack-size={stack_bytes}");
}
