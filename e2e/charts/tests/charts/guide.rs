//! The commands of the pages on installing, upgrading and uninstalling do what they say.

use pavilion_e2e_charts::{Helm, cert_manager::CertManager, page, tool};
use serde_json::json;

use crate::{
    objects::{api, merge},
    operator::Operator,
    stage::{LABEL, Stage},
};

/// In this order: the second goes on where the first ended.
const PAGES: [&str; 2] = ["guides/install.md", "guides/upgrade.md"];

/// Executes what a page says, by one Helm.
fn follow(page: &str, helm: &Helm) {
    let kubectl = tool("kubectl").unwrap();
    let programs = [("helm", helm.program()), ("kubectl", kubectl.as_path())];
    let outcome = page::execute(page, &programs).unwrap();
    assert!(outcome.succeeded, "{}: {page}: {}", helm.name, outcome.said);
}

#[tokio::test]
async fn every_command_of_the_page_on_regions_does_what_it_says() {
    let stage = Stage::set().await;
    follow("guides/regions.md", &stage.helm);
}

#[tokio::test]
async fn every_command_of_the_page_on_isolation_does_what_it_says() {
    let stage = Stage::set().await;
    follow("explanation/isolation.md", &stage.helm);
}

#[tokio::test]
async fn every_command_of_the_page_on_plans_does_what_it_says() {
    let stage = Stage::set().await;
    follow("guides/plans.md", &stage.helm);
}

#[tokio::test]
async fn every_command_of_the_page_on_certificates_does_what_it_says() {
    let stage = Stage::set().await;
    let _cert_manager = CertManager::start().unwrap();
    let _operator = Operator::leading(&stage.admin, "certificates").await;
    follow("guides/certificates.md", &stage.helm);
    // It stays with what the tenant kept, until somebody deletes it.
    let namespaces = api(&stage.admin, "Namespace", None);
    let label = json!({"metadata": {"labels": {LABEL: "true"}}});
    merge(&namespaces, "pavilion-globex", &label).await.unwrap();
}

#[tokio::test]
async fn every_command_of_the_pages_on_installing_and_upgrading_does_what_it_says() {
    for helm in Helm::both().unwrap() {
        let mut stage = Stage::anew(helm).await;
        stage.uninstall();
        stage.spoil();
        for page in PAGES {
            follow(page, &stage.helm);
        }
        let definitions = api(&stage.admin, "CustomResourceDefinition", None);
        let tenants = definitions.get_opt("tenants.pavilion.dev").await.unwrap();
        assert!(tenants.is_some());
    }
}
