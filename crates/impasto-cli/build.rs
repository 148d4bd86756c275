#![allow(clippy::print_stdout, reason = "this is how a build script speaks")]
//! Tells the program what it was built for.

fn main() {
    for (name, from) in [("IMPASTO_TARGET", "TARGET"), ("IMPASTO_PROFILE", "PROFILE")] {
        let value = std::env::var(from).unwrap_or_else(|_| "unknown".into());
        println!("cargo::rustc-env={name}={value}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
