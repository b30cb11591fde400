//! Follows the files of a listener.

use std::sync::Arc;
use std::time::Duration;

use pavilion_json::Digest;
use prometheus_client::metrics::counter::Counter;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::sleep;

use super::credentials::server_config;
use super::listener::{FILES, Settings};
use crate::health::{Check, Health};
use crate::watch::FileChanges;

/// How long to wait after a change: files that are replaced one by one are then all there.
const SETTLE: Duration = Duration::from_millis(100);

/// How often a set that was refused is looked at again: what stood in its way may have left no trace
/// on the files.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Keeps the newest good set of files in force.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) settings: Settings,
    pub(super) live: watch::Sender<Arc<ServerConfig>>,
    /// What the files in force held.
    pub(super) served: [Digest; 3],
    /// Why the newest set is not in force.
    pub(super) obstacle: Option<String>,
    pub(super) health: Health,
    pub(super) check: Check,
    pub(super) refused: Counter,
}

impl Reload {
    /// Never ends.
    pub(super) async fn follow(mut self, mut changes: FileChanges) {
        loop {
            tokio::select! {
                () = changes.next() => sleep(SETTLE).await,
                () = sleep(LOOK_AGAIN), if self.obstacle.is_some() => {}
            }
            match self.load() {
                Ok(()) => {
                    self.obstacle = None;
                    self.check.set_ok();
                }
                // Said once, however often it is tried again.
                Err(why) if self.obstacle.as_ref() == Some(&why) => {}
                Err(why) => self.refuse(why),
            }
        }
    }

    fn load(&mut self) -> Result<(), String> {
        let credentials = self.settings.read()?;
        let digest = credentials.digest();
        if digest == self.served {
            return Ok(());
        }
        let config = server_config(&credentials, &self.settings.client_name)?;
        // Connections that are open keep what they were made with.
        self.live.send_replace(config);
        self.health.set_detail(FILES, credentials.told());
        self.served = digest;
        tracing::info!("new certificate files in force");
        Ok(())
    }

    fn refuse(&mut self, why: String) {
        self.refused.inc();
        self.check.set_ok_but(format!(
            "the new certificate files are refused and the ones before stay in force: {why}"
        ));
        self.obstacle = Some(why);
    }
}
