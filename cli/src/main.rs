//! `kubectl pavilion`: asks, checks and shows, from a terminal.

fn main() -> std::process::ExitCode {
    kubectl_pavilion::main(std::env::args_os())
}
