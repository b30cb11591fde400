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

/// Executes what a page says, by one Helm.
fn follow(page: &str, at_least: usize, helm: &Helm) {
    let page = checkout().join("docs/src/guides").join(page);
    let commands = commands(&fs::read_to_string(page).unwrap());
    assert!(commands.trim().lines().count() >= at_least, "{commands}");
    let programs = TempDir::new().unwrap();
    symlink(helm.program(), programs.path().join("helm")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(checkout())
        .env("PATH", format!("{}:{path}", programs.path().display()))
        .env("USER", "somebody")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", helm.name);
}

#[tokio::test]
async fn every_command_of_the_page_on_regions_does_what_it_says() {
    let stage = Stage::set().await;
    follow("regions.md", 2, &stage.helm);
}

#[tokio::test]
async fn every_command_of_the_page_on_plans_does_what_it_says() {
    let stage = Stage::set().await;
    follow("plans.md", 4, &stage.helm);
}

#[tokio::test]
async fn every_command_of_the_page_on_installing_does_what_it_says() {
    for helm in Helm::both().unwrap() {
        let mut stage = Stage::anew(helm).await;
        stage.uninstall();
        stage.spoil();
        follow("install.md", 10, &stage.helm);
        let definitions = api(&stage.admin, "CustomResourceDefinition", None);
        let tenants = definitions.get_opt("tenants.pavilion.dev").await.unwrap();
        assert!(tenants.is_some());
    }
}
