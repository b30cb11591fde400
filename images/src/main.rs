//! `pavilion-images`: container images without a container engine.

fn main() -> std::process::ExitCode {
    pavilion_images::main(std::env::args_os())
}
