//! Manifests that tests start brokers with. JSON is YAML, so objects are written as JSON documents.

use std::path::Path;

use serde_json::{Value, json};

use crate::{RelyingParty, Wallet};

/// The credential type of the test issuer.
pub const PID: &str = "urn:eudi:pid:1";
/// The credential type that the stronger policy also asks for.
pub const ENROLMENT: &str = "urn:example:enrolment";

/// A folder of manifests.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    objects: Vec<Value>,
}

impl Manifests {
    /// One tenant with the host `verify.<name>.localhost`, the wallet's issuer, the relying party
    /// `shop`, and the policies `over18` and `account-opening`.
    pub fn tenant(name: &str, wallet: &Wallet, shop: &RelyingParty) -> Self {
        Self {
            objects: vec![
                tenant(name),
                trust_anchor(name, wallet),
                relying_party(name, shop),
                over18(name),
                account_opening(name),
            ],
        }
    }

    /// The objects, a tenant before what belongs to it.
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// These manifests and those.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.objects.extend(other.objects);
        self
    }

    /// These manifests and one more object.
    #[must_use]
    pub fn with(mut self, object: Value) -> Self {
        self.objects.push(object);
        self
    }

    /// Changes the spec of one object.
    #[must_use]
    pub fn changed(mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let found = self
            .objects
            .iter_mut()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        change(&mut found.expect("the object to change")["spec"]);
        self
    }

    /// These manifests without one object.
    #[must_use]
    pub fn without(mut self, kind: &str, name: &str) -> Self {
        self.objects
            .retain(|object| object["kind"] != kind || object["metadata"]["name"] != name);
        self
    }

    /// The names of the tenants.
    pub fn tenants(&self) -> Vec<String> {
        let tenants = self
            .objects
            .iter()
            .filter(|object| object["kind"] == "Tenant");
        tenants
            .filter_map(|tenant| tenant["metadata"]["name"].as_str().map(str::to_owned))
            .collect()
    }

    /// Writes one file with all objects, replacing it whole as a careful editor would.
    pub fn write_to(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder for manifests");
        let documents: Vec<_> = self
            .objects
            .iter()
            .map(|object| format!("---\n{object:#}\n"))
            .collect();
        let draft = folder.join("all.yaml.new");
        std::fs::write(&draft, documents.concat()).expect("the manifests are written");
        std::fs::rename(draft, folder.join("all.yaml")).expect("the manifests are replaced");
    }
}

fn object(kind: &str, tenant: &str, name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "pavilion.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    });
    if kind != "Tenant" {
        object["metadata"]["namespace"] = json!(format!("pavilion-{tenant}"));
    }
    object
}

/// A tenant reached at `verify.<name>.localhost`.
pub fn tenant(name: &str) -> Value {
    let hosts = json!([format!("verify.{name}.localhost")]);
    object(
        "Tenant",
        name,
        name,
        &json!({"regions": ["eu-central"], "ingress": {"hosts": hosts}}),
    )
}

/// Belief in the wallet's issuer for both credential types, without a status list.
pub fn trust_anchor(tenant: &str, wallet: &Wallet) -> Value {
    let issuers = json!([{"issuer": wallet.issuer(), "jwks": {"keys": [wallet.issuer_jwk()]}}]);
    let spec = json!({"credentialTypes": [PID, ENROLMENT], "issuers": issuers, "status": {"required": false}});
    object("TrustAnchor", tenant, "test-issuers", &spec)
}

/// The relying party, registered for both policies.
pub fn relying_party(tenant: &str, shop: &RelyingParty) -> Value {
    let spec = json!({
        "authentication": {"privateKeyJwt": {"jwks": {"keys": [shop.jwk()]}}},
        "purposes": ["age-restricted-sale", "account-opening"],
        "policies": ["over18", "account-opening"],
    });
    object("RelyingParty", tenant, shop.name(), &spec)
}

fn pid_evidence() -> Value {
    json!({
        "id": "pid", "format": "dc+sd-jwt", "types": [PID], "trust": ["test-issuers"],
        "claims": [
            {"id": "birthdate", "path": ["birthdate"]},
            {"id": "country", "path": ["address", "country"]},
        ],
    })
}

/// Is the holder over 18?
pub fn over18(tenant: &str) -> Value {
    let spec = json!({
        "title": "Over 18",
        "purposes": ["age-restricted-sale"],
        "evidence": [pid_evidence()],
        "rule": {"all": [{"claim": "pid.birthdate", "age": {"atLeast": 18}}]},
    });
    object("Policy", tenant, "over18", &spec)
}

/// A nested rule over two credentials, one of them optional.
pub fn account_opening(tenant: &str) -> Value {
    let student = json!({
        "id": "student", "optional": true, "format": "dc+sd-jwt", "types": [ENROLMENT], "trust": ["test-issuers"],
        "claims": [{"id": "active", "path": ["enrolment", "active"]}],
    });
    let spec = json!({
        "title": "May open an account",
        "purposes": ["account-opening"],
        "evidence": [pid_evidence(), student],
        "rule": {"all": [
            {"claim": "pid.birthdate", "age": {"atLeast": 18}},
            {"any": [
                {"claim": "pid.country", "in": ["DE", "FR", "NL"]},
                {"all": [
                    {"claim": "student.active", "equals": true},
                    {"issuedWithin": {"evidence": "student", "duration": "4320h"}},
                ]},
            ]},
            {"not": {"claim": "pid.country", "in": ["XX"]}},
        ]},
        "disclose": ["pid.country"],
    });
    object("Policy", tenant, "account-opening", &spec)
}
