//! The certificates by which operator and routers know each other. Made and renewed by the replica that
//! writes, each in a Secret of the operator's namespace.
//!
//! Flow: every minute the root is looked for, made if it is missing, and each leaf compared with it. A
//! leaf is signed anew when it is missing, of another root, or past two thirds of its time.
//!
//! Guarantees: a root that is there is never overwritten. Deleting its Secret makes a new one and new
//! leaves of it; until each side has its own, which takes as long as the kubelet needs for a mounted
//! Secret, routers serve what they have.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use pavilion_bundle::HostName;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::{
    cluster::{
        apply::REQUEST_TIME_OUT,
        lease::{Fence, LeaseOver},
        owned::MANAGED_BY,
    },
    trust_root::{Side, TrustRoot, is_fresh},
    validate::ServerCertificate,
};

/// The field manager of these Secrets.
const FIELD_MANAGER: &str = "pavilion-identities";

/// How often they are looked at, and how soon again after a failure.
const LOOK: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_secs(2);

/// The Secret of the root, whose it is, and what is in it.
const ROOT: &str = "pavilion-control-root";
const OWNER: &str = "pavilion control";
const ROOT_FILES: [&str; 2] = ["ca.crt", "ca.key"];

/// What is in the Secret of a leaf: its chain, its key, and the root that it trusts.
pub const TLS: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

/// A side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Any replica of the operator.
    Operator,
    /// Any router.
    Router,
}

impl Identity {
    const ALL: [Self; 2] = [Self::Operator, Self::Router];

    /// The Secret that holds it.
    pub const fn secret(self) -> &'static str {
        match self {
            Self::Operator => "pavilion-operator-identity",
            Self::Router => "pavilion-router-identity",
        }
    }

    /// The DNS name in its certificate.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator.pavilion.internal",
            Self::Router => "router.pavilion.internal",
        }
    }

    const fn side(self) -> Side {
        match self {
            Self::Operator => Side::Server,
            Self::Router => Side::Client,
        }
    }
}

/// Why they could not be looked after.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Lease(#[from] LeaseOver),
    #[error("Secret {0}: {1}")]
    Api(&'static str, String),
    #[error("Secret {ROOT} holds no root that signs ({0}); delete it to have a new one made")]
    Root(String),
}

/// The one that looks after them.
pub struct Identities {
    api: Api<Secret>,
    fence: Fence,
}

impl Identities {
    /// One that writes while `fence` allows it.
    pub fn new(client: &Client, namespace: &str, fence: Fence) -> Self {
        let api = Api::namespaced(client.clone(), namespace);
        Self { api, fence }
    }

    /// Looks after them. Never ends.
    pub async fn keep(self) {
        loop {
            match self.look(Timestamp::now()).await {
                Ok(()) => sleep(LOOK).await,
                Err(error) => {
                    tracing::error!(%error, "the certificates between operator and routers cannot be looked after");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn look(&self, now: Timestamp) -> Result<(), Failure> {
        let root = self.root(now).await?;
        for identity in Identity::ALL {
            let found = self.get(identity.secret()).await?;
            if found.is_some_and(|secret| is_good(&secret, identity, &root, now)) {
                continue;
            }
            let names: Vec<HostName> = identity.name().parse().into_iter().collect();
            let leaf = root
                .sign(identity.side(), &names, now)
                .map_err(|error| Failure::Root(error.to_string()))?;
            let [certificate, key, ca] = TLS;
            let content = [
                (certificate, leaf.chain.as_str()),
                (key, leaf.key.as_str()),
                (ca, root.certificate()),
            ];
            self.apply(&secret(identity.secret(), content), identity.secret())
                .await?;
            tracing::info!(until = %leaf.not_after, "made a certificate for {}", identity.name());
        }
        Ok(())
    }

    /// The root that is there, or a new one.
    async fn root(&self, now: Timestamp) -> Result<TrustRoot, Failure> {
        if let Some(found) = self.get(ROOT).await? {
            let [certificate, key] = ROOT_FILES.map(|name| text(&found, name));
            return Ok(TrustRoot::from_pem(OWNER, certificate.to_string(), key));
        }
        self.fence.check()?;
        let root = TrustRoot::make(OWNER, now).map_err(|error| Failure::Root(error.to_string()))?;
        let [certificate, key] = ROOT_FILES;
        let secret = secret(ROOT, [(certificate, root.certificate()), (key, root.key())]);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        // Fails where one has come to be meanwhile, which is then found at the next look.
        self.request(ROOT, self.api.create(&params, &secret))
            .await?;
        tracing::info!("made the root of operator and routers");
        Ok(root)
    }

    async fn get(&self, name: &'static str) -> Result<Option<Secret>, Failure> {
        self.request(name, self.api.get_opt(name)).await
    }

    async fn apply(&self, secret: &Secret, name: &'static str) -> Result<(), Failure> {
        self.fence.check()?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(secret);
        self.request(name, self.api.patch(name, &params, &patch))
            .await
            .map(drop)
    }

    async fn request<T>(
        &self,
        name: &'static str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Failure> {
        let answer = timeout(REQUEST_TIME_OUT, request).await;
        let late = |_| "the API server did not answer in time".to_owned();
        let outcome = answer
            .map_err(late)
            .and_then(|outcome| outcome.map_err(|error| error.to_string()));
        outcome.map_err(|why| Failure::Api(name, why))
    }
}

/// Whether a leaf is of this root, for this side, and has time left.
fn is_good(secret: &Secret, identity: Identity, root: &TrustRoot, now: Timestamp) -> bool {
    let [chain, key, ca] = TLS.map(|name| text(secret, name));
    let names: Vec<HostName> = identity.name().parse().into_iter().collect();
    let leaf = ServerCertificate::read(&chain, &key, &names);
    ca.as_str() == root.certificate() && leaf.is_ok_and(|leaf| is_fresh(&leaf, now))
}

fn text(secret: &Secret, name: &str) -> Zeroizing<String> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(name));
    let text = bytes.map(|ByteString(bytes)| String::from_utf8_lossy(bytes).into_owned());
    Zeroizing::new(text.unwrap_or_default())
}

fn secret<const N: usize>(name: &str, content: [(&str, &str); N]) -> Secret {
    let content =
        content.map(|(name, text)| (name.to_owned(), ByteString(text.as_bytes().to_vec())));
    let (label, value) = MANAGED_BY;
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(label.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from(content)),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + number * 86_400).unwrap()
    }

    fn leaf(root: &TrustRoot, identity: Identity) -> Secret {
        let names = [identity.name().parse().unwrap()];
        let leaf = root.sign(identity.side(), &names, day(0)).unwrap();
        let [certificate, key, ca] = TLS;
        let content = [
            (certificate, leaf.chain.as_str()),
            (key, leaf.key.as_str()),
            (ca, root.certificate()),
        ];
        secret(identity.secret(), content)
    }

    #[test]
    fn a_leaf_is_kept_for_sixty_days_and_no_longer_than_its_root() {
        let root = TrustRoot::make(OWNER, day(0)).unwrap();
        let operator = leaf(&root, Identity::Operator);
        assert!(is_good(&operator, Identity::Operator, &root, day(59)));
        assert!(!is_good(&operator, Identity::Operator, &root, day(61)));
        assert!(!is_good(&operator, Identity::Router, &root, day(1)));
        let other = TrustRoot::make(OWNER, day(0)).unwrap();
        assert!(!is_good(&operator, Identity::Operator, &other, day(1)));
        let empty = Secret::default();
        assert!(!is_good(&empty, Identity::Operator, &root, day(1)));
    }
}
