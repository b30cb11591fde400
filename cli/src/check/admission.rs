//! Whether Pod Security admission is at work. It refuses a namespace whose level it does not know; a cluster
//! without it takes the label for any other. The question is a dry run: nothing is made.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};

use super::Line;
use crate::cluster::{Cluster, Trouble};

const CHECK: &str = "Pod Security";
const LABEL: &str = "pod-security.kubernetes.io/enforce";

/// What becomes of a namespace with a level that does not exist.
pub async fn line(cluster: &Cluster) -> Line {
    let api: Api<Namespace> = Api::all(cluster.client());
    let namespace = Namespace {
        metadata: ObjectMeta {
            generate_name: Some("pod-security-check-".to_owned()),
            labels: Some(BTreeMap::from([(
                LABEL.to_owned(),
                "no-such-level".to_owned(),
            )])),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    judge(cluster.ask(api.create(&params, &namespace)).await.map(drop))
}

fn judge(answer: Result<(), Trouble>) -> Line {
    match answer {
        Ok(()) => Line::failed(
            CHECK,
            "admission is switched off: a level that does not exist is taken",
            "enable the API server's admission plugin PodSecurity; tenants are confined by it",
        ),
        Err(Trouble::Refused(_, said)) if said.contains(LABEL) => {
            Line::ok(CHECK, "admission judges namespaces by their labels")
        }
        Err(Trouble::Forbidden(_)) => Line::warning(
            CHECK,
            "cannot be tried: you may not create namespaces, not even as a dry run",
            "let somebody check who may",
        ),
        Err(Trouble::Refused(_, said)) => Line::warning(
            CHECK,
            format!("cannot be told: something else refuses the trial: {said}"),
            "see what refuses a namespace without further labels",
        ),
        Err(trouble) => Line::unseen(CHECK, &trouble),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Outcome;
    use super::*;

    #[test]
    fn only_its_own_refusal_shows_that_it_is_at_work() {
        let own = "Namespace \"x\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value";
        assert_eq!(
            judge(Err(Trouble::Refused(422, own.to_owned()))).outcome,
            Outcome::Ok
        );
        let other = Trouble::Refused(400, "a quota is full".to_owned());
        assert_eq!(judge(Err(other)).outcome, Outcome::Warning);
        let no = Trouble::Forbidden("namespaces is forbidden".to_owned());
        assert_eq!(judge(Err(no)).outcome, Outcome::Warning);
        assert_eq!(judge(Ok(())).outcome, Outcome::Failed);
    }
}
