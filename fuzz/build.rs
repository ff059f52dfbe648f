//! Lets `lanes` leave out the tracing of comparisons: see `fuzz_targets/lanes.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bin=lanes=-Wl,--allow-multiple-definition");
}
