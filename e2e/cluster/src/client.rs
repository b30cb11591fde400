//! A client of a cluster, for tests.

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::cluster::Cluster;

impl Cluster {
    /// A client with the rights of the administrator.
    pub async fn client(&self) -> Result<Client> {
        // Whoever chose one before chose the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let path = self.kubeconfig();
        let read = Kubeconfig::read_from(&path);
        let read = read.with_context(|| format!("cannot read {}", path.display()))?;
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }
}
