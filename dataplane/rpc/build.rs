//! Compiles the gRPC contracts in pure Rust; no `protoc` is needed on the machine.

use std::error::Error;
use std::io;

/// What the contracts share.
const SHARED: (&str, &str) = ("proto", "rpc.proto");

const CONTRACTS: [(&str, &str); 3] = [
    ("proto", "routes.proto"),
    ("../signer/proto", "signer.proto"),
    ("../auditor/proto", "auditor.proto"),
];

fn main() -> Result<(), Box<dyn Error>> {
    for (folder, file) in [SHARED].into_iter().chain(CONTRACTS) {
        let descriptors = protox::compile([file], [folder, SHARED.0])
            .map_err(|error| io::Error::other(format!("{folder}/{file}: {error}")))?;
        let generate = tonic_prost_build::configure().bytes(".");
        if (folder, file) == SHARED {
            generate.compile_fds(descriptors)?;
        } else {
            generate
                .extern_path(".pavilion.rpc.v1", "crate")
                .compile_fds(descriptors)?;
        }
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
