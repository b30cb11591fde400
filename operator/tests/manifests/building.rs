//! What is made of a set that is right.

use std::fs;

use pavilion_bundle::{Document, Named, TenantBundle};
use pavilion_json::Digest;
use pavilion_operator::{
    build::{build, renew},
    desired::Desired,
    validate::refused_by_data_plane,
};

use crate::folder::Folder;

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
