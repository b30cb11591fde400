//! A broker with one tenant, its wallet and its relying party: what most tests start from.

use std::sync::Arc;

use crate::relying_party::Session;
use crate::{Broker, Manifests, RelyingParty, Wallet};

/// Tenant `acme`, relying party `shop`, and a wallet whose issuer the tenant believes.
pub struct World {
    /// Runs until the world is dropped.
    pub broker: Broker,
    /// Issues and presents.
    pub wallet: Arc<Wallet>,
    /// Asks.
    pub shop: Arc<RelyingParty>,
}

impl World {
    /// Starts it and waits until it is ready.
    pub fn start() -> Self {
        Self::start_with(|manifests| manifests)
    }

    /// Starts it with other manifests than the usual ones.
    pub fn start_with(change: impl FnOnce(Manifests) -> Manifests) -> Self {
        let (wallet, shop) = (
            Arc::new(Wallet::default()),
            Arc::new(RelyingParty::new("shop")),
        );
        let broker = Broker::start(&change(Manifests::tenant("acme", &wallet, &shop)));
        Self {
            broker,
            wallet,
            shop,
        }
    }

    /// The usual manifests of this world's keys.
    pub fn manifests(&self) -> Manifests {
        Manifests::tenant("acme", &self.wallet, &self.shop)
    }

    /// The relying party with a token.
    pub async fn session(&self) -> Session {
        Session::open(&self.broker, "acme", &self.shop).await
    }
}
