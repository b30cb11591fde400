//! What is told to routers at a moment, and when it is made anew.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use pavilion_bundle::{Document, MAX_DOCUMENT_BYTES, Route, RouteTable};
use pavilion_json::Digest;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    held::Held,
    known::{Known, Position},
    metrics::RouteMetrics,
    table::{Built, build},
};

/// What changes within this time is told at once.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// How many times as long as it took to make a table anew it takes before the next is begun. Of many tenants each change
/// costs a table of all: this bounds what they cost together, and one change alone is told at once.
const REST: u32 = 9;
/// After that the next is begun whatever the last took: a pod that moved is to be found again.
const LONGEST_REST: Duration = Duration::from_millis(200);

/// The newest snapshot, once there is one. All streams share it.
pub type Published = Option<Arc<Snapshot>>;

/// A state as routers get it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Up to which change.
    pub position: Position,
    /// The table.
    pub table: Arc<Sealed>,
}

/// A table with the files it names.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Counts up with each change of content.
    pub version: u64,
    /// Of its bytes.
    pub digest: Digest,
    /// Canonical JSON.
    pub bytes: Bytes,
    /// By their digests.
    pub files: HashMap<Digest, Bytes>,
    routes: Vec<Route>,
}

/// Publishes what follows from what is known, whenever that changes. Never ends.
pub async fn publish(
    known: Arc<Known>,
    held: Arc<Held>,
    published: watch::Sender<Published>,
    metrics: RouteMetrics,
) {
    let mut obstacle = String::new();
    loop {
        known.changed().await;
        sleep(DEBOUNCE).await;
        let begun = Instant::now();
        let Some(material) = known.material() else {
            continue;
        };
        let before = published.borrow().clone();
        let built = build(&material);
        held.hear(built.holders(), built.refused.clone());
        match next(before.as_deref(), built, material.position) {
            Ok(snapshot) => {
                metrics.published(&snapshot);
                published.send_replace(Some(Arc::new(snapshot)));
            }
            // Said once; what was told last stays.
            Err(why) if why == obstacle => {}
            Err(why) => {
                tracing::error!(reason = why, "no new route table is told to routers");
                obstacle = why;
            }
        }
        sleep((begun.elapsed() * REST).min(LONGEST_REST)).await;
    }
}

/// The snapshot after `before`. Its table is another one only if its routes are.
fn next(before: Option<&Snapshot>, built: Built, position: Position) -> Result<Snapshot, String> {
    let Built {
        routes,
        files,
        refused,
    } = built;
    if let Some(before) = before
        && before.table.routes == routes
    {
        let table = Arc::clone(&before.table);
        return Ok(Snapshot { position, table });
    }
    for (host, tenant) in refused {
        tracing::error!(%host, %tenant, "another tenant has this host; it is not routed to this one");
    }
    // The same on every replica that sees these changes together; where this one saw them one after
    // the other, one more each time.
    let newest = position.secrets.max(position.pods);
    let version = before.map_or(newest, |before| newest.max(before.table.version + 1));
    let table = RouteTable { version, routes };
    let sealed = table
        .validate()
        .map_err(|error| error.to_string())
        .and_then(|()| table.seal().map_err(|error| error.to_string()));
    let (bytes, digest) = sealed?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        let size = bytes.len();
        return Err(format!(
            "it has {size} bytes of at most {MAX_DOCUMENT_BYTES}: this cluster has more hosts than one edge can serve; place tenants in another region"
        ));
    }
    tracing::info!(version, %digest, hosts = table.routes.len(), "new route table");
    let table = Arc::new(Sealed {
        version,
        digest,
        bytes: bytes.into(),
        files,
        routes: table.routes,
    });
    Ok(Snapshot { position, table })
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_bundle::Named;
    use serde_json::json;

    use super::*;
    use crate::cluster::{
        routes::{
            address::tests::pod,
            entry::tests::{route, secret},
        },
        triggers::triggers,
        watching::News,
    };

    const READY: [(&str, &str, i64); 1] = [("Ready", "True", 5)];

    /// Both first lists, empty.
    pub fn known() -> Known {
        let known = Known::new(RouteMetrics::default());
        known.hear_secret(News::Listed(std::collections::HashSet::new()));
        known.hear_pod(News::Listed(std::collections::HashSet::new()));
        known
    }

    fn after(before: Option<&Snapshot>, known: &Known) -> Snapshot {
        let material = known.material().unwrap();
        next(before, build(&material), material.position).unwrap()
    }

    #[test]
    fn the_version_is_the_newest_change_and_stays_while_no_route_changes() {
        let known = known();
        let empty = after(None, &known);
        assert_eq!(empty.table.version, 0);
        let mut document = route("acme", &["a.example"]);
        known.hear_secret(News::Seen(secret("acme", &document, 10, 1)));
        let starting = after(Some(&empty), &known);
        assert_eq!(
            (starting.table.version, starting.table.files.len()),
            (10, 2)
        );
        known.hear_pod(News::Seen(pod("acme", "10.1.2.3", 12, &READY)));
        let first = after(Some(&starting), &known);
        assert_eq!((first.table.version, first.table.files.len()), (12, 5));
        Named::<RouteTable>::read(&first.table.bytes).unwrap();
        // A change of the pod that no route tells of.
        known.hear_pod(News::Seen(pod("acme", "10.1.2.3", 15, &READY)));
        let same = after(Some(&first), &known);
        assert!(Arc::ptr_eq(&same.table, &first.table));
        assert_eq!(same.position.pods, 15);
        // A change that comes late, after a newer one of the other kind.
        document["maxBodyBytes"] = json!(1);
        known.hear_secret(News::Seen(secret("acme", &document, 14, 1)));
        let late = after(Some(&same), &known);
        assert_eq!(late.table.version, 15);
        document["maxBodyBytes"] = json!(2);
        known.hear_secret(News::Seen(secret("acme", &document, 15, 1)));
        assert_eq!(after(Some(&late), &known).table.version, 16);
    }

    #[test]
    fn a_replica_that_starts_later_comes_to_the_same_table() {
        let (early, late) = (known(), known());
        let document = route("acme", &["a.example"]);
        early.hear_secret(News::Seen(secret("acme", &document, 10, 1)));
        let first = after(None, &early);
        early.hear_pod(News::Seen(pod("acme", "10.1.2.3", 12, &READY)));
        let first = after(Some(&first), &early);
        late.hear_pod(News::Seen(pod("acme", "10.1.2.3", 12, &READY)));
        late.hear_secret(News::Seen(secret("acme", &document, 10, 1)));
        let second = after(None, &late);
        assert_eq!(first.table.digest, second.table.digest);
        assert_eq!(first.position, second.position);
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_together_is_published_at_once() {
        let known = Arc::new(known());
        let (tell, mut told) = watch::channel(Published::default());
        let metrics = RouteMetrics::default();
        let held = Arc::new(Held::new(triggers().0));
        let task = tokio::spawn(publish(Arc::clone(&known), held, tell, metrics));
        told.changed().await.unwrap();
        for (version, tenant) in [(1, "acme"), (2, "beta"), (3, "gamma")] {
            let document = route(tenant, &[&format!("{tenant}.example")]);
            known.hear_secret(News::Seen(secret(tenant, &document, version, 1)));
            known.hear_pod(News::Seen(pod(tenant, "10.1.2.3", version + 3, &READY)));
        }
        told.changed().await.unwrap();
        let snapshot = told.borrow_and_update().clone().unwrap();
        assert_eq!(
            (snapshot.table.version, snapshot.table.routes.len()),
            (6, 3)
        );
        assert!(!told.has_changed().unwrap());
        task.abort();
    }
}
