//! cert-manager in the cluster that KUBECONFIG names: its definitions, and its own controllers beside the test, as an
//! account that policies hold like any other.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{tool, tools_with};

/// Where its account is, and the Secrets of its ClusterIssuers.
pub const CERT_MANAGER: &str = "cert-manager";
/// A ClusterIssuer that vouches for others, and the Secret with its authority.
pub const ORGANISATION: &str = "chart-test-organisation";

const DEFINITIONS: [&str; 6] = [
    "certificates.cert-manager.io",
    "certificaterequests.cert-manager.io",
    "issuers.cert-manager.io",
    "clusterissuers.cert-manager.io",
    "orders.acme.cert-manager.io",
    "challenges.acme.cert-manager.io",
];

/// Its controllers at work; they end when dropped.
pub struct CertManager {
    child: Child,
    _folder: TempDir,
}

impl CertManager {
    /// Takes it away, with whatever is of its kinds.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn remove() -> Result<()> {
        let line = ["delete", "customresourcedefinition", "--ignore-not-found"];
        kubectl(&[&line[..], &DEFINITIONS].concat(), None).map(drop)
    }

    /// Builds it where it is missing, installs it and starts it.
    ///
    /// # Errors
    /// The tool that cannot be built, or what kubectl says.
    pub fn start() -> Result<Self> {
        let tools = tools_with("certmanager")?;
        let definitions = tools.files("certmanager", "crds")?.display().to_string();
        kubectl(&["apply", "--server-side", "-f", &definitions], None)?;
        let established = ["wait", "--for=condition=Established", "--timeout=1m", "crd"];
        kubectl(&[&established[..], &DEFINITIONS].concat(), None)?;
        let folder = TempDir::new()?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, admit()?)?;
        let child = Command::new(tools.program("cert-manager")?)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(["--cluster-resource-namespace", CERT_MANAGER])
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()
            .context("cannot start cert-manager")?;
        Ok(Self {
            child,
            _folder: folder,
        })
    }

    /// Makes the ClusterIssuer [`ORGANISATION`]; the certificate of its authority.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn organisation(&self) -> Result<String> {
        let oneself = "chart-test-oneself";
        let issuer = |name: &str, spec: Value| {
            json!({
                "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
                "metadata": {"name": name}, "spec": spec,
            })
        };
        apply(&issuer(oneself, json!({"selfSigned": {}})))?;
        let spec = json!({
            "secretName": ORGANISATION, "isCA": true, "commonName": "Organisation",
            "privateKey": {"algorithm": "ECDSA", "size": 384},
            "issuerRef": {"name": oneself, "kind": "ClusterIssuer"},
        });
        self.certificate(CERT_MANAGER, ORGANISATION, &spec)?;
        apply(&issuer(
            ORGANISATION,
            json!({"ca": {"secretName": ORGANISATION}}),
        ))?;
        secret(CERT_MANAGER, ORGANISATION, "tls.crt")
    }

    /// Asks for a certificate and waits until it is there.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn certificate(&self, namespace: &str, name: &str, spec: &Value) -> Result<()> {
        let metadata = json!({"name": name, "namespace": namespace});
        apply(&json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": metadata, "spec": spec,
        }))?;
        let certificate = format!("certificate/{name}");
        let ready = [
            "wait",
            "--for=condition=Ready",
            "--timeout=1m",
            &certificate,
        ];
        kubectl(&[&["-n", namespace], &ready[..]].concat(), None).map(drop)
    }

    /// Has a certificate renewed before its time, as `cmctl renew` does.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn renew(&self, namespace: &str, name: &str) -> Result<()> {
        let get = ["-n", namespace, "get", "certificate", name, "-o", "json"];
        let mut found: Value = serde_json::from_str(&kubectl(&get, None)?)?;
        let conditions = found["status"]["conditions"].as_array_mut();
        conditions.context("it has no conditions yet")?.push(json!({
            "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "a test",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }));
        let replace = ["replace", "--subresource=status", "-f", "-"];
        kubectl(&replace, Some(&found.to_string())).map(drop)
    }
}

impl Drop for CertManager {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An entry of a Secret that is there.
///
/// # Errors
/// What kubectl says.
pub fn secret(namespace: &str, name: &str, entry: &str) -> Result<String> {
    let template = format!("go-template={{{{index .data {entry:?} | base64decode}}}}");
    kubectl(
        &["-n", namespace, "get", "secret", name, "-o", &template],
        None,
    )
}

/// Makes its account, which may do anything that roles can allow; the kubeconfig of it.
fn admit() -> Result<String> {
    let labels = json!({"pavilion.dev/chart-test": "true"});
    apply(&json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": CERT_MANAGER, "labels": labels},
    }))?;
    let account = json!({"name": "cert-manager", "namespace": CERT_MANAGER});
    apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}))?;
    let group = "rbac.authorization.k8s.io";
    apply(&json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": CERT_MANAGER},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "cert-manager", "namespace": CERT_MANAGER}],
    }))?;
    let token = ["-n", CERT_MANAGER, "create", "token", "cert-manager"];
    let token = kubectl(&token, None)?;
    let view = [
        "config",
        "view",
        "--raw",
        "--flatten",
        "--minify",
        "-o",
        "json",
    ];
    let mut kubeconfig: Value = serde_json::from_str(&kubectl(&view, None)?)?;
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    Ok(kubeconfig.to_string())
}

/// Applies an object.
///
/// # Errors
/// What kubectl says.
pub fn apply(object: &Value) -> Result<()> {
    let line = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    kubectl(&line, Some(&object.to_string())).map(drop)
}

/// What kubectl prints: the one that `KUBECTL` names, or the cluster harness built.
fn kubectl(arguments: &[&str], input: Option<&str>) -> Result<String> {
    let mut child = Command::new(tool("kubectl")?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start kubectl")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.unwrap_or_default().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "kubectl {}: {said}",
        arguments.join(" ")
    );
    Ok(String::from_utf8(output.stdout)?)
}
