//! Where routers come in: mutual TLS with the operator's own certificate, which is in a Secret.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, runtime::watcher};
use pavilion_process::{
    Check, Health, Metrics,
    mutual_tls::{Credentials, Listener, Protocol, server_config},
};
use pavilion_rpc::{
    network,
    routes::{MAX_MESSAGE_BYTES, routes_server::RoutesServer},
};
use rustls::ServerConfig;
use tokio::{sync::watch, time::sleep};

use super::{
    identities::{Identity, TLS},
    metrics::RouteMetrics,
    service::Service,
    snapshot::Published,
};
use crate::cluster::watching::{News, follow};

/// Routers that follow one replica at once; further ones wait.
const MAX_ROUTERS: usize = 256;

/// How long to wait before an address that cannot be had is tried again.
const AGAIN: Duration = Duration::from_secs(5);

type Shown = watch::Sender<Option<Arc<ServerConfig>>>;

/// Everything it is made of.
pub struct Door {
    /// The operator's own.
    pub secrets: Api<Secret>,
    /// Where it is.
    pub listen: SocketAddr,
    /// What there is to tell.
    pub published: watch::Receiver<Published>,
    /// How it is.
    pub check: Check,
    /// What says where it is.
    pub health: Health,
    /// Where handshakes are counted.
    pub registry: Metrics,
    /// What else is counted.
    pub metrics: RouteMetrics,
}

impl Door {
    /// Opens once there is something to tell and a certificate to show, and stays open. Never ends.
    pub async fn open(mut self) {
        // Fails only when the process ends.
        let _ = self.published.wait_for(Option::is_some).await;
        self.check.set_failed(format!(
            "there is no Secret {} yet; the replica that writes makes it",
            Identity::Operator.secret()
        ));
        let (show, mut shown) = watch::channel(None);
        let check = self.check.clone();
        let watching = watch_identity(self.secrets.clone(), show, check);
        tokio::select! {
            () = watching => {}
            () = async {
                let first = shown.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
                if let Some(first) = first {
                    self.serve(first, shown).await;
                }
            } => {}
        }
    }

    async fn serve(
        &self,
        first: Arc<ServerConfig>,
        mut shown: watch::Receiver<Option<Arc<ServerConfig>>>,
    ) {
        let (put, live) = watch::channel(first);
        let renew = async {
            while shown.changed().await.is_ok() {
                let newest = shown.borrow_and_update().clone();
                if let Some(newest) = newest {
                    put.send_replace(newest);
                }
            }
        };
        tokio::select! {
            () = renew => {}
            () = self.answer(live) => {}
        }
    }

    async fn answer(&self, live: watch::Receiver<Arc<ServerConfig>>) {
        let listener = loop {
            let client = Identity::Router.name();
            let bound = Listener::with(
                self.listen,
                live.clone(),
                client,
                &self.health,
                &self.registry,
            );
            match bound.await {
                Ok(listener) => break listener,
                Err(error) => self.check.set_failed(error.to_string()),
            }
            sleep(AGAIN).await;
        };
        self.check.set_ok();
        let service = Service {
            published: self.published.clone(),
            metrics: self.metrics.clone(),
        };
        let service = RoutesServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES);
        if let Err(error) = network::serve(listener, service, MAX_ROUTERS).await {
            self.check
                .set_failed(format!("routers are not answered any more: {error}"));
        }
    }
}

/// Shows the newest certificate that is of use. Never ends.
async fn watch_identity(secrets: Api<Secret>, show: Shown, check: Check) {
    let name = Identity::Operator.secret();
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    follow(secrets, config, "Secret", move |news| {
        let News::Seen(secret) = news else {
            return;
        };
        match read(&secret) {
            Ok(config) => {
                let first = show.send_replace(Some(config)).is_none();
                if !first {
                    check.set_ok();
                    tracing::info!("a new certificate is shown to routers");
                }
            }
            Err(why) if show.borrow().is_some() => check.set_ok_but(format!(
                "Secret {name} is of no use and the certificate before it is shown: {why}"
            )),
            Err(why) => check.set_failed(format!("Secret {name} is of no use: {why}")),
        }
    })
    .await;
}

fn read(secret: &Secret) -> Result<Arc<ServerConfig>, String> {
    let data = secret.data.as_ref();
    let [certificate, key, ca] = TLS.map(|name| {
        data.and_then(|data| data.get(name))
            .map_or(&[][..], |ByteString(bytes)| bytes)
    });
    let credentials = Credentials::given(ca, certificate, key)?.speaking(Protocol::Http2);
    server_config(&credentials, Identity::Router.name())
}
