//! Programs, as a person runs them.

use std::{path::PathBuf, process::Command};

use pavilion_e2e_charts::Outcome;
use pavilion_e2e_cluster::checkout;

/// Runs a program in the checkout.
pub fn run(program: &PathBuf, arguments: &[&str]) -> Outcome {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(checkout())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    Outcome::from(output)
}

/// What `kubectl` prints; it must succeed.
pub fn kubectl(line: &str) -> String {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    kubectl_with(&arguments)
}

/// The same for arguments with spaces in them.
pub fn kubectl_with(arguments: &[&str]) -> String {
    let outcome = run(&tool("kubectl"), arguments);
    assert!(
        outcome.succeeded,
        "kubectl {}: {}",
        arguments.join(" "),
        outcome.said
    );
    outcome.printed
}

/// The plugin of this checkout.
pub fn plugin(arguments: &[&str]) -> Outcome {
    run(&plugin_program(), arguments)
}

/// Where it is.
pub fn plugin_program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("kubectl-pavilion")
}

/// A tool: the one that a variable of its name in capitals names, or the cluster harness built.
pub fn tool(name: &str) -> PathBuf {
    pavilion_e2e_charts::tool(name).unwrap()
}
