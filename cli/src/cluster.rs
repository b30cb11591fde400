//! A cluster, as the kubeconfig names it. Every request has a time limit, every failure a sentence.

mod kubeconfig;
mod lease;
mod proxy;
mod trouble;

use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use pavilion_crds::{GROUP, Kind};
use tokio::time::timeout;

use crate::args::ClusterArgs;
use crate::exit::Failure;

pub use lease::{Leader, leader};
pub use trouble::Trouble;

/// How long one request may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Where an installation is by itself, when nobody may look further.
pub const USUAL_NAMESPACE: &str = "pavilion-system";

/// How many objects come with one answer.
const PAGE: u32 = 500;

/// The API server.
pub struct Cluster {
    client: Client,
    url: String,
}

/// Runs a conversation to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::file(format!("cannot start: {error}")))?;
    runtime.block_on(work)
}

impl Cluster {
    /// A client by the kubeconfig. Nothing is asked yet.
    pub async fn connect(args: &ClusterArgs) -> Result<Self, Failure> {
        // Whoever was first in this process has chosen the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut config = kubeconfig::config(args).await?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        config.write_timeout = Some(PATIENCE);
        let url = config.cluster_url.to_string();
        let url = url.trim_end_matches('/').to_owned();
        let client =
            Client::try_from(config).map_err(|error| Trouble::of(error).failure_of_login(&url))?;
        Ok(Self { client, url })
    }

    /// The address of the API server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client, for requests that are then passed to [`Self::ask`].
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The answer to one request, in time or not at all.
    pub async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Trouble> {
        match timeout(PATIENCE, request).await {
            Ok(answer) => answer.map_err(Trouble::of),
            Err(_) => Err(Trouble::Away(format!(
                "it did not answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Objects of one of our kinds, in a namespace or everywhere.
    pub fn ours(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        let (_, version) = pavilion_crds::API_VERSION
            .split_once('/')
            .unwrap_or_default();
        let resource = ApiResource {
            group: GROUP.to_owned(),
            version: version.to_owned(),
            api_version: pavilion_crds::API_VERSION.to_owned(),
            kind: kind.name().to_owned(),
            plural: kind.plural().to_owned(),
        };
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        }
    }

    /// Every object, page by page.
    pub async fn list(&self, api: &Api<DynamicObject>) -> Result<Vec<DynamicObject>, Trouble> {
        let mut params = ListParams::default().limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = self.ask(api.list(&params)).await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(objects),
            }
        }
    }

    /// A failure of a request as the end of a command.
    pub fn failure(&self, trouble: &Trouble) -> Failure {
        trouble.failure(&self.url)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_is_given_up() {
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let cluster = Cluster {
            client: Client::try_from(config).unwrap(),
            url: "http://127.0.0.1:1".to_owned(),
        };
        let begun = tokio::time::Instant::now();
        let answer = cluster.ask(std::future::pending::<Result<(), _>>()).await;
        assert_eq!(
            answer,
            Err(Trouble::Away("it did not answer within 10 s".to_owned()))
        );
        assert!(begun.elapsed() < PATIENCE + Duration::from_secs(1));
    }
}
