//! Pages of the documentation whose commands need a cluster: they are executed as they stand.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pavilion_e2e_cluster::checkout;
use tempfile::TempDir;

use crate::Outcome;

/// Marks what is executed by tests that have a cluster, and not where there is none.
const FENCE: &str = "```sh cluster\n";

/// Executes the commands of a page below `docs/src` in one shell, in the checkout. The `programs` are found under these
/// names, before those of the system.
///
/// # Errors
/// A page without commands, or a shell that cannot be started.
pub fn execute(page: &str, programs: &[(&str, &Path)]) -> Result<Outcome> {
    let text =
        fs::read_to_string(checkout().join("docs/src").join(page)).context(page.to_owned())?;
    let commands = commands(&text);
    ensure!(!commands.is_empty(), "{page} has no commands for a cluster");
    let folder = TempDir::new()?;
    for (name, program) in programs {
        symlink(program, folder.path().join(name))?;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(checkout())
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("USER", "somebody")
        .output()
        .context("cannot run bash")?;
    Ok(Outcome::from(output))
}

fn commands(page: &str) -> String {
    let blocks = page.split(FENCE).skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_for_a_cluster_is_executed_and_in_its_order() {
        let page = "a\n```sh cluster\none\ntwo\n```\n```text\nnot this\n```\n```sh\nnor this\n```\n```sh cluster\nthree\n```\n";
        assert_eq!(commands(page), "one\ntwo\nthree");
        assert_eq!(commands("```sh\none\n```\n"), "");
    }
}
