//! Validate: from what the manifests say to values that can be built from without failing.
//!
//! Nothing here reads a file or a clock; every fault is collected, not only the first. An object
//! whose shape is wrong still counts as being there, so that one fault does not cause ten.

mod acceptance;
mod certificates;
mod keys;
mod metadata;
mod policies;
mod relying_parties;
mod residency;
mod tenants;
mod trust_anchors;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pavilion_bundle::{Authentication, HostName, Lifetimes, ObjectName, TenantName};
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::{
    Kind,
    admission::{Fault, Violation, judge},
};
use pavilion_json::Digest;
use pavilion_policy::{Obligations, Policy};
use pavilion_proofs::TrustAnchor;
use serde_json::Value;
use url::Url;

pub use acceptance::refused_by_data_plane;
pub use certificates::{CertificateError, ServerCertificate};
pub use residency::outside_its_residency;

use crate::{
    manifests::{ManifestSet, NamedFiles, Object},
    object_key::ObjectKey,
    records::Records,
    refusal::Refusal,
};

/// A set that holds together.
#[derive(Clone, Debug, Default)]
pub struct ValidSet {
    /// By name.
    pub tenants: BTreeMap<TenantName, ValidTenant>,
    /// Every object with its defaults filled in.
    pub objects: BTreeMap<ObjectKey, Value>,
}

/// One tenant with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct ValidTenant {
    /// Where its data plane runs.
    pub home_region: String,
    /// Where it is reached; the first names it.
    pub hosts: Vec<HostName>,
    /// `https://` and the first host.
    pub origin: Url,
    /// Its own certificate, where it has one.
    pub certificate: Option<OwnCertificate>,
    /// Age at which a new signing key takes over, in seconds.
    pub rotate_every_seconds: u64,
    /// How long the old key stays published, in seconds.
    pub overlap_seconds: u64,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Whether its requests are refused.
    pub suspend: bool,
    /// Whether its programs are stopped.
    pub hibernate: bool,
    /// What belongs to it.
    pub belongings: Belongings,
}

/// A certificate that a tenant brings.
#[derive(Clone, Debug)]
pub enum OwnCertificate {
    /// From files; one that is unchanged is here also after its end.
    Files(ServerCertificate),
    /// From a Secret, which may be any at any time.
    InSecret,
}

/// The objects in a tenant's namespace.
#[derive(Clone, Debug, Default)]
pub struct Belongings {
    /// Its policies, with their digests.
    pub policies: BTreeMap<ObjectName, (Policy, Digest)>,
    /// Whom it believes.
    pub trust_anchors: BTreeMap<ObjectName, TrustAnchor>,
    /// Who may ask.
    pub relying_parties: BTreeMap<ObjectName, ValidRelyingParty>,
}

/// One relying party.
#[derive(Clone, Debug)]
pub struct ValidRelyingParty {
    /// The audience of its answers.
    pub audience: String,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// What it is registered for.
    pub purposes: Vec<String>,
    /// What it may ask.
    pub policies: Vec<ObjectName>,
    /// What its answers are limited to.
    pub obligations: Obligations,
}

/// Checks a whole set against itself, the objects in force before, and the clock.
///
/// # Errors
/// Every fault, in the order of files and lines.
pub fn validate(
    set: &ManifestSet,
    records: &Records,
    now: Timestamp,
) -> Result<ValidSet, Vec<Refusal>> {
    let mut check = Check::new(set, records, now);
    check.shapes();
    let valid = check.contents();
    let mut refusals = check.refusals;
    if refusals.is_empty() {
        return Ok(valid);
    }
    refusals.sort_by(|one, other| {
        (&one.file, one.line, &one.field).cmp(&(&other.file, other.line, &other.field))
    });
    Err(refusals)
}

/// A folder without a single object, while tenants are in force: a lost mount or a truncated file
/// looks like that, and so does an order to take everything off the air.
pub fn emptied(set: &ManifestSet, records: &Records) -> Option<Refusal> {
    let nothing = set.objects.is_empty() && set.refusals.is_empty();
    let in_force = records.objects.iter().any(|(key, record)| {
        key.kind == Kind::Tenant && record.accepted.is_some() && !record.deleted
    });
    (nothing && in_force).then(|| {
        let message = "there is no object in any manifest, and tenants are in force";
        Refusal::of_file("", &manifest::SET_EMPTY, message)
    })
}

/// The work of one validation.
struct Check<'a> {
    set: &'a ManifestSet,
    records: &'a Records,
    now: Timestamp,
    /// What there is, whether or not it is right.
    present: BTreeSet<&'a ObjectKey>,
    /// What has the right shape, with defaults.
    shaped: Vec<(&'a Object, Value)>,
    refusals: Vec<Refusal>,
}

impl<'a> Check<'a> {
    fn new(set: &'a ManifestSet, records: &'a Records, now: Timestamp) -> Self {
        Self {
            set,
            records,
            now,
            present: set.objects.iter().map(|object| &object.key).collect(),
            shaped: Vec::new(),
            refusals: set.refusals.clone(),
        }
    }

    /// The file that `field` names, as `read` takes it, or a refusal that says why not.
    fn file<T: ?Sized>(
        &mut self,
        object: &Object,
        field: &str,
        name: &str,
        read: fn(&'a NamedFiles, &str) -> Result<&'a T, &'a str>,
    ) -> Option<&'a T> {
        let found = read(&self.set.files, name);
        let refuse = |why| {
            let message = format!("{name} {why}");
            self.refuse(object, field, &manifest::FILE_UNREADABLE, message);
        };
        found.map_err(refuse).ok()
    }

    fn refuse(
        &mut self,
        object: &Object,
        field: &str,
        entry: &'static Entry,
        message: impl Into<String>,
    ) {
        self.refusals.push(object.refuse(field, entry, message));
    }

    /// Names, duplicates, and the schema and rules of each kind.
    fn shapes(&mut self) {
        let mut first: BTreeMap<&ObjectKey, &Object> = BTreeMap::new();
        for object in &self.set.objects {
            if let Some(other) = first.insert(&object.key, object) {
                let place = &other.source;
                let message = format!(
                    "stands also in {} (document {})",
                    place.file, place.document
                );
                self.refuse(
                    object,
                    "metadata.name",
                    &manifest::DUPLICATE_OBJECT,
                    message,
                );
                continue;
            }
            let before = self.refusals.len();
            metadata::check(self, object);
            match judge(
                object.key.kind,
                &object.value,
                self.records.accepted(&object.key),
            ) {
                Ok(value) if self.refusals.len() == before => self.shaped.push((object, value)),
                Ok(_) => {}
                Err(violations) => {
                    let refused = violations
                        .into_iter()
                        .map(|violation| refusal(object, violation));
                    self.refusals.extend(refused);
                }
            }
        }
    }

    /// What the objects mean, tenant by tenant.
    fn contents(&mut self) -> ValidSet {
        let mut valid = ValidSet::default();
        let shaped = std::mem::take(&mut self.shaped);
        tenants::hosts(self, &shaped);
        for (object, value) in of_kind(&shaped, Kind::Tenant) {
            if let Some((name, tenant)) = tenants::read(self, object, value) {
                valid.tenants.insert(name, tenant);
            }
        }
        let anchors = lists(&shaped, Kind::TrustAnchor, "credentialTypes");
        let purposes = lists(&shaped, Kind::Policy, "purposes");
        for (object, value) in &shaped {
            let tenant = object
                .key
                .tenant_name()
                .and_then(|name| valid.tenants.get_mut(name))
                .map(|tenant| &mut tenant.belongings);
            // A tenant that is itself wrong has a fault of its own already; its objects are still read.
            let mut unplaced = Belongings::default();
            let tenant = tenant.unwrap_or(&mut unplaced);
            match object.key.kind {
                Kind::Region | Kind::Plan | Kind::Tenant => {}
                Kind::TrustAnchor => trust_anchors::read(self, object, value, tenant),
                Kind::Policy => policies::read(self, object, value, &anchors, tenant),
                Kind::RelyingParty => {
                    relying_parties::read(self, object, value, &purposes, tenant);
                }
            }
        }
        valid.objects = shaped
            .into_iter()
            .map(|(object, value)| (object.key.clone(), value))
            .collect();
        valid
    }

    /// Whether the object is there, or may be in a manifest that could not be read: that one has a
    /// fault of its own, and what refers into it is not at fault.
    fn may_have(&self, key: &ObjectKey) -> bool {
        self.present.contains(key) || !self.set.refusals.is_empty()
    }

    /// Refuses the names in `list` (at `field`) that no object of `kind` beside `object` has.
    fn references(&mut self, object: &Object, field: &str, kind: Kind, list: &Value) {
        for (index, name) in texts(list).into_iter().enumerate() {
            let key = ObjectKey {
                kind,
                namespace: object.key.namespace.clone(),
                name: name.to_owned(),
            };
            if !self.may_have(&key) {
                let message = format!(
                    "there is no {} {name} in {}",
                    kind.name(),
                    object.key.namespace.as_deref().unwrap_or_default()
                );
                let field = format!("{field}[{index}]");
                self.refuse(object, &field, &manifest::REFERENCE_DANGLING, message);
            }
        }
    }
}

type Shaped<'a> = (&'a Object, Value);

fn of_kind<'a, 'b>(
    shaped: &'b [Shaped<'a>],
    kind: Kind,
) -> impl Iterator<Item = (&'a Object, &'b Value)> {
    shaped
        .iter()
        .filter(move |(object, _)| object.key.kind == kind)
        .map(|(object, value)| (*object, value))
}

/// What stands in a list of the spec, by object.
fn lists(shaped: &[Shaped<'_>], kind: Kind, field: &str) -> BTreeMap<ObjectKey, BTreeSet<String>> {
    of_kind(shaped, kind)
        .map(|(object, value)| {
            let listed = texts(&value["spec"][field]);
            let listed = listed.into_iter().map(str::to_owned).collect();
            (object.key.clone(), listed)
        })
        .collect()
}

fn refusal(object: &Object, violation: Violation) -> Refusal {
    let entry = match violation.fault {
        Fault::UnknownField => &manifest::FIELD_UNKNOWN,
        Fault::Duplicate if violation.path.starts_with("spec.ingress.hosts") => {
            &manifest::HOST_DUPLICATE
        }
        Fault::Rule if is_lifetime(&violation.path) => &manifest::LIFETIME_INVALID,
        _ => &manifest::FIELD_INVALID,
    };
    object.refuse(violation.path, entry, violation.message)
}

fn is_lifetime(path: &str) -> bool {
    [
        "spec.signing",
        "spec.verification",
        "spec.obligations",
        "spec.status.maxAge",
    ]
    .iter()
    .any(|prefix| path.starts_with(prefix))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
