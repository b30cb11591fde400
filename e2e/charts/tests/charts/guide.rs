//! The commands of the page on installing do what it says.

use std::{fs, os::unix::fs::symlink, process::Command};

use pavilion_e2e_charts::Helm;
use pavilion_e2e_cluster::checkout;
use tempfile::TempDir;

use crate::{objects::api, stage::Stage};

/// Marks what is executed here, and not where there is no cluster.
const FENCE: &str = "```sh cluster";

fn commands(page: &str) -> String {
    let blocks = page.split(FENCE).skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_command_of_the_page_on_installing_does_what_it_says() {
    for helm in Helm::both().unwrap() {
        let mut stage = Stage::anew(helm).await;
        stage.uninstall();
        stage.spoil();
        let page = checkout().join("docs/src/guides/install.md");
        let commands = commands(&fs::read_to_string(page).unwrap());
        assert!(commands.lines().count() >= 10, "{commands}");
        let programs = TempDir::new().unwrap();
        symlink(stage.helm.program(), programs.path().join("helm")).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &commands])
            .current_dir(checkout())
            .env("PATH", format!("{}:{path}", programs.path().display()))
            .env("USER", "somebody")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", stage.helm.name);
        let definitions = api(&stage.admin, "CustomResourceDefinition", None);
        let tenants = definitions.get_opt("tenants.pavilion.dev").await.unwrap();
        assert!(tenants.is_some());
    }
}
