//! The tenant that is made for a trial.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, PostParams};
use kube::core::DynamicObject;
use pavilion_crds::{API_VERSION, Kind, NAMESPACE_PREFIX};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::Url;

use super::actors::{Actors, CREDENTIAL, ISSUER, RELYING_PARTY};
use crate::args::TryArgs;
use crate::cluster::{Cluster, Trouble};
use crate::exit::{Exit, Failure};

/// What is asked.
pub const POLICY: &str = "over18";
/// What for.
pub const PURPOSE: &str = "trial";
/// With which evidence.
pub const EVIDENCE: &str = "pid";

/// Says that a tenant was made for a trial, so that the next may remove it.
const MARK: (&str, &str) = ("app.kubernetes.io/managed-by", "kubectl-pavilion-try");
/// Where a tenant's root certificate is published.
const PUBLISHED: (&str, &str) = ("pavilion", "ca.crt");
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A tenant of this name.
pub struct TrialTenant<'a> {
    cluster: &'a Cluster,
    name: &'a str,
    region: &'a str,
    namespace: String,
    patience: Duration,
}

/// Whom to ask, and where.
pub struct Shop {
    /// The issuer of answers.
    pub issuer: String,
    /// The same, read.
    pub server: Url,
    /// The file of the root it is trusted by.
    pub root: PathBuf,
    /// Where the edge is.
    pub edge: SocketAddr,
}

impl<'a> TrialTenant<'a> {
    /// As the command line names it; nothing is made yet.
    pub fn new(cluster: &'a Cluster, args: &'a TryArgs) -> Self {
        Self {
            cluster,
            name: &args.tenant,
            region: &args.region,
            namespace: format!("{NAMESPACE_PREFIX}{}", args.tenant),
            patience: Duration::from_secs(args.timeout),
        }
    }

    fn tenants(&self) -> Api<DynamicObject> {
        self.cluster.ours(Kind::Tenant, None)
    }

    /// Makes the Tenant and what belongs to it. One that an earlier trial left is removed first.
    pub async fn make(&self, actors: &Actors) -> Result<(), Failure> {
        match self.found().await? {
            Some(found) if is_of_a_trial(&found) => {
                self.remove().await?;
            }
            Some(_) => {
                let message = format!("there is a Tenant {} that no trial made", self.name);
                return Err(Failure::usage(message).note("hint", "name another with --tenant"));
            }
            None => {}
        }
        let begun = Instant::now();
        for (kind, object) in self.manifests(actors) {
            let api = match kind {
                Kind::Tenant => self.tenants(),
                _ => self.cluster.ours(kind, Some(&self.namespace)),
            };
            self.create(&api, &object, begun).await?;
        }
        Ok(())
    }

    /// Creates an object, as soon as its namespace is there.
    async fn create(
        &self,
        api: &Api<DynamicObject>,
        object: &Value,
        begun: Instant,
    ) -> Result<(), Failure> {
        let object: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| Failure::file(format!("no manifest: {error}")))?;
        loop {
            let params = PostParams::default();
            match self.cluster.ask(api.create(&params, &object)).await {
                Ok(_) => return Ok(()),
                Err(Trouble::NoObject) if begun.elapsed() < self.patience => {}
                Err(Trouble::NoObject) => {
                    return Err(self.overdue("the namespace was not made").await);
                }
                Err(trouble) => return Err(self.cluster.failure(&trouble)),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until it is Ready with its policy, and says whom to ask and how long that took.
    pub async fn ready(
        &self,
        actors: &Actors,
        edge: SocketAddr,
    ) -> Result<(Shop, String), Failure> {
        let begun = Instant::now();
        loop {
            let found = self.found().await?;
            let status = found
                .as_ref()
                .map_or(&Value::Null, |found| &found.data["status"]);
            if is_ready(status) {
                break;
            }
            if begun.elapsed() > self.patience {
                return Err(self.overdue("the tenant is not Ready").await);
            }
            sleep(LOOK_EVERY).await;
        }
        let took = begun.elapsed();
        let found = self.found().await?;
        let issuer = found
            .as_ref()
            .and_then(|found| found.data["status"]["issuer"].as_str());
        let issuer = issuer.unwrap_or_default().to_owned();
        let server = issuer.parse().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("its issuer {issuer:?} is no URL: {error}"),
            )
        })?;
        let root = actors.keep("ca.crt", &self.root().await?)?;
        let shop = Shop {
            issuer,
            server,
            root,
            edge,
        };
        Ok((shop, format!("Ready after {:.1} s", took.as_secs_f64())))
    }

    /// Removes it and waits until it is gone.
    pub async fn remove(&self) -> Result<String, Failure> {
        let begun = Instant::now();
        let (tenants, params) = (self.tenants(), DeleteParams::default());
        match self.cluster.ask(tenants.delete(self.name, &params)).await {
            Ok(_) | Err(Trouble::NoObject) => {}
            Err(trouble) => return Err(self.cluster.failure(&trouble)),
        }
        while self.found().await?.is_some() {
            if begun.elapsed() > self.patience {
                return Err(self.overdue("the tenant is still there").await);
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(format!("gone after {:.1} s", begun.elapsed().as_secs_f64()))
    }

    async fn found(&self) -> Result<Option<DynamicObject>, Failure> {
        match self.cluster.ask(self.tenants().get(self.name)).await {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::NoObject) => Ok(None),
            Err(trouble) => Err(self.cluster.failure(&trouble)),
        }
    }

    /// The root certificate that relying parties trust it by.
    async fn root(&self) -> Result<String, Failure> {
        let (name, key) = PUBLISHED;
        let maps: Api<ConfigMap> = Api::namespaced(self.cluster.client(), &self.namespace);
        let found = self.cluster.ask(maps.get(name)).await;
        let map = found.map_err(|trouble| self.cluster.failure(&trouble))?;
        let root = map.data.and_then(|mut data| data.remove(key));
        root.ok_or_else(|| Failure::new(Exit::Failed, format!("the ConfigMap {name} has no {key}")))
    }

    /// What took too long, and what the tenant says of it.
    async fn overdue(&self, what: &str) -> Failure {
        let found = self.found().await.ok().flatten();
        let said = found
            .as_ref()
            .and_then(|found| unwell(&found.data["status"]));
        let seconds = self.patience.as_secs();
        let failure = Failure::new(Exit::Failed, format!("{what} after {seconds} s"));
        let failure = match said {
            Some(said) => failure.note("it says", said),
            None => failure,
        };
        failure.note("hint", format!("kubectl pavilion why {}", self.name))
    }

    fn manifests(&self, actors: &Actors) -> [(Kind, Value); 4] {
        let object = |kind: Kind, name: &str, spec: Value| {
            let namespace = kind.is_namespaced().then_some(&self.namespace);
            let metadata = json!({
                "name": name, "namespace": namespace, "labels": {MARK.0: MARK.1},
            });
            let object = json!({
                "apiVersion": API_VERSION, "kind": kind.name(), "metadata": metadata, "spec": spec,
            });
            (kind, object)
        };
        let host = format!("{}.pavilion.internal", self.name);
        let tenant = json!({
            "regions": [self.region], "ingress": {"hosts": [host]}, "deletionPolicy": "Delete",
        });
        let anchor = json!({
            "credentialTypes": [CREDENTIAL],
            "issuers": [{"issuer": ISSUER, "jwks": actors.issuer_keys()}],
            "status": {"required": false},
        });
        let policy = json!({
            "title": "Is over 18",
            "purposes": [PURPOSE],
            "evidence": [{
                "id": EVIDENCE, "format": "dc+sd-jwt", "types": [CREDENTIAL], "trust": ["issuers"],
                "claims": [{"id": "birthdate", "path": ["birthdate"]}],
            }],
            "rule": {"claim": format!("{EVIDENCE}.birthdate"), "age": {"atLeast": 18}},
        });
        let relying_party = json!({
            "authentication": {"privateKeyJwt": {"jwks": actors.relying_party_keys()}},
            "purposes": [PURPOSE],
            "policies": [POLICY],
        });
        [
            object(Kind::Tenant, self.name, tenant),
            object(Kind::TrustAnchor, "issuers", anchor),
            object(Kind::Policy, POLICY, policy),
            object(Kind::RelyingParty, RELYING_PARTY, relying_party),
        ]
    }
}

fn is_of_a_trial(object: &DynamicObject) -> bool {
    let (key, value) = MARK;
    let labels = object.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(key))
        .is_some_and(|found| found == value)
}

/// Whether it serves its policy.
fn is_ready(status: &Value) -> bool {
    status["policies"] == "1/1"
        && condition(status, "Ready").is_some_and(|ready| ready["status"] == "True")
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = status["conditions"].as_array();
    conditions?
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// Why it is not Ready, in its own words.
fn unwell(status: &Value) -> Option<String> {
    let ready = condition(status, "Ready")?;
    let (reason, message) = (ready["reason"].as_str()?, ready["message"].as_str()?);
    (ready["status"] != "True").then(|| format!("{reason}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_ready_once_it_serves_the_policy() {
        let status = |ready: &str, policies: &str| {
            let ready = json!({"type": "Ready", "status": ready, "reason": "R", "message": "m"});
            json!({"conditions": [ready], "policies": policies})
        };
        assert!(is_ready(&status("True", "1/1")));
        assert!(!is_ready(&status("True", "0/0")));
        assert!(!is_ready(&status("False", "1/1")));
        assert!(!is_ready(&Value::Null));
        assert_eq!(unwell(&status("False", "1/1")).as_deref(), Some("R: m"));
        assert_eq!(unwell(&status("True", "1/1")), None);
    }
}
