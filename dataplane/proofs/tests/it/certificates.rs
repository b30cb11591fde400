//! Issuers that are known by a certificate in the `x5c` header.

use std::collections::BTreeMap;

use pavilion_jose::{Jwk, SigningKey, from_base64url};
use pavilion_proofs::wallet::Issuer;
use pavilion_proofs::{IssuerKeys, PreparedAnchors, TrustAnchor, TrustedIssuer, X509Keys};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm, date_time_ymd,
};
use serde_json::json;

use crate::world::{World, anchor, copy, key};

pub type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub fn authority(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

fn below(name: &str, parent: &Authority) -> Authority {
    CertifiedIssuer::signed_by(authority_params(name), KeyPair::generate().unwrap(), parent)
        .unwrap()
}

/// A P-256 key as certificates hold it.
struct PointOnP256(Vec<u8>);

impl PublicKeyData for PointOnP256 {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

fn point(jwk: &Jwk) -> PointOnP256 {
    let coordinate = |name: &str| from_base64url(jwk.members()[name].as_str().unwrap()).unwrap();
    PointOnP256([vec![4], coordinate("x"), coordinate("y")].concat())
}

pub fn leaf(key: &SigningKey, names: Vec<SanType>, parent: &Authority) -> Vec<u8> {
    leaf_of(key, names, parent, |_| {})
}

fn leaf_of(
    key: &SigningKey,
    names: Vec<SanType>,
    parent: &Authority,
    change: impl FnOnce(&mut CertificateParams),
) -> Vec<u8> {
    let mut params = params("leaf");
    params.subject_alt_names = names;
    change(&mut params);
    params
        .signed_by(&point(&key.public()), parent)
        .unwrap()
        .der()
        .to_vec()
}

pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// Believes certificates of `root` that carry one of these names.
pub fn believes(
    root: &Authority,
    issuer: Option<&str>,
    san_dns: &[&str],
    san_uri: &[&str],
) -> TrustAnchor {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    anchor(TrustedIssuer {
        issuer: issuer.map(str::to_owned),
        keys: IssuerKeys::X509(X509Keys {
            ca_bundle: root.pem(),
            san_dns: owned(san_dns),
            san_uri: owned(san_uri),
        }),
    })
}

/// A world whose issuer shows this chain.
pub fn world(
    anchor: TrustAnchor,
    name: Option<&str>,
    chain: impl FnOnce(&SigningKey) -> Vec<Vec<u8>>,
) -> World {
    let mut world = World::new();
    let chain = chain(&world.issuer_key);
    world.issuer =
        Issuer::with_certificates(name.map(str::to_owned), copy(&world.issuer_key), chain);
    world.anchor = anchor;
    world
}

/// The issuer's name, or the code of the refusal.
fn judged(world: &World) -> Result<String, &'static str> {
    let presentation = world.presentation_of(&world.draft());
    match world.verify(&presentation) {
        Ok(credential) => Ok(credential.into_inner().issuer),
        Err(error) => Err(error.code.code),
    }
}

const UNTRUSTED: Result<String, &str> = Err("certificate_chain_untrusted");

#[test]
fn a_chain_to_the_authority_makes_an_issuer_known_by_the_name_in_its_certificate() {
    let root = authority("root");
    let between = below("between", &root);
    let anchor = believes(
        &root,
        None,
        &["*.pid.example"],
        &["https://uri.example/issuer"],
    );
    let by_dns = world(anchor.clone(), None, |key| {
        vec![
            leaf(key, vec![dns("a.pid.example")], &between),
            between.der().to_vec(),
        ]
    });
    assert_eq!(judged(&by_dns), Ok("x509_san_dns:a.pid.example".to_owned()));
    let by_uri = world(anchor, None, |key| {
        vec![leaf(key, vec![uri("https://uri.example/issuer")], &root)]
    });
    assert_eq!(judged(&by_uri), Ok("https://uri.example/issuer".to_owned()));
}

#[test]
fn a_stated_issuer_must_be_a_name_in_the_certificate() {
    let root = authority("root");
    let judged = |iss: &str, name: SanType| {
        let anchor = believes(&root, None, &["*.pid.example"], &["urn:pid:issuer"]);
        judged(&world(anchor, Some(iss), |key| {
            vec![leaf(key, vec![name], &root)]
        }))
    };
    assert_eq!(
        judged("https://a.pid.example/x", dns("a.pid.example")),
        Ok("https://a.pid.example/x".into())
    );
    assert_eq!(
        judged("urn:pid:issuer", uri("urn:pid:issuer")),
        Ok("urn:pid:issuer".into())
    );
    assert_eq!(
        judged("https://b.pid.example", dns("a.pid.example")),
        UNTRUSTED
    );
    assert_eq!(
        judged("http://a.pid.example", dns("a.pid.example")),
        UNTRUSTED
    );
    assert_eq!(judged("a.pid.example", dns("a.pid.example")), UNTRUSTED);
    assert_eq!(
        judged("https://*.pid.example", dns("a.pid.example")),
        UNTRUSTED
    );
}

#[test]
fn a_name_that_counts_does_not_lend_itself_to_one_that_does_not() {
    let root = authority("root");
    let anchor = believes(&root, None, &["*.pid.example"], &[]);
    let both = |key: &SigningKey| {
        vec![leaf(
            key,
            vec![dns("other.example"), dns("a.pid.example")],
            &root,
        )]
    };
    let honest = world(anchor.clone(), Some("https://a.pid.example"), both);
    assert_eq!(judged(&honest), Ok("https://a.pid.example".into()));
    assert_eq!(
        judged(&world(anchor, Some("https://other.example"), both)),
        UNTRUSTED
    );
}

#[test]
fn a_pinned_issuer_is_tied_to_the_names_that_the_anchor_gives_it() {
    let root = authority("root");
    let iss = "https://pid.example";
    let tied = believes(&root, Some(iss), &["signer.pid.example"], &[]);
    let chain = |name: &'static str| {
        let root = &root;
        move |key: &SigningKey| vec![leaf(key, vec![dns(name)], root)]
    };
    assert_eq!(
        judged(&world(tied.clone(), Some(iss), chain("signer.pid.example"))),
        Ok(iss.into())
    );
    assert_eq!(
        judged(&world(tied.clone(), Some(iss), chain("pid.example"))),
        UNTRUSTED
    );
    let other = world(
        tied.clone(),
        Some("https://other.example"),
        chain("signer.pid.example"),
    );
    assert_eq!(judged(&other), Err("issuer_not_trusted"));
    assert_eq!(
        judged(&world(tied, None, chain("signer.pid.example"))),
        Err("issuer_not_trusted")
    );

    // Without rules about names the certificate itself must name the issuer.
    let bare = believes(&root, Some(iss), &[], &[]);
    assert_eq!(
        judged(&world(bare.clone(), Some(iss), chain("pid.example"))),
        Ok(iss.into())
    );
    assert_eq!(
        judged(&world(bare, Some(iss), chain("evil.example"))),
        UNTRUSTED
    );
}

#[test]
fn a_name_that_the_anchor_does_not_allow_is_refused() {
    let root = authority("root");
    for name in [
        "pid.example",
        "a.b.pid.example",
        "a.pid.example.evil.example",
        "*.pid.example",
    ] {
        let anchor = believes(&root, None, &["*.pid.example"], &[]);
        let world = world(anchor, None, |key| vec![leaf(key, vec![dns(name)], &root)]);
        assert_eq!(judged(&world), UNTRUSTED, "{name}");
    }
}

#[test]
fn a_chain_to_an_unknown_authority_is_refused() {
    let (root, other) = (authority("root"), authority("root"));
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let world = world(anchor, None, |key| {
        vec![leaf(key, vec![dns("a.pid.example")], &other)]
    });
    assert_eq!(judged(&world), UNTRUSTED);
}

#[test]
fn a_chain_with_a_gap_is_refused() {
    let root = authority("root");
    let between = below("between", &root);
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let world = world(anchor, None, |key| {
        vec![leaf(key, vec![dns("a.pid.example")], &between)]
    });
    assert_eq!(judged(&world), UNTRUSTED);
}

#[test]
fn the_trusted_authority_itself_must_not_be_in_the_header() {
    let root = authority("root");
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let world = world(anchor, None, |key| {
        vec![
            leaf(key, vec![dns("a.pid.example")], &root),
            root.der().to_vec(),
        ]
    });
    assert_eq!(judged(&world), UNTRUSTED);
}

#[test]
fn a_certificate_that_signs_itself_is_nobodys_proof() {
    let root = authority("root");
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let own = KeyPair::generate().unwrap();
    let mut params = params("self");
    params.subject_alt_names = vec![dns("a.pid.example")];
    let certificate = params.self_signed(&own).unwrap().der().to_vec();
    assert_eq!(
        judged(&world(anchor, None, |_| vec![certificate])),
        UNTRUSTED
    );
}

#[test]
fn an_expired_or_early_certificate_is_refused() {
    let root = authority("root");
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    for (from, to) in [(2025, 2026), (2027, 2028)] {
        let world = world(anchor.clone(), None, |key| {
            vec![leaf_of(key, vec![dns("a.pid.example")], &root, |params| {
                params.not_before = date_time_ymd(from, 1, 1);
                params.not_after = date_time_ymd(to, 1, 1);
            })]
        });
        assert_eq!(judged(&world), UNTRUSTED);
    }
}

#[test]
fn a_certificate_whose_key_is_not_for_signatures_is_refused() {
    let root = authority("root");
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let with = |usage| {
        world(anchor.clone(), None, |key| {
            vec![leaf_of(key, vec![dns("a.pid.example")], &root, |params| {
                params.key_usages = vec![usage];
            })]
        })
    };
    assert!(judged(&with(KeyUsagePurpose::DigitalSignature)).is_ok());
    assert_eq!(judged(&with(KeyUsagePurpose::KeyAgreement)), UNTRUSTED);
}

#[test]
fn an_authority_is_no_issuer() {
    let root = authority("root");
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let world = world(anchor, None, |key| {
        vec![leaf_of(key, vec![dns("a.pid.example")], &root, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        })]
    });
    assert_eq!(judged(&world), UNTRUSTED);
}

#[test]
fn the_leafs_key_must_have_signed() {
    let root = authority("root");
    let anchor = believes(&root, None, &["a.pid.example"], &[]);
    let world = world(anchor, None, |_| {
        vec![leaf(&key(), vec![dns("a.pid.example")], &root)]
    });
    assert_eq!(judged(&world), Err("credential_signature_invalid"));
}

#[test]
fn a_header_without_or_with_an_unreadable_chain_is_refused() {
    let root = authority("root");
    let iss = "https://pid.example";
    let mut world = World::new();
    let presentation = world.presentation_of(&world.draft());
    world.anchor = believes(&root, Some(iss), &[], &[]);
    assert_eq!(world.refusal(&presentation), "issuer_key_unknown");
    world.anchor = believes(&root, None, &["pid.example"], &[]);
    assert_eq!(world.refusal(&presentation), "issuer_not_trusted");
    let garbage = world.with_header(|header| header["x5c"] = json!(["AAAA"]));
    assert_eq!(world.refusal(&garbage), "certificate_chain_untrusted");
    let long =
        world.with_header(|header| header["x5c"] = json!(["AAAA", "AAAA", "AAAA", "AAAA", "AAAA"]));
    assert_eq!(world.refusal(&long), "certificate_chain_untrusted");
    for malformed in [json!([]), json!("AAAA"), json!(["***"])] {
        let presentation = world.with_header(|header| header["x5c"] = malformed);
        assert_eq!(world.refusal(&presentation), "presentation_malformed");
    }
}

#[test]
fn an_anchor_by_certificate_that_could_never_be_used_is_refused_at_its_field() {
    let root = authority("root");
    let refused = |anchor: TrustAnchor| {
        PreparedAnchors::new(&BTreeMap::from([("a", anchor)]))
            .unwrap_err()
            .path
    };
    assert_eq!(
        refused(believes(&root, None, &[], &[])),
        "issuers[0].keys.x509"
    );
    let pattern = believes(&root, None, &["a.example", "*"], &[]);
    assert_eq!(refused(pattern), "issuers[0].keys.x509.sanDns[1]");
    for bundle in [
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let mut anchor = believes(&root, None, &["a.example"], &[]);
        let IssuerKeys::X509(names) = &mut anchor.issuers[0].keys else {
            panic!()
        };
        names.ca_bundle = bundle.to_owned();
        assert_eq!(refused(anchor), "issuers[0].keys.x509.caBundle");
    }
}

/// A certificate for a server called `localhost`.
pub fn server_certificate(
    key: &KeyPair,
    parent: &Authority,
) -> rustls_pki_types::CertificateDer<'static> {
    let mut params = params("localhost");
    // The client of a status list judges by the real clock.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params.subject_alt_names = vec![dns("localhost")];
    params.signed_by(key, parent).unwrap().der().clone()
}
