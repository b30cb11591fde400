//! `pavilion-verifier --config FILE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pavilion_verifier::program::main()
}
