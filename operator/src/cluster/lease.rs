//! Who writes: one replica at a time, the holder of a Lease (coordination.k8s.io).
//!
//! Flow: every replica tries to take the lease; one holds it and renews it; the others watch and are as
//! ready, and take over when it is given back or not renewed in time.
//!
//! Guarantees: a holder knows until when its lease is good by its own monotonic clock, counted from
//! before the request that renewed it. [`Fence::check`] is asked before every write; once that time is
//! over it refuses, also in a process that was stopped in between and knows nothing of it. A holder
//! that cannot renew ends, as one whose lease was taken over does.
//!
//! Assumptions: clocks run at about the same rate; they need not agree, because a rival's lease is
//! taken for expired only after it was seen unchanged for its whole time.
//!
//! Own code, because none of the libraries at hand says until when a lease is held.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::time::{sleep, timeout};

/// How often the holder renews a lease, and the others look at it.
const PAUSE: Duration = Duration::from_secs(1);

/// The lease is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease is over; another replica may write now")]
pub struct LeaseOver;

/// Whether this process may write.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Fence {
    /// To be asked before every write.
    ///
    /// # Errors
    /// When the lease is not held.
    pub fn check(&self) -> Result<(), LeaseOver> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            Some(until) if Instant::now() < until => Ok(()),
            _ => Err(LeaseOver),
        }
    }

    fn open_until(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// One replica's side of the lease.
pub struct Candidate {
    api: Api<Lease>,
    name: &'static str,
    identity: String,
    /// How long its lease is good without being renewed.
    good_for: Duration,
    fence: Fence,
    /// The lease as it was last seen, and since when it has been so.
    seen: Option<(Lease, Instant)>,
}

impl Candidate {
    /// A candidate for the lease `name` in `namespace`, under a name that no other replica has. Its lease is `good_for` so
    /// long without being renewed.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &'static str,
        identity: &str,
        good_for: Duration,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name,
            identity: identity.to_owned(),
            good_for,
            fence: Fence::default(),
            seen: None,
        }
    }

    /// What is to be asked before every write.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Completes when this replica holds the lease.
    pub async fn take(&mut self) {
        loop {
            match self.try_once().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the lease cannot be looked at"),
            }
            sleep(PAUSE).await;
        }
    }

    /// Renews the lease for as long as that succeeds in time. When this completes it is over.
    pub async fn hold(&mut self) -> LeaseOver {
        loop {
            sleep(PAUSE).await;
            match self.try_once().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => tracing::warn!(%error, "the lease was not renewed"),
            }
            if self.fence.check().is_err() {
                break;
            }
        }
        self.fence.open_until(None);
        LeaseOver
    }

    /// Gives the lease back, so that another replica need not wait. To be called when nothing is
    /// written any more.
    pub async fn give_back(&mut self) {
        if self.fence.check().is_err() {
            return;
        }
        self.fence.open_until(None);
        let Some((mut lease, _)) = self.seen.take() else {
            return;
        };
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
        }
        let params = PostParams::default();
        let replaced = self.api.replace(self.name, &params, &lease);
        // Who waits takes it when its time is over.
        if !matches!(timeout(self.a_try(), replaced).await, Ok(Ok(_))) {
            tracing::warn!("the lease was not given back");
        }
    }

    /// Takes or renews the lease if it is free or ours. Says whether it is ours now.
    async fn try_once(&mut self) -> Result<bool, kube::Error> {
        let begun = Instant::now();
        let attempt = timeout(self.a_try(), self.attempt()).await;
        let held =
            attempt.unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())))?;
        if held {
            self.fence.open_until(Some(begun + self.writes_for()));
        }
        Ok(held)
    }

    /// How long one request may take; a holder gets several tries within the time that is left.
    fn a_try(&self) -> Duration {
        self.good_for * 3 / 8
    }

    /// How long its holder writes: a little less than it is good, so that what it sent last is done by then.
    fn writes_for(&self) -> Duration {
        self.good_for * 7 / 8
    }

    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        if self.renew().await? {
            return Ok(true);
        }
        let Some(found) = self.api.get_opt(self.name).await? else {
            let fresh = self.ours(Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: None,
            });
            return self.write(self.api.create(&PostParams::default(), &fresh).await);
        };
        if !self.may_take(&found) {
            return Ok(false);
        }
        // Its resource version makes this fail when a rival was faster.
        let next = self.ours(found);
        let replaced = self
            .api
            .replace(self.name, &PostParams::default(), &next)
            .await;
        self.write(replaced)
    }

    /// Renews what was seen to be ours without looking first, which is one request instead of two. Says whether that
    /// worked; it does not where the lease is another one by now, which may be our own from a try whose reply was lost.
    async fn renew(&mut self) -> Result<bool, kube::Error> {
        let Some((seen, _)) = &self.seen else {
            return Ok(false);
        };
        if !self.is_ours(seen) {
            return Ok(false);
        }
        let next = self.ours(seen.clone());
        let params = PostParams::default();
        match self.api.replace(self.name, &params, &next).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            outcome => self.write(outcome),
        }
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_ref());
        holder == Some(&self.identity)
    }

    fn write(&mut self, outcome: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
        match outcome {
            Ok(lease) => {
                self.seen = Some((lease, Instant::now()));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the lease is ours, free, or was left unrenewed for its whole time before our eyes.
    fn may_take(&mut self, found: &Lease) -> bool {
        let holder = found
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.as_deref());
        if holder.is_none_or(|holder| holder.is_empty() || holder == self.identity) {
            return true;
        }
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        match &self.seen {
            Some((seen, since)) if version(seen) == version(found) => {
                since.elapsed() > good_for(found).unwrap_or(self.good_for)
            }
            _ => {
                self.seen = Some((found.clone(), Instant::now()));
                false
            }
        }
    }

    fn ours(&self, mut lease: Lease) -> Lease {
        let now = MicroTime(Timestamp::now());
        let is_ours = self.is_ours(&lease);
        let before = lease.spec.unwrap_or_default();
        let transitions = before.lease_transitions.unwrap_or(0);
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.good_for.as_secs()).ok(),
            acquire_time: if is_ours {
                before.acquire_time
            } else {
                Some(now.clone())
            },
            renew_time: Some(now),
            lease_transitions: Some(transitions + i32::from(!is_ours)),
            ..LeaseSpec::default()
        });
        lease
    }
}

/// As its holder says.
fn good_for(lease: &Lease) -> Option<Duration> {
    let seconds = lease.spec.as_ref()?.lease_duration_seconds?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}
