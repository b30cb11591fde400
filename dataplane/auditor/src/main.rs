//! `pavilion-auditor --config FILE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pavilion_auditor::program::main()
}
