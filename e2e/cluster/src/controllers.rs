//! The controller manager and the scheduler.
//!
//! Both are started when the API server is ready and not before: earlier they may not yet read what tells them how
//! to check their own callers, because the first roles are not there, and they end for good.

use anyhow::Result;

use crate::credentials::Credentials;
use crate::plan::Plan;
use crate::process::Program;
use crate::tools::Tools;

/// The controller manager.
pub fn manager(plan: &Plan, tools: &Tools, pki: &Credentials) -> Result<Program> {
    let mut arguments = of_both(pki, "controller-manager");
    arguments.extend([
        "--use-service-account-credentials".to_owned(),
        format!(
            "--service-account-private-key-file={}",
            pki.file("tokens.key")
        ),
        format!("--root-ca-file={}", pki.file("ca.crt")),
        format!("--cluster-signing-cert-file={}", pki.file("ca.crt")),
        format!("--cluster-signing-key-file={}", pki.file("ca.key")),
        "--allocate-node-cidrs=true".to_owned(),
        format!("--cluster-cidr={}", plan.pods()),
        format!("--service-cluster-ip-range={}", plan.services()),
        // A test that waits for its volume waits for this.
        "--pvclaimbinder-sync-period=1s".to_owned(),
    ]);
    let binary = tools.program("kube-controller-manager")?;
    Ok(Program::new("controller-manager", binary, arguments))
}

/// The scheduler.
pub fn scheduler(tools: &Tools, pki: &Credentials) -> Result<Program> {
    let binary = tools.program("kube-scheduler")?;
    Ok(Program::new("scheduler", binary, of_both(pki, "scheduler")))
}

fn of_both(pki: &Credentials, name: &str) -> Vec<String> {
    let kubeconfig = pki.kubeconfig(name);
    let kubeconfig = kubeconfig.display();
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--bind-address=127.0.0.1".to_owned(),
        // There is one of each.
        "--leader-elect=false".to_owned(),
        "--profiling=false".to_owned(),
    ]
}
