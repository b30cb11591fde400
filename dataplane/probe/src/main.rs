//! `pavilion-probe --config FILE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pavilion_probe::program::main()
}
