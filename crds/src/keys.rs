//! Public keys and authorities, written into a manifest or named by file.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON Web Key Set (RFC 7517) of public keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonWebKeys {
    /// The keys, 1 to 32; private members are refused.
    #[schemars(length(min = 1, max = 32), schema_with = "free_objects")]
    pub keys: Vec<Value>,
}

/// Certificate authorities, inline or by file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.caBundle) != has(self.caBundleFile)")
        .message("give the authorities either as caBundle or as caBundleFile")
)]
pub struct CertificateAuthorities {
    /// PEM certificates, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,
    /// A file of PEM certificates; a relative path starts at the manifest's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub ca_bundle_file: Option<String>,
    /// DNS names, one of which the leaf must carry as a subject alternative name, 1 to 32; `*.` may
    /// stand for one label at the left.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 253), regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub san_dns: Vec<String>,
}

fn free_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 32,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}
