//! Kubeconfig files: JSON, which is YAML, with everything in one file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::certificates::Authority;
use crate::directory::write;

/// Writes the kubeconfig of whoever has `<pki>/<name>.crt`.
pub fn write_for(
    path: &Path,
    server: &str,
    cluster: &str,
    authority: &Authority,
    pki: &Path,
    name: &str,
) -> Result<()> {
    let ca = encoded(&authority.certificate())?;
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": name}}],
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": name, "user": {
            "client-certificate-data": encoded(&pki.join(format!("{name}.crt")))?,
            "client-key-data": encoded(&pki.join(format!("{name}.key")))?,
        }}],
    });
    // It is empty until only root can read it.
    write(path, "")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    write(path, serde_json::to_vec_pretty(&config)?)
}

fn encoded(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::certificates::Subject;

    #[test]
    fn a_kubeconfig_carries_its_credentials_and_is_for_root_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let pki = folder.path();
        let authority = Authority::make(pki).unwrap();
        let subject = Subject {
            user: "admin",
            group: None,
            served: Vec::new(),
        };
        authority.issue(pki, "admin", &subject).unwrap();
        let path = pki.join("kubeconfig");
        write_for(
            &path,
            "https://172.31.0.1:6443",
            "c1",
            &authority,
            pki,
            "admin",
        )
        .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let config: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            config["clusters"][0]["cluster"]["server"],
            "https://172.31.0.1:6443"
        );
        let key = config["users"][0]["user"]["client-key-data"]
            .as_str()
            .unwrap();
        let key = STANDARD.decode(key).unwrap();
        assert_eq!(key, fs::read(pki.join("admin.key")).unwrap());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
