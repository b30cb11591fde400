//! The API server.

use anyhow::Result;

use crate::audit;
use crate::credentials::Credentials;
use crate::etcd;
use crate::node::Node;
use crate::plan::Plan;
use crate::process::Program;
use crate::tools::Tools;

/// The API server, as it runs on the node.
pub fn program(node: &Node, plan: &Plan, tools: &Tools, pki: &Credentials) -> Result<Program> {
    let mut arguments = serving(node, pki);
    arguments.extend(calling(pki));
    arguments.extend(identities(pki));
    arguments.extend(audit::arguments(node)?);
    arguments.extend([
        format!("--service-cluster-ip-range={}", plan.services()),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--anonymous-auth=false".to_owned(),
        "--profiling=false".to_owned(),
    ]);
    let binary = tools.program("kube-apiserver")?;
    Ok(Program::new("apiserver", binary, arguments))
}

fn serving(node: &Node, pki: &Credentials) -> Vec<String> {
    vec![
        format!("--bind-address={}", node.address),
        format!("--advertise-address={}", node.address),
        "--secure-port=6443".to_owned(),
        format!("--tls-cert-file={}", pki.file("apiserver.crt")),
        format!("--tls-private-key-file={}", pki.file("apiserver.key")),
    ]
}

fn calling(pki: &Credentials) -> Vec<String> {
    vec![
        format!("--etcd-servers={}", etcd::CLIENTS),
        format!("--etcd-cafile={}", pki.file("ca.crt")),
        format!("--etcd-certfile={}", pki.file("apiserver-etcd.crt")),
        format!("--etcd-keyfile={}", pki.file("apiserver-etcd.key")),
        format!("--kubelet-certificate-authority={}", pki.file("ca.crt")),
        format!(
            "--kubelet-client-certificate={}",
            pki.file("apiserver-kubelet.crt")
        ),
        format!("--kubelet-client-key={}", pki.file("apiserver-kubelet.key")),
        // The names of nodes resolve nowhere.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        format!("--proxy-client-cert-file={}", pki.file("front-proxy.crt")),
        format!("--proxy-client-key-file={}", pki.file("front-proxy.key")),
    ]
}

fn identities(pki: &Credentials) -> Vec<String> {
    vec![
        format!("--client-ca-file={}", pki.file("ca.crt")),
        format!("--requestheader-client-ca-file={}", pki.file("ca.crt")),
        "--requestheader-allowed-names=front-proxy".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", pki.file("tokens.pub")),
        format!(
            "--service-account-signing-key-file={}",
            pki.file("tokens.key")
        ),
    ]
}
