//! `e2e-cluster`: Kubernetes on this machine, up and down.

fn main() -> std::process::ExitCode {
    pavilion_e2e_cluster::main(std::env::args_os())
}
