//! The objects of our kinds as the API server has them, by tenant.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{
    core::{ApiResource, DynamicObject, ObjectMeta},
    runtime::{
        reflector::{Store, store::Writer},
        watcher::Event,
    },
};
use pavilion_crds::{GROUP, Kind};
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    belongings::{Belongings, Kept, Outcome},
    bounds::within_bounds,
    claims::Claims,
    judge::{plan_of, region},
    triggers::Triggers,
    watching::{News, Place, version},
    wide::Said,
};
use crate::object_key::ObjectKey;

/// A kind of ours as the API serves it. Objects are taken as they are, not as our types: one that
/// does not fit its schema is then a fault of that object and no end of the watch.
pub fn resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: pavilion_crds::API_VERSION.to_owned(),
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

/// What tenants consist of.
#[derive(Default)]
struct Tenants {
    belongings: HashMap<String, Belongings>,
    claims: Claims,
}

/// All objects of our kinds.
pub struct Objects {
    by_tenant: Mutex<Tenants>,
    /// The Tenants once more, as a controller takes them: by name alone.
    tenants: Mutex<Writer<DynamicObject>>,
    /// What no tenant has.
    wide: Mutex<Kept>,
    said: Said,
    /// Something is new of what no tenant has, or of what it counts.
    wide_changed: Notify,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            by_tenant: Mutex::default(),
            tenants: Mutex::new(Writer::new(resource(Kind::Tenant))),
            wide: Mutex::default(),
            said: Said::default(),
            wide_changed: Notify::new(),
        }
    }
}

impl Objects {
    /// Everything of one tenant that there is room for, itself among it.
    pub fn of(&self, tenant: &str) -> Kept {
        let all = self.lock();
        let belongings = all.belongings.get(tenant);
        belongings.map_or_else(Kept::default, |all| all.kept().clone())
    }

    /// How many objects of a tenant there is no room for.
    pub fn beyond(&self, tenant: &str) -> usize {
        let all = self.lock();
        all.belongings.get(tenant).map_or(0, Belongings::beyond)
    }

    /// Those among them that there is room for by now.
    pub fn unread(&self, tenant: &str) -> Vec<ObjectKey> {
        let all = self.lock();
        let belongings = all.belongings.get(tenant);
        belongings.map_or_else(Vec::new, Belongings::unread)
    }

    /// Takes note of such an object that was read.
    pub fn read(&self, kind: Kind, object: DynamicObject) {
        self.keep(kind, object);
    }

    /// One Tenant.
    pub fn tenant(&self, name: &str) -> Option<Arc<DynamicObject>> {
        let all = self.lock();
        let belongings = all.belongings.get(name)?;
        belongings.kept().get(&ObjectKey::tenant(name)).cloned()
    }

    /// The Tenants that want any of these hosts.
    pub fn claimants<'a>(&self, hosts: impl Iterator<Item = &'a str>) -> Vec<Arc<DynamicObject>> {
        let names = self.lock().claims.of(hosts);
        names.iter().filter_map(|name| self.tenant(name)).collect()
    }

    /// Every Tenant.
    pub fn tenants(&self) -> Vec<Arc<DynamicObject>> {
        let all = self.lock();
        let tenants = all.belongings.iter().filter_map(|(name, belongings)| {
            let own = ObjectKey::tenant(name.as_str());
            belongings.kept().get(&own).cloned()
        });
        tenants.collect()
    }

    /// The Tenants, as a controller takes them.
    pub fn store(&self) -> Store<DynamicObject> {
        self.writer().as_reader()
    }

    /// Everything that no tenant has.
    pub fn wide(&self) -> Kept {
        self.lock_wide().clone()
    }

    /// One object that no tenant has.
    pub fn wide_one(&self, key: &ObjectKey) -> Option<Arc<DynamicObject>> {
        self.lock_wide().get(key).cloned()
    }

    /// What these say.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Completes when something is new of what no tenant has, or of what it counts.
    pub async fn wide_changed(&self) {
        self.wide_changed.notified().await;
    }

    /// The cluster is other than before in something that everybody goes by: everybody is looked at.
    pub fn concerns_everybody(&self, triggers: &Triggers) {
        self.wide_changed.notify_one();
        for tenant in self.tenants() {
            triggers.name(tenant.metadata.name.as_deref().unwrap_or_default());
        }
    }

    /// Takes note of what the watch of one kind tells.
    pub fn hear(&self, kind: Kind, news: News, triggers: &Triggers) {
        match news {
            News::Seen(object) => self.see(kind, object, triggers),
            News::Gone(object) => {
                if kind == Kind::Tenant {
                    self.writer()
                        .apply_watcher_event(&Event::Delete(named(&object)));
                }
                self.forget(&key(kind, &object), triggers);
            }
            News::Listed(places) => self.keep_only(kind, &places, triggers),
        }
    }

    /// Takes note of an answer to our own write of a status, before the watch tells. Of an object that went or was
    /// made anew meanwhile it says nothing.
    pub fn written(&self, kind: Kind, object: DynamicObject) {
        let key = key(kind, &object);
        let known = match key.tenant_name() {
            Some(tenant) => self.of(tenant).remove(&key),
            None => self.wide_one(&key),
        };
        if known.is_some_and(|known| known.metadata.uid == object.metadata.uid) {
            self.keep(kind, object);
        }
    }

    /// A change of what somebody wants; what only the status of an object says is none.
    fn see(&self, kind: Kind, object: DynamicObject, triggers: &Triggers) {
        let key = key(kind, &object);
        if is_wide(kind) {
            let before = self.wide_one(&key);
            let said = before.is_none_or(|before| is_said_anew(&before, &object));
            self.keep(kind, object);
            if said {
                tell(triggers, None, self.concerned(&key));
            }
            return;
        }
        let rivals = self.rivals(&key);
        if self.keep(kind, object) {
            tell(triggers, key.tenant_name(), rivals);
        }
    }

    /// Whether it says something new. What is older than what is known does not: the answer to a write of ours may
    /// come after the watch has told of a later change.
    fn keep(&self, kind: Kind, mut object: DynamicObject) -> bool {
        // Of no use here. Who set which field is most of the object's size, and what is noted on it may be much more.
        object.metadata.managed_fields = None;
        object.metadata.annotations = None;
        object.metadata.labels = None;
        let (object, size) = within_bounds(kind, object);
        let key = key(kind, &object);
        let object = Arc::new(object);
        let before = if is_wide(kind) {
            let mut all = self.lock_wide();
            let known = all.get(&key);
            if known.is_some_and(|known| version(&known.metadata) > version(&object.metadata)) {
                return false;
            }
            all.insert(key, Arc::clone(&object))
        } else {
            let Some(tenant) = key.tenant_name().map(str::to_owned) else {
                return false;
            };
            let mut all = self.lock();
            let Tenants { belongings, claims } = &mut *all;
            let belongings = belongings.entry(tenant.clone()).or_default();
            let before = match belongings.keep(key, Arc::clone(&object), size) {
                Outcome::Older => return false,
                Outcome::Beyond(is_new) => return is_new,
                Outcome::Kept(before) => before,
            };
            if kind == Kind::Tenant {
                let wanted = before.iter().flat_map(|before| hosts(&before.data["spec"]));
                claims.change(&tenant, wanted, hosts(&object.data["spec"]));
                self.writer()
                    .apply_watcher_event(&Event::Apply(named(&object)));
            }
            before
        };
        let is_new = before.is_none_or(|before| is_other(&before, &object));
        if is_new && !kind.is_namespaced() {
            self.wide_changed.notify_one();
        }
        is_new
    }

    /// Whoever goes by an object that no tenant has.
    fn concerned(&self, key: &ObjectKey) -> Vec<String> {
        let mut tenants = self.tenants();
        tenants.retain(|tenant| match key.kind {
            Kind::Region => region(tenant) == key.name,
            Kind::Plan => plan_of(&tenant.data["spec"]) == key.name,
            _ => false,
        });
        let names = tenants
            .iter()
            .filter_map(|tenant| tenant.metadata.name.clone());
        names.collect()
    }

    /// Whoever wants a host that this Tenant has by now, and may get it when the Tenant changes or goes.
    fn rivals(&self, key: &ObjectKey) -> Vec<String> {
        if key.kind != Kind::Tenant {
            return Vec::new();
        }
        let Some(own) = self.tenant(&key.name) else {
            return Vec::new();
        };
        let mut rivals = self.lock().claims.of(hosts(&own.data["spec"]));
        rivals.remove(&key.name);
        rivals.into_iter().collect()
    }

    fn forget(&self, key: &ObjectKey, triggers: &Triggers) {
        if !key.kind.is_namespaced() {
            self.wide_changed.notify_one();
        }
        if is_wide(key.kind) {
            self.lock_wide().remove(key);
            return tell(triggers, None, self.concerned(key));
        }
        let Some(tenant) = key.tenant_name() else {
            return;
        };
        let rivals = self.rivals(key);
        let mut all = self.lock();
        let Some(belongings) = all.belongings.get_mut(tenant) else {
            return;
        };
        let before = belongings.remove(key);
        if belongings.is_empty() {
            all.belongings.remove(tenant);
        }
        if let Some(before) = before.filter(|_| key.kind == Kind::Tenant) {
            let wanted = hosts(&before.data["spec"]);
            all.claims.change(tenant, wanted, std::iter::empty());
        }
        drop(all);
        tell(triggers, Some(tenant), rivals);
    }

    /// What is not in a whole list is gone, and its going may have been missed.
    fn keep_only(&self, kind: Kind, places: &HashSet<Place>, triggers: &Triggers) {
        if kind == Kind::Tenant {
            self.list_tenants(places);
        }
        let mut known: Vec<ObjectKey> = self.lock_wide().keys().cloned().collect();
        {
            let all = self.lock();
            let belongings = all.belongings.values();
            known.extend(belongings.flat_map(Belongings::keys).cloned());
        }
        for key in known.iter().filter(|key| key.kind == kind) {
            if !places.contains(&(key.namespace.clone(), key.name.clone())) {
                self.forget(key, triggers);
            }
        }
    }

    /// The controller's copy is begun anew: it waits for a first whole list.
    fn list_tenants(&self, places: &HashSet<Place>) {
        let mut writer = self.writer();
        let tenants = writer.as_reader().state();
        writer.apply_watcher_event(&Event::Init);
        for tenant in tenants {
            let name = tenant.metadata.name.clone().unwrap_or_default();
            if places.contains(&(None, name)) {
                writer.apply_watcher_event(&Event::InitApply((*tenant).clone()));
            }
        }
        writer.apply_watcher_event(&Event::InitDone);
    }

    fn writer(&self) -> MutexGuard<'_, Writer<DynamicObject>> {
        // The library's own writer; it has no state between two calls.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_wide(&self) -> MutexGuard<'_, Kept> {
        // Every change is one call on a map, so a panic elsewhere leaves nothing half made.
        self.wide.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Tenants> {
        // Every change is made whole by one holder, and none of them panics in between.
        self.by_tenant
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much of a Tenant as a controller's queue needs.
fn named(tenant: &DynamicObject) -> DynamicObject {
    DynamicObject {
        types: None,
        metadata: ObjectMeta {
            name: tenant.metadata.name.clone(),
            resource_version: tenant.metadata.resource_version.clone(),
            ..ObjectMeta::default()
        },
        data: Value::Null,
    }
}

fn key(kind: Kind, object: &DynamicObject) -> ObjectKey {
    ObjectKey {
        kind,
        namespace: object.metadata.namespace.clone(),
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}

/// The hosts that the spec of a Tenant claims.
pub fn hosts(spec: &Value) -> impl Iterator<Item = &str> {
    let hosts = spec["ingress"]["hosts"].as_array();
    hosts.into_iter().flatten().filter_map(Value::as_str)
}

fn tell(triggers: &Triggers, tenant: Option<&str>, rivals: Vec<String>) {
    for name in tenant.into_iter().chain(rivals.iter().map(String::as_str)) {
        triggers.name(name);
    }
}

/// Whether no tenant has the objects of a kind.
fn is_wide(kind: Kind) -> bool {
    !kind.is_namespaced() && kind != Kind::Tenant
}

/// Whether its author says something else; what it is told is no matter here.
fn is_said_anew(before: &DynamicObject, now: &DynamicObject) -> bool {
    before.metadata.uid != now.metadata.uid || before.metadata.generation != now.metadata.generation
}

fn is_other(before: &DynamicObject, now: &DynamicObject) -> bool {
    let (one, other) = (&before.metadata, &now.metadata);
    one.uid != other.uid
        || one.generation != other.generation
        || one.deletion_timestamp != other.deletion_timestamp
        // Somebody else wrote our status: it is to be put right.
        || status_without_times(before) != status_without_times(now)
}

fn status_without_times(object: &DynamicObject) -> Value {
    let mut status = object.data["status"].clone();
    let conditions = status["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        if let Some(fields) = condition.as_object_mut() {
            fields.remove("lastTransitionTime");
        }
    }
    status
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::cluster::triggers::triggers;

    fn tenant(version: u64, uid: &str, deleted: bool) -> DynamicObject {
        let deleted = deleted.then_some("2026-06-01T12:00:00Z");
        let object = json!({
            "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant",
            "metadata": {
                "name": "acme", "uid": uid, "resourceVersion": version.to_string(),
                "deletionTimestamp": deleted,
            },
            "spec": {"regions": ["here"]},
        });
        serde_json::from_value(object).unwrap()
    }

    /// What is known of it, in both places.
    fn known(objects: &Objects) -> Vec<Option<String>> {
        let tenants = objects.tenants();
        assert_eq!(tenants.len(), objects.store().state().len());
        let stored = objects.store().state();
        let both = tenants.iter().chain(&stored);
        both.map(|tenant| tenant.metadata.resource_version.clone())
            .collect()
    }

    #[test]
    fn an_answer_that_comes_after_a_later_change_does_not_undo_it() {
        let (objects, (triggers, _told)) = (Objects::default(), triggers());
        objects.hear(
            Kind::Tenant,
            News::Seen(tenant(10, "one", false)),
            &triggers,
        );
        objects.hear(Kind::Tenant, News::Seen(tenant(12, "one", true)), &triggers);
        objects.written(Kind::Tenant, tenant(11, "one", false));
        let twelve = Some("12".to_owned());
        assert_eq!(known(&objects), [twelve.clone(), twelve]);
        assert!(objects.tenants()[0].metadata.deletion_timestamp.is_some());
    }

    #[test]
    fn an_answer_about_an_object_that_is_gone_brings_it_not_back() {
        let (objects, (triggers, _told)) = (Objects::default(), triggers());
        objects.hear(
            Kind::Tenant,
            News::Seen(tenant(10, "one", false)),
            &triggers,
        );
        objects.hear(Kind::Tenant, News::Gone(tenant(12, "one", true)), &triggers);
        objects.written(Kind::Tenant, tenant(11, "one", false));
        assert!(objects.tenants().is_empty());
        objects.hear(
            Kind::Tenant,
            News::Seen(tenant(13, "two", false)),
            &triggers,
        );
        objects.written(Kind::Tenant, tenant(14, "one", false));
        assert_eq!(objects.tenants()[0].metadata.uid.as_deref(), Some("two"));
    }
}
