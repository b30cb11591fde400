//! A cluster with Pavilion in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Service};
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, Patch, PatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use pavilion_crds::{ConditionStatus, Tenant};
use pavilion_e2e::Manifests;
use pavilion_e2e_charts::{CRDS_RELEASE, Helm, NAMESPACE, RELEASE, chart};
use pavilion_e2e_cluster::{Cluster, ClusterName, Directory, checkout, down};
use serde_json::Value;
use tokio::time::sleep;

/// What a cluster of the harness needs said.
const SETTINGS: [&str; 3] = [
    "--set=region.name=eu-central,region.jurisdiction=DE",
    "--set=router.service.type=NodePort",
    "--set=images.pullPolicy=Never",
];
/// How often a figure is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// After that something is wrong.
const PATIENCE: Duration = Duration::from_mins(3);

/// A cluster with Pavilion in it; it goes when this is dropped.
pub struct Installation {
    directory: Directory,
    name: ClusterName,
    client: Client,
    /// Where the edge is.
    pub edge: SocketAddr,
}

impl Installation {
    /// Brings a cluster up, gives its node the images in `target/images`, and installs both charts.
    pub async fn make() -> Result<Self> {
        // Another part of this program may have chosen the same before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = Directory::usual()?;
        let name: ClusterName = "bench".parse()?;
        let cluster = Cluster::up(&directory, &name, 1)?;
        let kubeconfig = cluster.kubeconfig();
        let read = Kubeconfig::read_from(&kubeconfig)?;
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        let mut installation = Self {
            directory,
            name,
            client: Client::try_from(config)?,
            edge: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        let mut loaded = 0;
        for entry in std::fs::read_dir(checkout().join("target/images"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "tar") {
                cluster.load(&path)?;
                loaded += 1;
            }
        }
        ensure!(loaded > 0, "there are no images: run `make images`");
        install(kubeconfig)?;
        installation.edge = installation.find_edge().await?;
        Ok(installation)
    }

    async fn find_edge(&self) -> Result<SocketAddr> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = nodes.list(&ListParams::default()).await?.items.pop();
        let status = node.and_then(|node| node.status).unwrap_or_default();
        let mut addresses = status.addresses.into_iter().flatten();
        let address = addresses.find(|address| address.type_ == "InternalIP");
        let services: Api<Service> = Api::namespaced(self.client.clone(), NAMESPACE);
        let service = services.get("pavilion-router").await?;
        let mut ports = service
            .spec
            .and_then(|spec| spec.ports)
            .into_iter()
            .flatten();
        let port = ports
            .find_map(|port| port.node_port)
            .context("a port of the node")?;
        let address = address.context("an address of the node")?.address;
        Ok(format!("{address}:{port}").parse()?)
    }

    /// Applies all objects of a tenant; how long until it was Ready.
    pub async fn apply(&self, manifests: &Manifests, tenant: &str) -> Result<Duration> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let name = format!("pavilion-{tenant}");
        let label = ("pavilion.dev/tenant".to_owned(), tenant.to_owned());
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some([label].into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let params = PatchParams::apply("bench");
        let since = Instant::now();
        namespaces
            .patch(&name, &params, &Patch::Apply(&namespace))
            .await?;
        for object in manifests.objects() {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let kind = text(&object["kind"]).context("a kind")?;
            let name = text(&object["metadata"]["name"]).context("a name")?;
            self.patch(&kind, tenant, &name, &Patch::Apply(object))
                .await?;
        }
        self.until(tenant, "it is Ready", |tenant| {
            let status = tenant.status.as_ref();
            let mut conditions = status.into_iter().flat_map(|status| &status.conditions);
            conditions.any(|one| one.type_ == "Ready" && one.status == ConditionStatus::True)
        })
        .await?;
        Ok(since.elapsed())
    }

    /// Patches one object of ours.
    pub async fn patch(
        &self,
        kind: &str,
        tenant: &str,
        name: &str,
        patch: &Patch<&Value>,
    ) -> Result<()> {
        let kind = GroupVersionKind::gvk("pavilion.dev", "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&kind);
        let namespace = format!("pavilion-{tenant}");
        let api: Api<DynamicObject> = if kind.kind == "Tenant" {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &namespace, &resource)
        };
        api.patch(name, &PatchParams::apply("bench"), patch).await?;
        Ok(())
    }

    /// A tenant as it is now.
    pub async fn tenant(&self, name: &str) -> Result<Tenant> {
        Ok(Api::all(self.client.clone()).get(name).await?)
    }

    /// Looks at a tenant until something holds of it.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Tenant) -> bool,
    ) -> Result<()> {
        let since = Instant::now();
        while !holds(&self.tenant(name).await?) {
            ensure!(since.elapsed() < PATIENCE, "{name}: in vain until {what}");
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// What relying parties of a tenant trust, in PEM.
    pub async fn authority(&self, tenant: &str) -> Result<String> {
        let namespace = format!("pavilion-{tenant}");
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &namespace);
        let data = maps.get("pavilion").await?.data.unwrap_or_default();
        data.get("ca.crt").cloned().context("an authority")
    }

    /// The Secrets that say what the edge is to do.
    pub fn secrets(&self) -> Api<k8s_openapi::api::core::v1::Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }
}

fn install(kubeconfig: PathBuf) -> Result<()> {
    let [_, helm] = Helm::both()?;
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    let wait = [
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        "--wait",
        "--timeout=3m",
    ];
    for (release, settings) in [(CRDS_RELEASE, &SETTINGS[..0]), (RELEASE, &SETTINGS[..])] {
        let chart = chart(release).display().to_string();
        let line = [&kubeconfig, "upgrade", "--install", release, &chart];
        helm.succeed(&[&line[..], &wait, settings].concat())?;
    }
    Ok(())
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Err(error) = down(&self.directory, Some(&self.name)) {
            println!("{} stays up: {error:#}", self.name);
        }
    }
}
