//! Another release takes over, and hands back, while relying parties ask.

use pavilion_e2e_charts::{CRDS_RELEASE, Helm, NAMESPACE, RELEASE, chart};
use tempfile::TempDir;

use crate::{
    command::kubectl,
    stage::{
        PAVILION_SETTINGS, Stage, TENANT_NAMESPACE, apply_quickstart, eventually, install,
        install_with, until_ready,
    },
    traffic::{Traffic, longest},
};

/// What the release before is called. None has been published, so it is this checkout under a lower number, with
/// another log level: by that every pod differs, of the operator, of the edge and of each tenant.
const BEFORE: &str = "0.0.9";

/// As the guide on upgrading says for nodes that take longer to start a pod than the edge waits for it by default: on one that
/// does much else it was more than 20 s.
const PATIENT: &str = "--set=router.awaySeconds=60";

/// One Helm command that waits until operator and edge run as it says.
fn helm(helm: &Helm, arguments: &[&str]) {
    let wait = ["--namespace", NAMESPACE, "--wait", "--timeout=5m"];
    helm.succeed(&[arguments, &wait].concat()).unwrap();
}

/// Which pods there are, by what makes each another one.
fn pods(namespace: &str, of: &str) -> String {
    let selector = format!("app.kubernetes.io/component={of}");
    let uids = "jsonpath={.items[*].metadata.uid}";
    kubectl(&format!(
        "-n {namespace} get pods -l {selector} --field-selector=status.phase=Running -o {uids}"
    ))
}

/// The pods of all three kinds.
fn everyone() -> [String; 3] {
    [
        pods(NAMESPACE, "operator"),
        pods(NAMESPACE, "router"),
        pods(TENANT_NAMESPACE, "data-plane"),
    ]
}

/// Waits until none of the pods from before runs, and the tenant is Ready.
fn until_replaced(before: &[String; 3]) {
    eventually("every pod is another one", || {
        let now = everyone();
        before.iter().zip(&now).all(|(before, now)| {
            let mut gone = before.split(' ').filter(|uid| !uid.is_empty());
            !now.is_empty() && gone.all(|uid| !now.contains(uid))
        })
    });
    until_ready();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_from_the_release_before_and_the_way_back_fail_no_request() {
    let _stage = Stage::set().await;
    let [_, new] = Helm::both().unwrap();
    let folder = TempDir::new().unwrap();
    let to = folder.path().display().to_string();
    for name in ["pavilion-crds", "pavilion"] {
        let from = chart(name).display().to_string();
        let line = ["package", &from, "--version", BEFORE, "--destination", &to];
        new.succeed(&line).unwrap();
    }
    let old = |name: &str| format!("{to}/{name}-{BEFORE}.tgz");
    helm(&new, &["upgrade", CRDS_RELEASE, &old("pavilion-crds")]);
    let settings = [&PAVILION_SETTINGS[..], &[PATIENT, "--set=logLevel=debug"]].concat();
    let pavilion = old("pavilion");
    let line = [&["upgrade", RELEASE, &pavilion], &settings[..]].concat();
    let before = everyone();
    helm(&new, &line);
    until_replaced(&before);
    apply_quickstart();

    let traffic = Traffic::start().await;
    let (asked, before) = (traffic.go_on().await, everyone());
    install_with(&[PATIENT]);
    until_replaced(&before);
    let (upgraded, before) = (traffic.go_on().await, everyone());
    helm(&new, &["rollback", RELEASE]);
    until_replaced(&before);
    let back = traffic.go_on().await;

    let tally = traffic.stop().await;
    eprintln!(
        "{asked} answers before the upgrade, {} until after it, {} until after the way back; the slowest took {:?}",
        upgraded - asked,
        back - upgraded,
        longest(&tally)
    );
    assert_eq!(tally.refused, Vec::<String>::new(), "was refused");
    assert_eq!(tally.unanswered, Vec::<String>::new(), "got no answer");
    install();
    until_ready();
}
