//! Finds out which commit is being built: `PAVILION_COMMIT`, else git, else "unknown".

use std::path::Path;
use std::process::Command;

/// As many digits as people read out to each other.
const SHORT: &str = "--short=12";

// Standard output is how a build script speaks to cargo.
#[allow(clippy::print_stdout)]
fn main() {
    println!("cargo::rerun-if-env-changed=PAVILION_COMMIT");
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rustc-env=PAVILION_COMMIT={}", commit());
}

fn commit() -> String {
    std::env::var("PAVILION_COMMIT")
        .ok()
        .filter(|commit| !commit.trim().is_empty())
        .or_else(|| git(&["rev-parse", SHORT, "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
