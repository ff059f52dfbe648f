//! Lets some targets leave out the tracing of comparisons: see `fuzz_targets/untraced.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for target in ["lanes", "proof"] {
        println!("cargo:rustc-link-arg-bin={target}=-Wl,--allow-multiple-definition");
    }
}
