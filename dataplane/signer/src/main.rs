//! `pavilion-signer --config FILE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pavilion_signer::program::main()
}
