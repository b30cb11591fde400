//! Key sets and certificates: what is taken, and what is not.

use std::fs;

use jiff::Timestamp;
use pavilion_operator::{
    desired::Desired,
    manifests::{NamedFiles, dereference},
    refusal::Refusal,
    validate::validate,
};

use crate::folder::{Folder, QUICKSTART, refusal};

/// The keys of the quickstart's manifest, moved to a file beside it.
fn with_key_files() -> Folder {
    let folder = Folder::quickstart();
    for (manifest, file) in [
        ("relying-party.yaml", "shop.jwks.json"),
        ("trust-anchor.yaml", "issuer.jwks.json"),
    ] {
        let text = fs::read_to_string(folder.path().join(manifest)).unwrap();
        let begin = text.find("jwks:").unwrap();
        let end = text[begin..].find("\"y\": ").unwrap() + begin;
        let end = end + text[end..].find('\n').unwrap();
        let keys: serde_json::Value = serde_saphyr::from_str(&text[begin..end]).unwrap();
        folder.write(file, &keys["jwks"].to_string());
        folder.replace(manifest, &text[begin..end], &format!("jwksFile: {file}"));
    }
    folder
}

#[test]
fn key_sets_must_be_there_public_and_usable() {
    let mut folder = with_key_files();
    folder.build();
    folder.replace("relying-party.yaml", "shop.jwks.json", "none.json");
    let found = &folder.refused()[0];
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
        let mut folder = with_key_files();
        folder.write("shop.jwks.json", text);
        let found = folder.refused();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(says), "{found:?}");
        assert!(found[0].ends_with("[KeySetInvalid]"), "{found:?}");
    }
}

#[test]
fn inline_keys_and_did_jwk_are_taken() {
    let mut folder = with_key_files();
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
fn a_certificate_is_in_a_secret_in_a_cluster_and_in_files_on_one_host() {
    let mut folder = Folder::quickstart();
    let hosts = "hosts: [verify.acme.localhost]";
    let secret = format!("{hosts}\n    tls: {{secretName: pavilion-tls}}");
    folder.replace("tenant.yaml", hosts, &secret);
    let found = folder.refused();
    assert!(
        found[0].contains("spec.ingress.tls.secretName: Secrets are in a cluster"),
        "{found:?}"
    );
    let mut set = dereference(folder.path());
    set.files = NamedFiles::in_a_cluster();
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
    let refusals = validate(&set, &folder.records, now)
        .err()
        .unwrap_or_default();
    let own = |refusal: &&Refusal| refusal.field.contains("tls");
    assert_eq!(refusals.iter().find(own), None);
    let files = format!("{hosts}\n    tls: {{certificateFile: c.pem, keyFile: k.pem}}");
    folder.replace("tenant.yaml", &secret, &files);
    let mut set = dereference(folder.path());
    set.files = NamedFiles::in_a_cluster();
    let refusals = validate(&set, &folder.records, now).unwrap_err();
    let refused = refusals.iter().find(own).unwrap();
    assert!(refused.message.contains("give secretName"), "{refused}");
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
