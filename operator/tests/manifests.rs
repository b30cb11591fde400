//! What an author of manifests meets: every fault named, with its place; what is right, built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

use jiff::Timestamp;
use pavilion_bundle::{Document, Named, TenantBundle};
use pavilion_json::Digest;
use pavilion_operator::{
    build::{build, renew},
    desired::Desired,
    manifests::{ManifestSet, dereference},
    records::Records,
    refusal::Refusal,
    validate::{ValidSet, emptied, refused_by_data_plane, validate},
};

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// A folder with a right set, to be made wrong.
struct Folder {
    folder: tempfile::TempDir,
    records: Records,
}

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

impl Folder {
    fn quickstart() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(QUICKSTART).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "json")
            {
                fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        Self {
            folder,
            records: Records::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn replace(&self, name: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path().join(name)).unwrap();
        assert!(text.contains(from), "{name} does not contain {from}");
        self.write(name, &text.replace(from, to))
    }

    fn read(&mut self) -> (ManifestSet, Result<ValidSet, Vec<Refusal>>) {
        let set = dereference(self.path());
        for object in &set.objects {
            self.records.see(object);
        }
        let outcome = validate(&set, &self.records, now());
        (set, outcome)
    }

    fn refused(&mut self) -> Vec<String> {
        let refusals = self.read().1.expect_err("a refusal");
        refusals.iter().map(ToString::to_string).collect()
    }

    fn build(&mut self) -> Desired {
        let valid = self.read().1.expect("a valid set");
        build(&valid, &mut self.records, 8443)
    }

    fn bundle(&mut self) -> TenantBundle {
        self.build().tenants["acme"].bundle.clone()
    }
}

/// The one refusal that a change causes.
fn refusal(name: &str, from: &str, to: &str) -> String {
    let mut folder = Folder::quickstart();
    folder.replace(name, from, to);
    let mut refusals = folder.refused();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    refusals.remove(0)
}

#[test]
fn the_quickstart_builds_a_bundle_that_the_data_plane_reads() {
    let desired = Folder::quickstart().build();
    let tenant = &desired.tenants["acme"];
    assert_eq!(tenant.bundle.version, 1);
    assert_eq!(
        tenant.bundle.issuer.as_str(),
        "https://verify.acme.localhost:8443/"
    );
    assert_eq!(tenant.bundle.region, "eu-central");
    assert_eq!(tenant.bundle.lifetimes.keep_result_seconds, 900);
    assert_eq!(
        (tenant.overlap_seconds, tenant.rotate_every_seconds),
        (604_800, 7_776_000)
    );
    let names: Vec<&str> = tenant
        .bundle
        .policies
        .keys()
        .map(pavilion_bundle::ObjectName::as_str)
        .collect();
    assert_eq!(names, ["account-opening", "over18"]);
    let shop = &tenant.bundle.relying_parties["shop"];
    assert_eq!((shop.audience.as_str(), shop.uid.len()), ("shop", 26));
    let (bytes, digest) = tenant.bundle.seal().unwrap();
    let read = Named::<TenantBundle>::read(&bytes).unwrap();
    assert_eq!(read.digest(), digest);
}

#[test]
fn an_issuer_at_the_usual_port_names_no_port() {
    let mut folder = Folder::quickstart();
    let valid = folder.read().1.unwrap();
    let desired = build(&valid, &mut folder.records, 443);
    assert_eq!(
        desired.tenants["acme"].bundle.issuer.as_str(),
        "https://verify.acme.localhost/"
    );
}

#[test]
fn versions_and_revisions_count_changes_of_content_only() {
    let mut folder = Folder::quickstart();
    let first = folder.bundle();
    assert_eq!(folder.bundle(), first);
    folder.replace("policies.yaml", "atLeast: 18}}\n---", "atLeast: 21}}\n---");
    let second = folder.bundle();
    assert_eq!(second.version, 2);
    assert_eq!(second.policies["over18"].revision, 2);
    assert_eq!(second.policies["account-opening"].revision, 1);
    folder.replace("policies.yaml", "atLeast: 21}}\n---", "atLeast: 18}}\n---");
    let third = folder.bundle();
    assert_eq!((third.version, third.policies["over18"].revision), (3, 3));
    assert_eq!(
        third.policies["over18"].digest,
        first.policies["over18"].digest
    );
    folder.replace("tenant.yaml", "# Everything", "# All");
    assert_eq!(folder.bundle().version, 3);
}

#[test]
fn a_relying_party_made_anew_is_another_one() {
    let mut folder = Folder::quickstart();
    let uid = |bundle: TenantBundle| {
        bundle
            .relying_parties
            .get("shop")
            .map(|party| party.uid.clone())
    };
    let first = uid(folder.bundle()).unwrap();
    let text = fs::read_to_string(folder.path().join("relying-party.yaml")).unwrap();
    folder.write("relying-party.yaml", "");
    assert_eq!(uid(folder.bundle()), None);
    folder.write("relying-party.yaml", &text);
    assert_ne!(uid(folder.bundle()).unwrap(), first);
}

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
        "relying-party.yaml:12: RelyingParty pavilion-acme/shop: spec.policies[0]: there is no Policy over21 in pavilion-acme [ReferenceDangling]"
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
fn a_policy_that_does_not_compile_points_at_its_field() {
    let found = refusal(
        "policies.yaml",
        "{claim: pid.birthdate, age: {atLeast: 18}}\n---",
        "{claim: pid.birthday, age: {atLeast: 18}}\n---",
    );
    assert!(
        found.starts_with("policies.yaml:17: Policy pavilion-acme/over18: spec.rule"),
        "{found}"
    );
    let found = refusal(
        "policies.yaml",
        "{claim: pid.birthdate, age: {atLeast: 18}}\n---",
        "{claim: pid.birthdate, older: 18}\n---",
    );
    assert!(
        found.contains("spec.rule") && found.ends_with("[PolicyInvalid]"),
        "{found}"
    );
}

#[test]
fn a_policy_that_can_never_pass_is_refused() {
    let never = "{all: [{claim: pid.birthdate, age: {atLeast: 18}}, {claim: pid.birthdate, age: {atMost: 10}}]}\n---";
    let found = refusal(
        "policies.yaml",
        "{claim: pid.birthdate, age: {atLeast: 18}}\n---",
        never,
    );
    assert!(found.ends_with("[ClauseNeverTrue]"), "{found}");
}

#[test]
fn a_policy_beyond_its_limits_is_refused() {
    let leaf = "{claim: pid.birthdate, age: {atLeast: 18}}";
    let deep = format!("{}{leaf}{}", "{not: ".repeat(50), "}".repeat(50));
    let found = refusal(
        "policies.yaml",
        &format!("{leaf}\n---"),
        &format!("{deep}\n---"),
    );
    assert!(
        found.ends_with("[PolicyTooLarge]") || found.ends_with("[PolicyInvalid]"),
        "{found}"
    );
}

#[test]
fn a_type_that_nobody_is_believed_for_is_refused() {
    let found = refusal(
        "policies.yaml",
        "types: [urn:example:eid:1]",
        "types: [urn:example:passport:1]",
    );
    assert!(
        found.contains("spec.evidence[2].types[0]") && found.ends_with("[PolicyInvalid]"),
        "{found}"
    );
}

#[test]
fn key_sets_must_be_there_public_and_usable() {
    let found = refusal("relying-party.yaml", "shop.jwks.json}", "none.json}");
    assert!(
        found.contains("jwksFile: none.json cannot be read") && found.ends_with("[FileUnreadable]"),
        "{found}"
    );
    let private = fs::read_to_string(format!("{QUICKSTART}/dev-keys/shop.jwk.json")).unwrap();
    for (text, says) in [
        ("{", "[KeySetInvalid]"),
        (r#"{"keys": []}"#, "no key that can be used"),
        (
            r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#,
            "no key that can be used",
        ),
        (&format!("{{\"keys\": [{private}]}}"), "private"),
    ] {
        let mut folder = Folder::quickstart();
        folder.write("shop.jwks.json", text);
        let found = folder.refused();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(says), "{found:?}");
        assert!(found[0].ends_with("[KeySetInvalid]"), "{found:?}");
    }
}

#[test]
fn inline_keys_and_did_jwk_are_taken() {
    let mut folder = Folder::quickstart();
    let keys = fs::read_to_string(folder.path().join("issuer.jwks.json")).unwrap();
    folder.replace(
        "trust-anchor.yaml",
        "jwksFile: issuer.jwks.json",
        &format!("jwks: {}", keys.trim()),
    );
    let jwk: serde_json::Value = serde_json::from_str(&keys).unwrap();
    let jwk = &jwk["keys"][0];
    let public =
        serde_json::json!({"kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"]});
    let did = format!(
        "did:jwk:{}",
        pavilion_jose::base64url(public.to_string().as_bytes())
    );
    folder.replace(
        "trust-anchor.yaml",
        "  assurance:",
        &format!("  - {{issuer: \"{did}\"}}\n  assurance:"),
    );
    let bundle = folder.bundle();
    assert_eq!(bundle.trust_anchors["demo-issuers"].issuers.len(), 2);
    let found = refusal(
        "trust-anchor.yaml",
        "  assurance:",
        "  - {issuer: 'did:jwk:e30'}\n  assurance:",
    );
    assert!(
        found.contains("spec.issuers[1]") && found.ends_with("[KeySetInvalid]"),
        "{found}"
    );
}

#[test]
fn authorities_must_be_certificates() {
    let bundle = "  - {x509: {caBundleFile: ca.pem, sanDns: [a.example]}}\n  assurance:";
    let found = refusal("trust-anchor.yaml", "  assurance:", bundle);
    assert!(found.ends_with("[FileUnreadable]"), "{found}");
    let mut folder = Folder::quickstart();
    folder
        .replace("trust-anchor.yaml", "  assurance:", bundle)
        .write("ca.pem", "not PEM");
    assert!(folder.refused()[0].ends_with("[CertificateInvalid]"));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    folder.write("ca.pem", &pem);
    assert_eq!(
        folder.bundle().trust_anchors["demo-issuers"].issuers.len(),
        2
    );
    folder.replace(
        "relying-party.yaml",
        "    privateKeyJwt:",
        "    mutualTls: {caBundleFile: ca.pem, sanDns: [shop.example]}\n    privateKeyJwt:",
    );
    let desired = folder.build();
    assert!(desired.tenants["acme"].wants_client_certificates());
}

#[test]
fn a_certificate_of_the_tenants_own_must_fit() {
    let tls = "hosts: [verify.acme.localhost]\n    tls: {certificateFile: c.pem, keyFile: k.pem}";
    let mut folder = Folder::quickstart();
    folder.replace("tenant.yaml", "hosts: [verify.acme.localhost]", tls);
    assert_eq!(folder.refused().len(), 2);
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let (chain, key) = made("verify.other.localhost");
    folder.write("c.pem", &chain).write("k.pem", &key);
    let found = folder.refused();
    assert!(
        found[0].contains("does not name the host") && found[0].ends_with("[CertificateInvalid]"),
        "{found:?}"
    );
    let (chain, key) = made("verify.acme.localhost");
    folder.write("c.pem", &chain);
    assert!(folder.refused()[0].contains("keyFile"));
    folder.write("k.pem", &key);
    assert!(serde_json::to_string(&folder.build()).is_err());
    let kept = serde_json::to_string(&folder.build().without_keys()).unwrap();
    assert!(!kept.contains("PRIVATE"));
    let back: Desired = serde_json::from_str(&kept).unwrap();
    assert_eq!(back.tenants["acme"].bundle, folder.bundle());
}

#[test]
fn a_certificate_that_expired_since_it_was_accepted_blocks_no_change() {
    let mut folder = Folder::quickstart();
    folder.replace(
        "tenant.yaml",
        "hosts: [verify.acme.localhost]",
        "hosts: [verify.acme.localhost]\n    tls: {certificateFile: c.pem, keyFile: k.pem}",
    );
    let made = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(["verify.acme.localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 6, 10);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let (chain, key) = made();
    folder.write("c.pem", &chain).write("k.pem", &key);
    let later: Timestamp = "2026-06-20T12:00:00Z".parse().unwrap();
    let at = |folder: &Folder, time| validate(&dereference(folder.path()), &folder.records, time);
    let refused = at(&folder, later).unwrap_err();
    assert!(
        refused[0].message.contains("is in force from"),
        "{refused:?}"
    );
    folder.build();
    let valid = at(&folder, later).unwrap();
    assert!(
        valid
            .tenants
            .values()
            .all(|tenant| tenant.certificate.is_some())
    );
    // Another one that is over was never accepted.
    let (chain, key) = made();
    folder.write("c.pem", &chain).write("k.pem", &key);
    assert_eq!(
        at(&folder, later).unwrap_err()[0].code,
        "CertificateInvalid"
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
fn a_bundle_that_its_reader_would_refuse_is_refused_before_it_is_written() {
    let mut folder = Folder::quickstart();
    let (set, valid) = folder.read();
    let mut desired = build(&valid.unwrap(), &mut folder.records, 8443);
    let none = std::collections::BTreeMap::new();
    assert_eq!(refused_by_data_plane(&set, &desired, &none), []);
    let bundle = &mut desired.tenants.values_mut().next().unwrap().bundle;
    let party = bundle.relying_parties.values_mut().next().unwrap();
    // Each field is within its limit, together they are more than a verifier reads.
    party.purposes = vec!["x".repeat(1024 * 1024); 17];
    let refusals = refused_by_data_plane(&set, &desired, &none);
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].code, "BundleRefused");
    assert_eq!(
        refusals[0].object.as_ref().unwrap().to_string(),
        "Tenant acme"
    );
}

#[test]
fn what_is_accepted_here_is_accepted_by_the_verifier() {
    let mut folder = Folder::quickstart();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    folder.write("ca.pem", &params.self_signed(&key).unwrap().pem());
    folder.replace(
        "relying-party.yaml",
        "    privateKeyJwt:",
        "    mutualTls: {caBundleFile: ca.pem, sanDns: [shop.example]}\n    privateKeyJwt:",
    );
    let (set, valid) = folder.read();
    let desired = build(&valid.unwrap(), &mut folder.records, 8443);
    assert_eq!(
        refused_by_data_plane(&set, &desired, &std::collections::BTreeMap::new()),
        []
    );
    let (bytes, _) = desired.tenants["acme"].bundle.seal().unwrap();
    let read = Named::<TenantBundle>::read(&bytes).unwrap();
    assert!(pavilion_verifier::tenant::Tenant::prepare(read).is_ok());
}

#[test]
fn the_last_good_state_survives_an_engine_that_digests_policies_otherwise() {
    let mut folder = Folder::quickstart();
    let mut desired = folder.build();
    let acme: pavilion_bundle::TenantName = "acme".parse().unwrap();
    let revisions = |desired: &Desired| {
        let bundle = &desired.tenants[&acme].bundle;
        let numbers = bundle.policies.values().map(|policy| policy.revision);
        (bundle.version, numbers.collect::<Vec<_>>())
    };
    let mut same = desired.clone();
    renew(&mut same, &mut folder.records);
    assert_eq!(revisions(&same), (1, vec![1, 1]));
    // As another engine wrote it.
    let stale = Digest::of(b"another engine");
    for (name, policy) in &mut desired.tenants.get_mut(&acme).unwrap().bundle.policies {
        policy.digest = stale;
        let key = format!("Policy pavilion-acme/{name}").parse().unwrap();
        folder
            .records
            .objects
            .get_mut(&key)
            .unwrap()
            .revision
            .as_mut()
            .unwrap()
            .digest = stale;
    }
    folder.records.tenant("acme").bundle.content = None;
    assert!(Named::<TenantBundle>::read(&desired.tenants[&acme].bundle.seal().unwrap().0).is_err());
    renew(&mut desired, &mut folder.records);
    assert_eq!(revisions(&desired), (2, vec![2, 2]));
    Named::<TenantBundle>::read(&desired.tenants[&acme].bundle.seal().unwrap().0).unwrap();
}

#[test]
fn a_fault_of_a_tenant_does_not_become_a_fault_of_its_objects() {
    let found = refusal("tenant.yaml", "rotateEvery: 2160h", "rotateEvery: often");
    assert!(found.contains("spec.signing.rotateEvery"), "{found}");
}

#[test]
fn a_registration_without_a_purpose_of_its_policy_is_refused() {
    let mut folder = Folder::quickstart();
    folder.replace(
        "relying-party.yaml",
        "account-opening]\n  policies",
        "other]\n  policies",
    );
    assert_eq!(
        folder.refused(),
        [
            "relying-party.yaml:12: RelyingParty pavilion-acme/shop: spec.policies[1]: none of spec.purposes is a purpose of policy account-opening [PurposesDisjoint]"
        ]
    );
}

#[test]
fn a_rule_about_a_relying_party_that_is_not_there_is_refused() {
    let mut folder = Folder::quickstart();
    folder.replace(
        "policies.yaml",
        "    - {claim: pid.birthdate, age: {atLeast: 18}}\n",
        "    - {claim: pid.birthdate, age: {atLeast: 18}}\n    - not: {relyingParty: {in: [shopp]}}\n",
    );
    let refused = folder.refused();
    assert!(
        refused[0].ends_with(
            "spec.rule.all[1].not.relyingParty.in[0]: there is no RelyingParty shopp in pavilion-acme [ReferenceDangling]"
        ),
        "{refused:?}"
    );
}
