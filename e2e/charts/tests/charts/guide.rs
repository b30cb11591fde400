//! The commands of the pages on installing, upgrading and uninstalling do what they say.

use pavilion_e2e_charts::{Helm, page};

use crate::{objects::api, stage::Stage};

/// In this order: the second goes on where the first ended.
const PAGES: [&str; 2] = ["guides/install.md", "guides/upgrade.md"];

#[tokio::test]
async fn every_command_of_the_pages_on_installing_and_upgrading_does_what_it_says() {
    for helm in Helm::both().unwrap() {
        let mut stage = Stage::anew(helm).await;
        stage.uninstall();
        stage.spoil();
        for page in PAGES {
            let outcome = page::execute(page, &[("helm", stage.helm.program())]).unwrap();
            let (name, said) = (stage.helm.name, outcome.said);
            assert!(outcome.succeeded, "{name}: {page}: {said}");
        }
        let definitions = api(&stage.admin, "CustomResourceDefinition", None);
        let tenants = definitions.get_opt("tenants.pavilion.dev").await.unwrap();
        assert!(tenants.is_some());
    }
}
