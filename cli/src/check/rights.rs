//! Whether whoever asks may do what the quickstart does: make a tenant and what belongs to it.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use pavilion_crds::{GROUP, Kind, NAMESPACE_PREFIX};

use super::Line;
use crate::cluster::{Cluster, Trouble};

/// The tenant of the quickstart.
const TENANT: &str = "acme";
/// What `kubectl apply` does to an object.
const VERBS: [&str; 3] = ["get", "create", "patch"];

/// A kind of object.
struct Resource {
    group: &'static str,
    plural: &'static str,
    namespace: Option<String>,
}

/// A line for each kind.
pub async fn lines(cluster: &Cluster) -> Vec<Line> {
    let mut resources = vec![Resource {
        group: "",
        plural: "namespaces",
        namespace: None,
    }];
    // Where tenants are placed is not for those to say who make tenants.
    let kinds = Kind::ALL.into_iter();
    let kinds = kinds.filter(|kind| *kind == Kind::Tenant || kind.is_namespaced());
    resources.extend(kinds.map(|kind| {
        Resource {
            group: GROUP,
            plural: kind.plural(),
            namespace: kind
                .is_namespaced()
                .then(|| format!("{NAMESPACE_PREFIX}{TENANT}")),
        }
    }));
    join_all(resources.iter().map(|resource| line(cluster, resource))).await
}

async fn line(cluster: &Cluster, resource: &Resource) -> Line {
    let asked = VERBS.map(|verb| async move { (verb, may(cluster, resource, verb).await) });
    judge(resource, join_all(asked).await)
}

fn judge(resource: &Resource, answers: Vec<(&str, Result<bool, Trouble>)>) -> Line {
    let check = format!("you: {}", resource.plural);
    let within = resource.namespace.as_ref();
    let within = within.map_or_else(String::new, |namespace| format!(" in {namespace}"));
    let mut refused = Vec::new();
    for (verb, answer) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => refused.push(verb),
            Err(trouble) => return Line::unseen(check, &trouble),
        }
    }
    if refused.is_empty() {
        return Line::ok(check, format!("you may {} them{within}", VERBS.join(", ")));
    }
    Line::failed(
        check,
        format!("you may not {} them{within}", refused.join(", ")),
        "the quickstart does; ask who runs the cluster for a role that allows it",
    )
}

async fn may(cluster: &Cluster, resource: &Resource, verb: &str) -> Result<bool, Trouble> {
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client());
    let question = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(resource.group.to_owned()),
                resource: Some(resource.plural.to_owned()),
                namespace: resource.namespace.clone(),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = cluster
        .ask(api.create(&PostParams::default(), &question))
        .await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::super::report::Outcome;
    use super::*;

    #[test]
    fn every_verb_must_be_allowed() {
        let policies = Resource {
            group: GROUP,
            plural: "policies",
            namespace: Some("pavilion-acme".to_owned()),
        };
        let line = judge(&policies, vec![("get", Ok(true)), ("create", Ok(true))]);
        assert_eq!(line.outcome, Outcome::Ok);
        let line = judge(&policies, vec![("get", Ok(true)), ("patch", Ok(false))]);
        assert_eq!(line.outcome, Outcome::Failed);
        assert_eq!(line.found, "you may not patch them in pavilion-acme");
        let away = Trouble::Away("gone".to_owned());
        assert_eq!(
            judge(&policies, vec![("get", Err(away))]).outcome,
            Outcome::Failed
        );
    }
}
