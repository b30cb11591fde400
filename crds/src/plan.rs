//! Plan: how much a tenant gets, as a class.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    amount::{Bytes, Cpu},
    conditions::Condition,
};

/// The Plan of a Tenant that names none.
pub const DEFAULT_PLAN: &str = "standard";

/// A class of tenants: how much each gets, how important its pod is, and what it runs in. What a Plan says
/// nothing of is as in the chart's plan `standard`.
#[derive(
    CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize,
)]
#[kube(
    group = "pavilion.dev",
    version = "v1alpha1",
    kind = "Plan",
    plural = "plans",
    shortname = "pplan",
    category = "pavilion",
    status = "PlanStatus",
    derive = "PartialEq",
    doc = "A class of tenants: how much each gets, how important its pod is, and what it runs in.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("the name is what Tenants write in spec.plan: at most 63 of a-z, 0-9 and -"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type=='Accepted')].status"),
    printcolumn(name = "Priority", type_ = "string", json_path = ".spec.priorityClassName"),
    printcolumn(name = "Runtime", type_ = "string", json_path = ".spec.runtimeClassName"),
    printcolumn(name = "Log", type_ = "string", json_path = ".spec.storage.log"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.trustRoot.issuerRef.name", priority = "1"),
    printcolumn(name = "Tenants", type_ = "integer", json_path = ".status.tenants"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Accepted')].reason", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PlanSpec {
    /// Of each program of a tenant. The quota and the limits of its namespace follow from it.
    #[serde(default)]
    pub programs: Programs,
    /// Of the volumes that are made for a tenant.
    #[serde(default)]
    pub storage: Storage,
    /// The PriorityClass of tenants' pods, which must be there. The cluster's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub priority_class_name: Option<String>,
    /// The RuntimeClass that tenants' pods run in, which must be there. The cluster's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub runtime_class_name: Option<String>,
    /// Where the authority of each tenant comes from, whose certificates its programs, the edge and its hosts show.
    /// Made by the operator when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_root: Option<TrustRoot>,
}

/// Where the authority of a tenant comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustRoot {
    /// The issuer of cert-manager that vouches for it.
    pub issuer_ref: IssuerRef,
}

/// An issuer of cert-manager, as its Certificates name one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.group != 'cert-manager.io' || self.kind in ['ClusterIssuer', 'Issuer']")
        .message("the kinds of cert-manager.io are ClusterIssuer and Issuer; name the group of any other")
        .field_path(".kind")
)]
pub struct IssuerRef {
    /// Its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
    /// `ClusterIssuer`, or `Issuer` for one of the operator's namespace. Default `ClusterIssuer`.
    #[serde(default = "IssuerRef::cluster_issuer")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// The API group of that kind. Default `cert-manager.io`.
    #[serde(default = "IssuerRef::cert_manager")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub group: String,
}

/// How much each program gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Programs {
    /// Answers relying parties. Default: 100m to 2 processors, 64Mi to 512Mi.
    #[serde(default = "Programs::verifier")]
    pub verifier: Resources,
    /// Holds the keys. Default: 50m to 1 processor, 32Mi to 128Mi.
    #[serde(default = "Programs::signer")]
    pub signer: Resources,
    /// Holds the log. Default: 50m to 1 processor, 48Mi to 256Mi.
    #[serde(default = "Programs::auditor")]
    pub auditor: Resources,
}

/// How much one program gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("quantity(self.requests.cpu).compareTo(quantity(self.limits.cpu)) <= 0 && quantity(self.requests.memory).compareTo(quantity(self.limits.memory)) <= 0")
        .message("what is promised (requests) may not be more than the most that may be taken (limits)")
)]
pub struct Resources {
    /// What it is promised.
    pub requests: Share,
    /// The most that it may take.
    pub limits: Share,
}

/// Processor time and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Processors, like `2`, or thousandths of one, like `250m`.
    pub cpu: Cpu,
    /// Memory, like `64Mi` or `2Gi`.
    pub memory: Bytes,
}

/// How large the volumes are that are made for a tenant. They keep the size that they were made with; more
/// may be claimed later, up to what the tenant's plan says by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Of the log, which grows with each answer. Default `8Gi`.
    #[serde(default = "Storage::log")]
    pub log: Bytes,
    /// Of short-lived state. Default `1Gi`.
    #[serde(default = "Storage::state")]
    pub state: Bytes,
}

impl Share {
    /// Of thousandths of a processor, and of mebibytes.
    pub const fn of(millis: u64, mebi: u64) -> Self {
        Self {
            cpu: Cpu::millis(millis),
            memory: Bytes::mebi(mebi),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.and(other.cpu),
            memory: self.memory.and(other.memory),
        }
    }

    /// Twice, three times as much.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self {
            cpu: self.cpu.times(count),
            memory: self.memory.times(count),
        }
    }
}

impl Programs {
    fn verifier() -> Resources {
        Resources {
            requests: Share::of(100, 64),
            limits: Share::of(2_000, 512),
        }
    }

    fn signer() -> Resources {
        Resources {
            requests: Share::of(50, 32),
            limits: Share::of(1_000, 128),
        }
    }

    fn auditor() -> Resources {
        Resources {
            requests: Share::of(50, 48),
            limits: Share::of(1_000, 256),
        }
    }

    /// Of all three.
    pub const fn each(&self) -> [Resources; 3] {
        [self.verifier, self.signer, self.auditor]
    }
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            verifier: Self::verifier(),
            signer: Self::signer(),
            auditor: Self::auditor(),
        }
    }
}

impl IssuerRef {
    fn cluster_issuer() -> String {
        "ClusterIssuer".to_owned()
    }

    fn cert_manager() -> String {
        "cert-manager.io".to_owned()
    }
}

impl std::fmt::Display for IssuerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} {}", self.kind, self.group, self.name)
    }
}

impl Storage {
    fn log() -> Bytes {
        Bytes::mebi(8 * 1024)
    }

    fn state() -> Bytes {
        Bytes::mebi(1024)
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            log: Self::log(),
            state: Self::state(),
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// The generation this status was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// `Accepted`, `Ready`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// How many Tenants name it; only in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub tenants: Option<i64>,
}
