//! The address that takes connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::DnsName;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::credentials::{Credentials, server_config};
use super::handshakes::Handshakes;
use super::outcome::Outcomes;
use super::reload::Reload;
use crate::exit::Exit;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::run::Context;
use crate::stream::Stream;
use crate::watch::FileChanges;

/// How long to wait after the system refused an accept (no file handles left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a peer may leave what is sent to it unacknowledged. A machine that was switched off would
/// otherwise hold its connection for a quarter of an hour.
const USER_TIME_OUT_MILLISECONDS: u32 = 30_000;

/// The member of `detail` in `/status` that says which files are in force.
pub(super) const FILES: &str = "listenFiles";

/// The `listen` member of a configuration: an address for mutual TLS. Files are relative to the
/// working directory and may be replaced at any time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// `ip:port`; port 0 lets the system choose.
    pub address: SocketAddr,
    /// PEM chain shown to clients, leaf first.
    pub certificate_file: PathBuf,
    /// PEM private key of that chain (PKCS#8), mode 0600.
    pub key_file: PathBuf,
    /// PEM certificates of the trust root: one of them, and nothing else, vouches for the client.
    /// During a change of roots the old and the new one.
    pub client_ca_file: PathBuf,
    /// The DNS name that the client's certificate must carry (`router.pavilion.internal`).
    pub client_name: String,
}

impl Settings {
    fn check(&self) -> Result<(), Exit> {
        match DnsName::try_from(self.client_name.as_str()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Exit::ConfigRefused(format!(
                "listen.clientName: {:?} is no DNS name",
                self.client_name
            ))),
        }
    }

    fn files(&self) -> [PathBuf; 3] {
        [&self.client_ca_file, &self.certificate_file, &self.key_file].map(PathBuf::clone)
    }

    pub(super) fn read(&self) -> Result<Credentials, String> {
        Credentials::read(&self.client_ca_file, &self.certificate_file, &self.key_file)
    }
}

/// A bound address. It hands out only connections of the one client that may come.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    live: watch::Receiver<Arc<ServerConfig>>,
    handshakes: Handshakes,
    /// Where the files are followed here.
    _reload: Option<AbortOnDropHandle<()>>,
}

impl Listener {
    /// Binds the address, and follows the files from now on. The check `tls` says how they are.
    /// Call it inside a runtime.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] when a setting or a file is of no use, [`Exit::InputMissing`] when a
    /// file cannot be read, [`Exit::Unavailable`] when the address cannot be bound.
    pub async fn bind(settings: &Settings, context: &Context) -> Result<Self, Exit> {
        settings.check()?;
        let check = context.health.register_check("tls");
        // Before they are read: a file that changes meanwhile is read again.
        let changes = FileChanges::new(settings.files());
        let credentials = settings.read().map_err(Exit::InputMissing)?;
        let config =
            server_config(&credentials, &settings.client_name).map_err(Exit::ConfigRefused)?;
        let tcp = bind(settings.address).await?;
        let outcomes = context.metrics.register(Outcomes::register);
        check.set_ok();
        context.health.set_detail(FILES, credentials.told());
        let (tell, live) = watch::channel(config);
        let reload = Reload {
            settings: settings.clone(),
            live: tell,
            served: credentials.digest(),
            obstacle: None,
            health: context.health.clone(),
            check,
            refused: outcomes.files_refused.clone(),
        };
        let listener = Self {
            tcp,
            live,
            handshakes: Handshakes::new(outcomes),
            _reload: Some(AbortOnDropHandle::new(tokio::spawn(reload.follow(changes)))),
        };
        listener.announce(&settings.client_name, &context.health);
        Ok(listener)
    }

    /// Binds an address where each handshake is done by what `live` holds at that moment: for a
    /// program whose certificates are in no files. `client` is for the log.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the address cannot be bound.
    pub async fn with(
        address: SocketAddr,
        live: watch::Receiver<Arc<ServerConfig>>,
        client: &str,
        health: &Health,
        metrics: &Metrics,
    ) -> Result<Self, Exit> {
        let listener = Self {
            tcp: bind(address).await?,
            live,
            handshakes: Handshakes::new(metrics.register(Outcomes::register)),
            _reload: None,
        };
        listener.announce(client, health);
        Ok(listener)
    }

    fn announce(&self, client: &str, health: &Health) {
        if let Some(address) = self.address() {
            health.set_detail("listen", address.to_string().into());
            tracing::info!(%address, client, "taking requests over mutual TLS");
        }
    }

    /// The bound address; where the settings say port 0, the one chosen.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
    }

    /// The next connection of the client that may come. Never fails: what the system refuses is logged
    /// and tried again. Handshakes go on while nobody waits here. Dropping it loses nothing.
    pub async fn accept(&mut self) -> Stream {
        loop {
            let room_at = self.handshakes.room_at();
            tokio::select! {
                biased;
                shaken = self.handshakes.ended() => {
                    if let Some(stream) = shaken {
                        return stream;
                    }
                }
                (stream, peer) = accept(&self.tcp, room_at) => {
                    let config = Arc::clone(&self.live.borrow());
                    self.handshakes.begin(stream, peer, config);
                }
            }
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Exit> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Exit::Unavailable(format!("cannot listen on {address}: {error}")))
}

/// The next connection, once there is room for it; until then it waits with the system.
async fn accept(tcp: &TcpListener, room_at: Option<Instant>) -> (TcpStream, SocketAddr) {
    if let Some(moment) = room_at {
        sleep_until(moment).await;
    }
    loop {
        match tcp.accept().await {
            Ok((stream, peer)) => {
                // Each costs some speed, or a place for some time, where it cannot be set.
                let _ = stream.set_nodelay(true);
                let _ =
                    rustix::net::sockopt::set_tcp_user_timeout(&stream, USER_TIME_OUT_MILLISECONDS);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept at the address for mutual TLS");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
