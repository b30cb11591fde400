//! On one host a tenant that asks for a law needs a Region that says what the law is.

use pavilion_operator::validate::outside_its_residency;

use crate::folder::Folder;

const ASKS: &str = "  regions: [eu-central]\n  residency: {jurisdictions: [EU], regimes: [GDPR]}\n";

fn region(spec: &str) -> String {
    format!(
        "apiVersion: pavilion.dev/v1alpha1\nkind: Region\nmetadata: {{name: eu-central}}\nspec: {spec}\n"
    )
}

fn refused(folder: &mut Folder) -> Vec<String> {
    let (set, valid) = folder.read();
    let refusals = outside_its_residency(&set, &valid.unwrap());
    refusals.iter().map(ToString::to_string).collect()
}

#[test]
fn a_tenant_that_asks_for_nothing_needs_no_region() {
    assert!(refused(&mut Folder::quickstart()).is_empty());
}

#[test]
fn a_tenant_that_asks_for_a_law_needs_a_region_of_that_law() {
    let mut folder = Folder::quickstart();
    folder.replace("tenant.yaml", "  regions: [eu-central]\n", ASKS);
    let said = refused(&mut folder);
    assert!(
        said.len() == 1 && said[0].contains("[RegionUnknown]") && said[0].contains("tenant.yaml:8"),
        "{said:?}"
    );
    folder.write(
        "region.yaml",
        &region("{jurisdiction: US, regimes: [HIPAA]}"),
    );
    let said = refused(&mut folder);
    let expected = "it lies in US, not in EU; it is not run under GDPR [ResidencyUnmet]";
    assert!(said.len() == 1 && said[0].ends_with(expected), "{said:?}");
    folder.write(
        "region.yaml",
        &region("{jurisdiction: FR, regimes: [GDPR]}"),
    );
    assert!(refused(&mut folder).is_empty());
}

#[test]
fn a_region_lives_in_no_namespace_and_is_no_tenant() {
    let mut folder = Folder::quickstart();
    let text = region("{jurisdiction: FR}").replace(
        "{name: eu-central}",
        "{name: acme, namespace: pavilion-acme}",
    );
    folder.write("region.yaml", &text);
    let said = folder.refused();
    assert!(
        said.len() == 1 && said[0].contains("a Region lives in no namespace"),
        "{said:?}"
    );
}
