//! An installation at rest writes nothing, as the API server itself has written down.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use pavilion_e2e_charts::NAMESPACE;
use pavilion_e2e_cluster::{AuditLog, Write};

use crate::stage::{Stage, TENANT_NAMESPACE, cluster, condition, eventually};

/// How long is looked, if `STEADY_SECONDS` does not say.
const SECONDS: u64 = 45;
/// What comes to rest has nothing to say for so long.
const CALM: Duration = Duration::from_secs(10);

/// What others tell of what is ours: Events, and what the cluster counts against a quota, as it does anew every five minutes.
const OF_OTHERS: [&str; 3] = ["events", "events.k8s.io/events", "resourcequotas/status"];

/// What is no write of an object that anybody keeps: the lease of the replica that writes is renewed by design, and a token
/// or a review is an answer.
const EXCEPTED: [&str; 4] = [
    "coordination.k8s.io/leases",
    "serviceaccounts/token",
    "authentication.k8s.io/tokenreviews",
    "authorization.k8s.io/subjectaccessreviews",
];

/// The log of the API server that KUBECONFIG names: what AUDIT_LOG says, or that of the harness's cluster.
fn audit_log() -> AuditLog {
    if let Some(path) = std::env::var_os("AUDIT_LOG") {
        return AuditLog::at(&PathBuf::from(path));
    }
    let cluster = cluster();
    cluster
        .expect("name the audit log of this API server in AUDIT_LOG: KUBECONFIG is no cluster of the harness")
        .audit_log()
}

fn is_excepted(write: &Write) -> bool {
    let resource = write.resource.as_str();
    EXCEPTED.contains(&resource) || OF_OTHERS.contains(&resource) && !is_by_us(write)
}

fn is_by_us(write: &Write) -> bool {
    let account = format!("system:serviceaccount:{NAMESPACE}:");
    write.user.starts_with(&account)
}

/// Made by us, or made to something of ours by anybody.
fn is_ours(write: &Write) -> bool {
    is_by_us(write)
        || write.resource.starts_with("pavilion.dev/")
        || [NAMESPACE, TENANT_NAMESPACE].contains(&write.namespace.as_str())
}

/// Who wrote what how often.
fn table(writes: &[Write]) -> String {
    let mut counts: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for write in writes {
        let agent = write.agent.split('/').next().unwrap_or_default();
        let verdict = match (is_excepted(write), is_ours(write)) {
            (true, _) => "excepted",
            (false, true) => "OURS",
            (false, false) => "the cluster's own",
        };
        let row = vec![
            write.user.as_str(),
            agent,
            write.verb.as_str(),
            write.resource.as_str(),
            write.namespace.as_str(),
            verdict,
        ];
        *counts.entry(row).or_default() += 1;
    }
    let rows = counts
        .iter()
        .map(|(row, count)| format!("| {} | {count} |", row.join(" | ")));
    let rows: Vec<String> = rows.collect();
    format!(
        "| user | program | verb | resource | namespace | | times |\n| --- | --- | --- | --- | --- | --- | --- |\n{}",
        rows.join("\n")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_at_rest_writes_nothing() {
    let _stage = Stage::set().await;
    let log = audit_log();
    let ours = |place: u64| {
        let mut writes = log.writes_after(place).unwrap();
        writes.retain(|write| is_ours(write) && !is_excepted(write));
        writes
    };
    // A test before may have left the probes with something to tell.
    eventually("the tenant is verified", || {
        condition("IsolationVerified") == "True IsolationVerified"
    });
    eventually("all is at rest", || {
        let place = log.end().unwrap();
        std::thread::sleep(CALM);
        ours(place).is_empty()
    });
    let seconds = std::env::var("STEADY_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().unwrap());
    let place = log.end().unwrap();
    std::thread::sleep(Duration::from_secs(seconds));
    let all = log.writes_after(place).unwrap();
    eprintln!("written in {seconds} s:\n{}", table(&all));
    assert_eq!(ours(place), []);
    // The log is kept, and the operator ran: its lease was renewed.
    let renewals = all.iter().filter(|write| {
        write.resource == "coordination.k8s.io/leases" && write.namespace == NAMESPACE
    });
    assert!(renewals.count() as u64 >= seconds / 2);
}
