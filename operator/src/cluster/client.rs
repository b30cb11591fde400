//! The way to the API server.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use pavilion_process::Exit;

/// How long a connection may take to come about.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);

/// How long nothing may come on a connection: longer than a watch lasts, which the API server ends
/// after five minutes. Every other request has a shorter limit of its own.
const READ_TIME_OUT: Duration = Duration::from_secs(330);

/// A client by a kubeconfig, or by what a pod or the environment offers.
///
/// # Errors
/// [`Exit::ConfigRefused`] when there is no way to an API server.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Exit> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::infer().await.map_err(|error| {
            refused(&format!(
                "{error}; give --kubeconfig, or run in a pod with a service account"
            ))
        })?,
    };
    config.connect_timeout = Some(CONNECT_TIME_OUT);
    config.read_timeout = Some(READ_TIME_OUT);
    config.write_timeout = Some(CONNECT_TIME_OUT);
    // Whoever asks tries again, and asks the lease before; a write that is sent again on its own might come after it.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| refused(&error.to_string()))
}

async fn from_file(path: &Path) -> Result<Config, Exit> {
    let refuse = |error: &dyn std::fmt::Display| refused(&format!("{}: {error}", path.display()));
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| refuse(&error))?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| refuse(&error))
}

fn refused(why: &str) -> Exit {
    Exit::ConfigRefused(format!("there is no way to the API server: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use k8s_openapi::api::core::v1::Namespace;
    use kube::Api;
    use pavilion_process::crypto;
    use serde_json::json;
    use tempfile::TempDir;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::mpsc,
    };

    use super::*;

    #[tokio::test]
    async fn nothing_is_asked_again_but_by_whoever_asked() {
        crypto::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let (tell, mut asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                tell.send(()).unwrap();
                let answer = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("kubeconfig.json");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{"name": "one", "cluster": {"server": server}}],
            "users": [{"name": "one", "user": {}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        });
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let client = connect(Some(&path)).await.unwrap();
        let namespaces: Api<Namespace> = Api::all(client);
        assert!(namespaces.get("any").await.is_err());
        assert!(asked.try_recv().is_ok());
        assert!(asked.try_recv().is_err());
    }
}
