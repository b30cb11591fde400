//! Every fault is named, with its place.

use std::{fs, path::Path};

use pavilion_operator::{
    manifests::dereference,
    records::Records,
    validate::{emptied, validate},
};

use crate::folder::{Folder, now, refusal};

#[test]
fn an_unknown_field_is_refused_with_file_line_and_what_was_meant() {
    let mut folder = Folder::quickstart();
    folder.replace("tenant.yaml", "regions:", "region:");
    assert_eq!(
        folder.refused(),
        [
            "tenant.yaml:8: Tenant acme: spec.region: is not a field of this kind; did you mean regions? [FieldUnknown]",
            "tenant.yaml:8: Tenant acme: spec.regions: is missing [FieldInvalid]",
        ]
    );
    let mut folder = Folder::quickstart();
    folder.replace(
        "policies.yaml",
        "  disclose: [pid.country]",
        "  disclos: [pid.country]",
    );
    assert_eq!(
        folder.refused(),
        [
            "policies.yaml:68: Policy pavilion-acme/account-opening: spec.disclos: is not a field of this kind; did you mean disclose? [FieldUnknown]"
        ]
    );
}

#[test]
fn a_wrong_type_is_refused() {
    assert_eq!(
        refusal(
            "tenant.yaml",
            "regions: [eu-central]",
            "regions: eu-central"
        ),
        "tenant.yaml:8: Tenant acme: spec.regions: must be a list [FieldInvalid]"
    );
}

#[test]
fn metadata_has_its_own_fields() {
    assert_eq!(
        refusal("tenant.yaml", "  name: acme", "  name: acme\n  lables: {}"),
        "tenant.yaml:6: Tenant acme: metadata.lables: is not a field of metadata [FieldUnknown]"
    );
}

#[test]
fn names_have_a_form() {
    let mut folder = Folder::quickstart();
    folder.replace("relying-party.yaml", "name: shop", "name: Shop_1");
    let found = folder.refused();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("metadata.name") && found[0].ends_with("[NameInvalid]"),
        "{found:?}"
    );
}

#[test]
fn dangling_references_are_named_where_they_stand() {
    assert_eq!(
        refusal(
            "relying-party.yaml",
            "policies: [over18, ",
            "policies: [over21, "
        ),
        "relying-party.yaml:21: RelyingParty pavilion-acme/shop: spec.policies[0]: there is no Policy over21 in pavilion-acme [ReferenceDangling]"
    );
    let mut folder = Folder::quickstart();
    folder.replace("policies.yaml", "trust: [demo-issuers]", "trust: [demo]");
    let found = folder.refused();
    assert_eq!(found.len(), 4);
    assert!(
        found[0].contains("spec.evidence[0].trust[0]: there is no TrustAnchor demo"),
        "{found:?}"
    );
}

#[test]
fn an_object_outside_a_tenants_namespace_is_refused() {
    let found = refusal(
        "relying-party.yaml",
        "namespace: pavilion-acme",
        "namespace: default",
    );
    assert!(
        found.contains("there is no Tenant whose namespace is default [NamespaceUnknown]"),
        "{found}"
    );
    let mut folder = Folder::quickstart();
    folder.replace("relying-party.yaml", "  namespace: pavilion-acme\n", "");
    assert!(folder.refused()[0].ends_with("[NamespaceUnknown]"));
    let found = refusal(
        "tenant.yaml",
        "  name: acme",
        "  name: acme\n  namespace: pavilion-acme",
    );
    assert!(found.contains("a Tenant lives in no namespace"), "{found}");
}

#[test]
fn the_same_object_twice_is_refused_with_both_places() {
    let mut folder = Folder::quickstart();
    let text = fs::read_to_string(folder.path().join("tenant.yaml")).unwrap();
    folder.write("z.yaml", &text);
    assert_eq!(
        folder.refused(),
        [
            "z.yaml:5: Tenant acme: metadata.name: stands also in tenant.yaml (document 1) [DuplicateObject]"
        ]
    );
}

#[test]
fn a_host_belongs_to_one_tenant_and_stands_once() {
    let mut folder = Folder::quickstart();
    let text = fs::read_to_string(folder.path().join("tenant.yaml")).unwrap();
    folder.write("z.yaml", &text.replace("name: acme", "name: beta"));
    assert_eq!(
        folder.refused(),
        [
            "z.yaml:13: Tenant beta: spec.ingress.hosts[0]: verify.acme.localhost is already a host of Tenant acme [HostClaimed]"
        ]
    );
    let found = refusal(
        "tenant.yaml",
        "hosts: [verify.acme.localhost]",
        "hosts: [verify.acme.localhost, verify.acme.localhost]",
    );
    assert!(found.ends_with("[HostDuplicate]"), "{found}");
}

#[test]
fn lifetimes_that_contradict_each_other_are_refused() {
    let found = refusal("tenant.yaml", "overlap: 168h", "overlap: 5m");
    assert!(
        found.contains("spec.signing.overlap") && found.ends_with("[LifetimeInvalid]"),
        "{found}"
    );
}

#[test]
fn the_home_region_cannot_move_once_accepted() {
    let mut folder = Folder::quickstart();
    folder.build();
    folder.replace("tenant.yaml", "[eu-central]", "[us-east]");
    let found = folder.refused();
    assert!(
        found[0].contains("the home region cannot change"),
        "{found:?}"
    );
}

#[test]
fn broken_yaml_is_one_fault_and_the_others_are_found_too() {
    let mut folder = Folder::quickstart();
    folder.write("a.yaml", "a: [1,\nb: 2");
    fs::remove_file(folder.path().join("trust-anchor.yaml")).unwrap();
    folder.replace("tenant.yaml", "[eu-central]", "[EU]");
    let found = folder.refused();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("a.yaml:") && found[0].ends_with("[SyntaxInvalid]"),
        "{found:?}"
    );
    assert!(found[1].contains("spec.regions[0]"), "{found:?}");
}

#[test]
fn an_empty_folder_is_a_valid_set_of_nothing_unless_tenants_are_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let set = dereference(folder.path());
    assert!(
        validate(&set, &Records::default(), now())
            .unwrap()
            .tenants
            .is_empty()
    );
    assert_eq!(emptied(&set, &Records::default()), None);
    let mut quickstart = Folder::quickstart();
    quickstart.build();
    let refusal = emptied(&set, &quickstart.records).unwrap();
    assert_eq!(refusal.code, "SetEmpty");
    assert!(refusal.hint.contains("--allow-empty"));
    let unreadable = dereference(Path::new("/does/not/exist"));
    assert_eq!(emptied(&unreadable, &quickstart.records), None);
}

#[test]
fn a_host_that_clients_take_for_an_address_is_refused() {
    for host in ["verify.acme.1", "1.2.3.4", "xn--zz--"] {
        let found = refusal("tenant.yaml", "verify.acme.localhost", host);
        assert!(
            found.contains("spec.ingress.hosts[0]: ") && found.contains("[FieldInvalid]"),
            "{found}"
        );
    }
}

#[test]
fn a_fault_of_a_tenant_does_not_become_a_fault_of_its_objects() {
    let found = refusal("tenant.yaml", "rotateEvery: 2160h", "rotateEvery: often");
    assert!(found.contains("spec.signing.rotateEvery"), "{found}");
}
