//! Who leads: the replica of the operator that holds the Lease.
//!
//! Clocks need not agree: a lease that looks old by ours is looked at again after its whole time, and only one
//! that was not renewed in between is called free.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Api, ListParams};
use tokio::time::sleep;

use super::{Cluster, Trouble, USUAL_NAMESPACE};

/// The Lease that the operator's replicas share.
const NAME: &str = "pavilion-operator";
/// How long a lease is good that does not say so.
const USUAL_SECONDS: i32 = 4;
/// No longer than this is waited, whatever a lease says.
const MAX_SECONDS: i32 = 15;

/// Who leads.
#[derive(Debug)]
pub enum Leader {
    /// This replica.
    Held {
        /// The namespace of the lease.
        namespace: String,
        /// The replica's name.
        identity: String,
        /// Since when it leads.
        since: Option<Timestamp>,
    },
    /// Nobody; where there is a lease that nobody renews, who held it last.
    Nobody(Option<String>),
    /// It cannot be found out.
    Unseen(Trouble),
}

/// Looks who leads.
pub async fn leader(cluster: &Cluster, namespace: Option<&str>) -> Leader {
    let before = match leases(cluster, namespace).await {
        Ok(leases) => leases,
        Err(trouble) => return Leader::Unseen(trouble),
    };
    if let Some(lease) = before
        .iter()
        .find(|lease| is_fresh(lease, Timestamp::now()))
    {
        return held(lease);
    }
    let Some(pause) = before.iter().map(good_for).max() else {
        return Leader::Nobody(None);
    };
    sleep(pause + Duration::from_secs(1)).await;
    match leases(cluster, namespace).await {
        Ok(after) => match after.iter().find(|lease| is_renewed(lease, &before)) {
            Some(lease) => held(lease),
            None => Leader::Nobody(after.iter().find_map(holder).map(str::to_owned)),
        },
        Err(trouble) => Leader::Unseen(trouble),
    }
}

async fn leases(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Lease>, Trouble> {
    if let Some(namespace) = namespace {
        return one(cluster, namespace).await;
    }
    let everywhere: Api<Lease> = Api::all(cluster.client());
    let named = ListParams::default().fields(&format!("metadata.name={NAME}"));
    match cluster.ask(everywhere.list(&named)).await {
        Ok(found) => Ok(found.items),
        // One that is where it usually is counts; that none is there says nothing of elsewhere.
        Err(Trouble::Forbidden(why)) => match one(cluster, USUAL_NAMESPACE).await {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err(Trouble::Forbidden(why)),
        },
        Err(trouble) => Err(trouble),
    }
}

async fn one(cluster: &Cluster, namespace: &str) -> Result<Vec<Lease>, Trouble> {
    let api: Api<Lease> = Api::namespaced(cluster.client(), namespace);
    let found = cluster.ask(api.get_opt(NAME)).await?;
    Ok(found.into_iter().collect())
}

fn spec(lease: &Lease) -> Option<&LeaseSpec> {
    lease.spec.as_ref()
}

fn holder(lease: &Lease) -> Option<&str> {
    let identity = spec(lease)?.holder_identity.as_deref();
    identity.filter(|identity| !identity.is_empty())
}

fn good_for(lease: &Lease) -> Duration {
    let seconds = spec(lease).and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.unwrap_or(USUAL_SECONDS).clamp(1, MAX_SECONDS);
    Duration::from_secs(u64::from(seconds.unsigned_abs()))
}

/// Whether it was renewed within its time, by our clock.
fn is_fresh(lease: &Lease, now: Timestamp) -> bool {
    let renewed = spec(lease).and_then(|spec| spec.renew_time.as_ref());
    let age = renewed.and_then(|renewed| Duration::try_from(now.duration_since(renewed.0)).ok());
    holder(lease).is_some() && age.is_some_and(|age| age <= good_for(lease))
}

/// Whether its holder renewed it between two looks.
fn is_renewed(lease: &Lease, before: &[Lease]) -> bool {
    let place = |lease: &Lease| lease.metadata.namespace.clone();
    let renewed = |lease: &Lease| spec(lease).and_then(|spec| spec.renew_time.clone());
    let known = before.iter().find(|known| place(known) == place(lease));
    holder(lease).is_some() && known.is_none_or(|known| renewed(known) != renewed(lease))
}

fn held(lease: &Lease) -> Leader {
    let since = spec(lease).and_then(|spec| spec.acquire_time.as_ref());
    Leader::Held {
        namespace: lease.metadata.namespace.clone().unwrap_or_default(),
        identity: holder(lease).unwrap_or_default().to_owned(),
        since: since.map(|since| since.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::ToSpan;
    use serde_json::json;

    use super::*;

    fn lease(holder: &str, renewed: Timestamp) -> Lease {
        serde_json::from_value(json!({
            "metadata": {"name": NAME, "namespace": "pavilion-system"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 4, "renewTime": format!("{renewed:.6}")},
        }))
        .unwrap()
    }

    #[test]
    fn a_lease_is_fresh_within_its_time_and_never_in_the_future() {
        let now: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
        assert!(is_fresh(&lease("a", now - 3.seconds()), now));
        assert!(!is_fresh(&lease("a", now - 5.seconds()), now));
        assert!(!is_fresh(&lease("a", now + 60.seconds()), now));
        assert!(!is_fresh(&lease("", now), now), "it was given back");
    }

    #[test]
    fn a_lease_that_looks_old_but_is_renewed_is_held() {
        let then: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
        let before = [lease("a", then)];
        assert!(is_renewed(&lease("a", then + 4.seconds()), &before));
        assert!(!is_renewed(&lease("a", then), &before));
        assert!(!is_renewed(&lease("", then + 4.seconds()), &before));
        assert!(is_renewed(&lease("b", then), &[]));
    }
}
