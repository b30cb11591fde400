//! One status document: an object as `kubectl get -o json` would show it, without its spec.

use std::fmt;

use pavilion_crds::{ChildStatus, Condition, ConditionStatus, NAMESPACE_PREFIX};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A status document. Members that this version does not know are kept and shown.
pub struct Document {
    value: Value,
    conditions: Vec<Condition>,
}

/// One fault in a manifest.
#[derive(Deserialize)]
pub struct Fault {
    file: String,
    line: Option<u64>,
    #[serde(default)]
    field: String,
    code: String,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        write!(f, ": {} [{}]", self.message, self.code)
    }
}

/// Documents as a Kubernetes list.
#[derive(Serialize)]
pub struct List<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    items: Vec<&'a Value>,
}

impl<'a> List<'a> {
    /// The list of these documents.
    pub fn of(documents: &'a [Document]) -> Self {
        Self {
            api_version: "v1",
            kind: "List",
            items: documents.iter().map(|document| &document.value).collect(),
        }
    }
}

/// Whether a condition is as it should be. Most should hold; these should not.
pub fn is_good(condition: &Condition) -> bool {
    let should_not = ["Suspended", "Terminating"].contains(&condition.type_.as_str());
    match condition.status {
        ConditionStatus::True => !should_not,
        ConditionStatus::False => should_not,
        ConditionStatus::Unknown => false,
    }
}

/// Whether it says only that nobody watches.
pub fn is_unwatched(condition: &Condition) -> bool {
    condition.reason == pavilion_catalogue::manifest::OPERATOR_STOPPED.code
}

impl Document {
    /// Reads the conditions; those of another form are left out rather than guessed at.
    pub fn new(value: Value) -> Self {
        let listed = value["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten();
        let conditions = listed
            .filter_map(|condition| serde_json::from_value(condition.clone()).ok())
            .collect();
        Self { value, conditions }
    }

    /// Nobody watches the object: what only watching makes true is unknown.
    pub fn forget(&mut self, why: &str) {
        let code = pavilion_catalogue::manifest::OPERATOR_STOPPED.code;
        pavilion_crds::forget(&mut self.value, code, why);
        *self = Self::new(std::mem::take(&mut self.value));
    }

    /// A text member of `metadata` or `status`, by JSON pointer.
    pub fn text(&self, pointer: &str) -> &str {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A number of `metadata` or `status`, by JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.value.pointer(pointer).and_then(Value::as_i64)
    }

    /// Every condition, as it stands.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The programs of a tenant.
    pub fn programs(&self) -> Vec<ChildStatus> {
        let listed = self.value["status"]["dataPlane"].as_array();
        let read = |program: &Value| serde_json::from_value(program.clone()).ok();
        listed.into_iter().flatten().filter_map(read).collect()
    }

    /// Its kind, `Tenant` for example.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Whether it is a tenant.
    pub fn is_tenant(&self) -> bool {
        self.kind() == "Tenant"
    }

    /// The tenant that it is or that it belongs to.
    pub fn tenant(&self) -> Option<&str> {
        if self.is_tenant() {
            Some(self.name())
        } else {
            self.text("/metadata/namespace")
                .strip_prefix(NAMESPACE_PREFIX)
        }
    }

    /// Whether it is this tenant or belongs to it.
    pub fn belongs_to(&self, tenant: &str) -> bool {
        self.tenant() == Some(tenant)
    }

    /// Whether a condition of this type holds.
    pub fn holds(&self, type_: &str) -> bool {
        self.condition(type_)
            .is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// One condition by its type.
    pub fn condition(&self, name: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.type_ == name)
    }

    /// Whether the object can be relied on: `Ready`, or `Accepted` where there is no `Ready`, is true.
    pub fn is_ready(&self) -> bool {
        let decisive = self
            .condition("Ready")
            .or_else(|| self.condition("Accepted"));
        decisive.is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// The conditions that keep it from being ready, the summary left out where others say more.
    pub fn obstacles(&self) -> Vec<&Condition> {
        let listed = self
            .conditions
            .iter()
            .filter(|condition| !is_unwatched(condition));
        let all: Vec<&Condition> = listed.filter(|condition| !is_good(condition)).collect();
        let causes: Vec<&Condition> = all
            .iter()
            .copied()
            .filter(|condition| condition.type_ != "Ready")
            .collect();
        if causes.is_empty() { all } else { causes }
    }

    /// Whether there is nothing to say of it but that no operator runs, which is said once.
    pub fn is_merely_unwatched(&self) -> bool {
        self.conditions.iter().any(is_unwatched)
            && self.obstacles().is_empty()
            && self.faults().is_empty()
    }

    /// Faults in manifests, where the document is the operator's: place, field, reason.
    pub fn faults(&self) -> Vec<Fault> {
        let listed = self
            .value
            .pointer("/status/manifests/refusals")
            .and_then(Value::as_array);
        let read = |fault: &Value| serde_json::from_value(fault.clone()).ok();
        listed.into_iter().flatten().filter_map(read).collect()
    }

    /// The first reason that there is more to say about.
    pub fn first_reason(&self) -> Option<String> {
        if self.is_ready() {
            return None;
        }
        let fault = self.faults().into_iter().map(|fault| fault.code);
        let conditions = self
            .obstacles()
            .into_iter()
            .map(|condition| condition.reason.clone());
        fault
            .chain(conditions)
            .find(|code| pavilion_catalogue::find(code).is_some())
    }

    /// Tenants first, then by tenant, kind and name.
    pub fn order(&self) -> (bool, String, String, String) {
        let tenant = self.tenant().unwrap_or_default().to_owned();
        (
            !self.is_tenant(),
            tenant,
            self.kind().to_owned(),
            self.name().to_owned(),
        )
    }
}
