//! A fresh control plane with our custom resources.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use pavilion_e2e_cluster::{Cluster, ClusterName, Directory, down, recorded};
use tokio::time::sleep;

use crate::usage::processor;

/// The operator's namespace.
pub const NAMESPACE: &str = "pavilion-system";
const PATIENCE: Duration = Duration::from_mins(1);

/// A control plane; it goes when this is dropped.
pub struct Site {
    directory: Directory,
    name: ClusterName,
    /// What runs of it, by pid.
    programs: Vec<(String, u32)>,
    /// Its administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Its administrator.
    pub client: Client,
}

impl Site {
    /// Brings one up that has nothing but our definitions and the operator's namespace.
    pub async fn fresh(name: &str) -> Result<Self> {
        let directory = Directory::usual()?;
        let name: ClusterName = name.parse()?;
        let cluster = Cluster::control_plane(&directory, &name)?;
        let kubeconfig = cluster.kubeconfig();
        let records = cluster.nodes().into_iter().flat_map(|node| recorded(&node));
        let programs = records.map(|(name, record)| Ok((name, u32::try_from(record.pid)?)));
        let programs = programs.collect::<Result<_>>()?;
        let read = Kubeconfig::read_from(&kubeconfig)?;
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        let site = Self {
            directory,
            name,
            programs,
            kubeconfig,
            client: Client::try_from(config)?,
        };
        site.define().await?;
        let namespaces: Api<Namespace> = Api::all(site.client.clone());
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
        Ok(site)
    }

    /// Processor time that its programs have spent so far, in seconds.
    pub fn processor(&self) -> Result<Vec<(String, f64)>> {
        let programs = self.programs.iter();
        let spent = programs.map(|(name, pid)| Ok((name.clone(), processor(*pid)?.as_secs_f64())));
        spent.collect()
    }

    async fn define(&self) -> Result<()> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let params = PatchParams::apply("bench").force();
        for definition in pavilion_crds::all() {
            let name = definition.name_any();
            definitions
                .patch(&name, &params, &Patch::Apply(&definition))
                .await?;
            let since = Instant::now();
            while !is_established(&definitions.get(&name).await?) {
                ensure!(since.elapsed() < PATIENCE, "{name} is not established");
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let status = definition.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Established" && condition.status == "True")
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Err(error) = down(&self.directory, Some(&self.name)) {
            println!("{} stays up: {error:#}", self.name);
        }
    }
}
