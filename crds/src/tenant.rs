//! Tenant: who runs verifications here.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions::Condition, duration::GoDuration, phase::TenantPhase, plan::DEFAULT_PLAN,
    region::Residency,
};

/// A tenant: an organisation that runs verifications, isolated from all others. Its other objects
/// live in the namespace `pavilion-<name>`.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pavilion.dev",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    shortname = "ptenant",
    category = "pavilion",
    status = "TenantStatus",
    derive = "PartialEq",
    doc = "An organisation that runs verifications, isolated from all others. Its other objects live in the namespace pavilion-<name>.",
    validation = Rule::new("self.metadata.name.size() <= 54")
        .message("the name may have at most 54 characters, because pavilion-<name> names the namespace"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.regions[0]"),
    printcolumn(name = "Isolation", type_ = "string", json_path = ".status.conditions[?(@.type=='IsolationVerified')].status"),
    printcolumn(name = "Policies", type_ = "string", json_path = ".status.policies"),
    printcolumn(name = "Served", type_ = "string", json_path = ".status.bundle"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".spec.plan", priority = "1"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.regions[0] == oldSelf.regions[0]")
        .message("the home region cannot change: the tenant's log and keys rest there")
        .field_path(".regions"),
    validation = Rule::new("duration(self.signing.overlap) >= duration(self.verification.answerTimeToLive)")
        .message("signing.overlap must be at least verification.answerTimeToLive, or answers would outlive the key they are checked with")
        .field_path(".signing.overlap")
)]
pub struct TenantSpec {
    /// The only places where anything of this tenant runs or rests; the first is home. In this release
    /// exactly one: a data plane is not spread over regions yet.
    #[schemars(
        length(min = 1, max = 1),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub regions: Vec<String>,
    /// What the law of these places must be. A region that is otherwise is not used. Any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// How much it gets: the name of a Plan. Default `standard`. On one host it has no effect.
    #[serde(default = "TenantSpec::plan")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub plan: String,
    /// Where relying parties reach the tenant.
    pub ingress: Ingress,
    /// The key that signs answers.
    #[serde(default)]
    pub signing: Signing,
    /// How long verifications, results, answers and tokens live.
    #[serde(default)]
    pub verification: Verification,
    /// Refuse every request at the edge, with 503 `tenant_suspended`; the programs run on, so that the end of it
    /// takes effect at once. Default `false`.
    #[serde(default)]
    pub suspend: bool,
    /// Stop the tenant's programs and refuse every request at the edge, with 503 `tenant_hibernated`; keys, log and
    /// state stay, and `false` starts the programs again. Default `false`.
    #[serde(default)]
    pub hibernate: bool,
    /// What becomes of the tenant's keys, log and namespace in a cluster when the Tenant is deleted. Default
    /// `Protect`. On one host they stay, whatever this says.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What deleting a Tenant does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It is not deleted: it goes on to serve until this field says otherwise.
    #[default]
    Protect,
    /// Its programs stop; its namespace stays, with keys and log, and a Tenant of the same name takes it up.
    Retain,
    /// Its keys are destroyed and its namespace is deleted with everything in it. The last checkpoint of its log
    /// is kept beside the operator.
    Delete,
}

/// Where relying parties reach the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Host names, 1 to 16, unique over all tenants; the first is the issuer of answers.
    #[schemars(
        length(min = 1, max = 16),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$")
        ),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub hosts: Vec<String>,
    /// The tenant's own certificate. Without it one is made from the tenant's own trust root, valid
    /// for 90 days and renewed after 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// The Secret in a tenant's namespace that holds the certificate of its hosts: the only one there, beside its own, that
/// the operator may read.
pub const TLS_SECRET: &str = "pavilion-tls";

/// A server certificate: in a cluster by Secret, on one host by files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.certificateFile) == has(self.keyFile) && has(self.secretName) != has(self.keyFile)")
        .message("give secretName in a cluster, or certificateFile and keyFile on one host"),
    validation = Rule::new("!has(self.secretName) || self.secretName == 'pavilion-tls'")
        .message("must be pavilion-tls: of a tenant's Secrets the operator may read the one of this name alone, beside its own")
        .field_path(".secretName")
)]
pub struct Tls {
    /// A Secret of the type `kubernetes.io/tls` in the tenant's namespace, as cert-manager and people make it: `tls.crt`
    /// is the PEM chain, leaf first, `tls.key` its PEM private key. Its name is `pavilion-tls`. Only in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
    /// PEM chain, leaf first; a relative path starts at the manifest's folder. Only on one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub certificate_file: Option<String>,
    /// PEM private key (PKCS#8); a relative path starts at the manifest's folder. Only on one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub key_file: Option<String>,
}

/// The key that signs answers (ES256, in the token of the tenant).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("duration(self.overlap) < duration(self.rotateEvery)")
        .message("overlap must be shorter than rotateEvery")
        .field_path(".overlap")
)]
pub struct Signing {
    /// Age at which a new key takes over, 1h to 26280h (three years). Default `2160h` (90 days).
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('1h') && duration(self) <= duration('26280h')")
            .message("must be between 1h and 26280h")
    )]
    #[serde(default = "Signing::rotate_every")]
    pub rotate_every: GoDuration,
    /// How long the old key stays in the JWKS after that, 1m to 8760h. Default `168h` (7 days).
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('8760h')")
            .message("must be between 1m and 8760h")
    )]
    #[serde(default = "Signing::overlap")]
    pub overlap: GoDuration,
}

/// How long things live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// From the question until evidence must have come, 10s to 24h. Default `10m`.
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('24h')")
            .message("must be between 10s and 24h")
    )]
    #[serde(default = "Verification::time_to_live")]
    pub time_to_live: GoDuration,
    /// How long a finished verification can be read back, 10s to 24h; after it only content-free
    /// evidence remains. Default `15m`.
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('24h')")
            .message("must be between 10s and 24h")
    )]
    #[serde(default = "Verification::keep_result")]
    pub keep_result: GoDuration,
    /// From `iat` to `exp` of an answer, 10s to 168h. Default `10m`.
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('168h')")
            .message("must be between 10s and 168h")
    )]
    #[serde(default = "Verification::answer_time_to_live")]
    pub answer_time_to_live: GoDuration,
    /// From issue to expiry of an access token, 10s to 1h. Default `5m`.
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('1h')")
            .message("must be between 10s and 1h")
    )]
    #[serde(default = "Verification::token_time_to_live")]
    pub token_time_to_live: GoDuration,
    /// Allowed difference between clocks when times in credentials and assertions are judged, 0s to
    /// 5m. Default `30s`.
    #[x_kube(
        validation = Rule::new("duration(self) <= duration('5m')").message("must be at most 5m")
    )]
    #[serde(default = "Verification::clock_leeway")]
    pub clock_leeway: GoDuration,
}

impl TenantSpec {
    fn plan() -> String {
        DEFAULT_PLAN.to_owned()
    }
}

impl Signing {
    fn rotate_every() -> GoDuration {
        GoDuration::hours(2160)
    }

    fn overlap() -> GoDuration {
        GoDuration::hours(168)
    }
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            rotate_every: Self::rotate_every(),
            overlap: Self::overlap(),
        }
    }
}

impl Verification {
    fn time_to_live() -> GoDuration {
        GoDuration::minutes(10)
    }

    fn keep_result() -> GoDuration {
        GoDuration::minutes(15)
    }

    fn answer_time_to_live() -> GoDuration {
        GoDuration::minutes(10)
    }

    fn token_time_to_live() -> GoDuration {
        GoDuration::minutes(5)
    }

    fn clock_leeway() -> GoDuration {
        GoDuration::seconds(30)
    }
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            time_to_live: Self::time_to_live(),
            keep_result: Self::keep_result(),
            answer_time_to_live: Self::answer_time_to_live(),
            token_time_to_live: Self::token_time_to_live(),
            clock_leeway: Self::clock_leeway(),
        }
    }
}

/// What the tenant's data plane reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The generation this status was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// The conditions in one word, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TenantPhase>,
    /// `Accepted`, `Programmed`, `PoliciesReady`, `CertificateValid`, `Suspended`, `Ready`; in a cluster also
    /// `Placed`, `IsolationApplied` and, once it is deleted, `Terminating`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// The region this data plane runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub region: Option<String>,
    /// Where the edge of that region is: the hosts of the tenant are to lead there. In a cluster, when its Region
    /// says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 270))]
    pub endpoint: Option<String>,
    /// The issuer of answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub issuer: Option<String>,
    /// Policies serving of policies there are, for example `2/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub policies: Option<String>,
    /// The first characters of the digest that is served, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub bundle: Option<String>,
    /// The bundle the data plane says it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedBundle>,
    /// The bundle the data plane refused, until it serves a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedBundle>,
    /// The tenant's programs.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub data_plane: Vec<ChildStatus>,
}

/// A bundle in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServedBundle {
    /// Its version.
    #[schemars(range(min = 0))]
    pub version: i64,
    /// `sha-256:<hex>` of its canonical JSON.
    #[schemars(length(max = 80))]
    pub digest: String,
}

/// A bundle that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedBundle {
    /// `sha-256:<hex>` of its canonical JSON.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Why, in the data plane's words.
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// One program of the data plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildStatus {
    /// `verifier`, `signer` or `auditor`.
    #[schemars(length(max = 32))]
    pub name: String,
    /// Whether it says it is ready.
    pub ready: bool,
    /// Its own words when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// How often it was started again since the operator started.
    #[schemars(range(min = 0))]
    pub restarts: i64,
}
