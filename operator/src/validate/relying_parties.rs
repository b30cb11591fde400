//! Relying parties: credentials of their own, and policies that exist and that they may ask.

use std::collections::{BTreeMap, BTreeSet};

use pavilion_bundle::{Authentication, MutualTls};
use pavilion_catalogue::manifest;
use pavilion_crds::{Kind, RelyingPartySpec};
use serde_json::Value;

use super::{Belongings, Check, ValidRelyingParty, keys};
use crate::{manifests::Object, object_key::ObjectKey};

pub(super) fn read(
    check: &mut Check<'_>,
    object: &Object,
    value: &Value,
    asked_for: &BTreeMap<ObjectKey, BTreeSet<String>>,
    tenant: &mut Belongings,
) {
    let before = check.refusals.len();
    check.references(
        object,
        "spec.policies",
        Kind::Policy,
        &value["spec"]["policies"],
    );
    let spec: RelyingPartySpec = match serde_json::from_value(value["spec"].clone()) {
        Ok(spec) => spec,
        Err(error) => {
            return check.refuse(object, "spec", &manifest::FIELD_INVALID, error.to_string());
        }
    };
    purposes(check, object, &spec, asked_for);
    let authentication = authentication(check, object, &spec);
    let obligations = match serde_path_to_error::deserialize(&value["spec"]["obligations"]) {
        Ok(obligations) => obligations,
        Err(_) if value["spec"]["obligations"].is_null() => pavilion_policy::Obligations::default(),
        Err(error) => {
            let field = format!("spec.obligations.{}", error.path());
            let message = error.into_inner().to_string();
            return check.refuse(object, &field, &manifest::FIELD_INVALID, message);
        }
    };
    let policies: Result<Vec<_>, _> = spec.policies.iter().map(|name| name.parse()).collect();
    let (Ok(policies), Ok(name)) = (policies, object.key.name.parse()) else {
        return;
    };
    if check.refusals.len() > before {
        return;
    }
    let party = ValidRelyingParty {
        audience: spec.audience.unwrap_or_else(|| object.key.name.clone()),
        authentication,
        purposes: spec.purposes,
        policies,
        obligations,
    };
    tenant.relying_parties.insert(name, party);
}

/// Every policy it may ask has a purpose that it is registered for.
fn purposes(
    check: &mut Check<'_>,
    object: &Object,
    spec: &RelyingPartySpec,
    asked_for: &BTreeMap<ObjectKey, BTreeSet<String>>,
) {
    for (index, name) in spec.policies.iter().enumerate() {
        let key = ObjectKey {
            kind: Kind::Policy,
            namespace: object.key.namespace.clone(),
            name: name.clone(),
        };
        let shared = |of_policy: &BTreeSet<String>| {
            let mut own = spec.purposes.iter();
            own.any(|purpose| of_policy.contains(purpose))
        };
        if asked_for
            .get(&key)
            .is_some_and(|purposes| !shared(purposes))
        {
            let field = format!("spec.policies[{index}]");
            let message = format!("none of spec.purposes is a purpose of policy {name}");
            check.refuse(object, &field, &manifest::PURPOSES_DISJOINT, message);
        }
    }
}

fn authentication(
    check: &mut Check<'_>,
    object: &Object,
    spec: &RelyingPartySpec,
) -> Authentication {
    let field = "spec.authentication.privateKeyJwt";
    let private_key_jwt = spec
        .authentication
        .private_key_jwt
        .as_ref()
        .and_then(|keys| {
            keys::key_set(
                check,
                object,
                field,
                keys.jwks.as_ref(),
                keys.jwks_file.as_deref(),
            )
        });
    let field = "spec.authentication.mutualTls";
    let mutual_tls = spec.authentication.mutual_tls.as_ref().and_then(|tls| {
        Some(MutualTls {
            ca_bundle: keys::authorities(check, object, field, tls)?,
            san_dns: tls.san_dns.clone(),
        })
    });
    Authentication {
        private_key_jwt,
        mutual_tls,
    }
}
