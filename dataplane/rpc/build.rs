//! Compiles the two gRPC contracts in pure Rust; no `protoc` is needed on the machine.

use std::error::Error;
use std::io;

const CONTRACTS: [(&str, &str); 2] = [
    ("../signer/proto", "signer.proto"),
    ("../auditor/proto", "auditor.proto"),
];

fn main() -> Result<(), Box<dyn Error>> {
    for (folder, file) in CONTRACTS {
        let descriptors = protox::compile([file], [folder])
            .map_err(|error| io::Error::other(format!("{folder}/{file}: {error}")))?;
        tonic_prost_build::configure().compile_fds(descriptors)?;
        println_cargo(&format!("rerun-if-changed={folder}/{file}"));
    }
    println_cargo("rerun-if-changed=build.rs");
    Ok(())
}

/// Standard output is how a build script speaks to cargo.
#[allow(clippy::print_stdout)]
fn println_cargo(instruction: &str) {
    println!("cargo::{instruction}");
}
