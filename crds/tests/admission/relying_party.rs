//! What a RelyingParty may say.

use pavilion_crds::{Kind, admission::Fault};
use serde_json::json;

use crate::objects::{faults, refused, relying_party, with};

#[test]
fn a_relying_party_proves_who_it_is() {
    let object = with(relying_party(), "/spec/authentication", json!({}));
    refused(
        Kind::RelyingParty,
        &object,
        "spec.authentication",
        Fault::Rule,
    );
    let object = with(
        relying_party(),
        "/spec/authentication/privateKeyJwt",
        json!({}),
    );
    refused(
        Kind::RelyingParty,
        &object,
        "spec.authentication.privateKeyJwt",
        Fault::Rule,
    );
    let both = json!({"mutualTls": {"caBundleFile": "ca.pem", "sanDns": ["shop.example"]}, "privateKeyJwt": {"jwksFile": "k.json"}});
    assert_eq!(
        faults(
            Kind::RelyingParty,
            &with(relying_party(), "/spec/authentication", both)
        ),
        []
    );
}
