//! The operator's own `/livez /readyz /metrics /status`, over a unix socket or a TCP address.

use std::sync::Arc;

use pavilion_process::{Exit, Health, HealthServer, Listen, Metrics};

use crate::host::StateDir;

/// Serves in the background until the process ends. A socket lies in the state directory.
///
/// # Errors
/// [`Exit::Unavailable`] when the address is taken.
pub async fn serve(
    listen: &Listen,
    state: &Arc<StateDir>,
    health: Health,
    metrics: Metrics,
) -> Result<(), Exit> {
    let server = match listen {
        Listen::Unix(path) => HealthServer::bind(&Listen::Unix(state.short(path))).await?,
        Listen::Tcp(_) => HealthServer::bind(listen).await?,
    };
    let state = Arc::clone(state);
    tokio::spawn(async move {
        // The socket's file is removed by a short path, which is good as long as the state directory
        // is open: what is named first is dropped last.
        let _state = state;
        server.serve(health, metrics).await;
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_process::Identity;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
    };

    use super::*;

    #[tokio::test]
    async fn readiness_follows_the_checks_and_every_page_answers() {
        let identity = Identity {
            name: "pavilion-operator",
            version: "1",
            about: "",
        };
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let (health, metrics) = (Health::new(identity), Metrics::new(&identity));
        let check = health.register_check("objects");
        let listen = Listen::Unix("health.sock".into());
        serve(&listen, &state, health, metrics).await.unwrap();
        let ask = async |page: &str| {
            let mut stream = UnixStream::connect(folder.path().join("health.sock"))
                .await
                .unwrap();
            let request = format!("GET {page} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        assert!(ask("/readyz").await.starts_with("HTTP/1.1 503"));
        check.set_ok();
        assert!(ask("/readyz").await.ends_with("objects: ok\n"));
        assert!(ask("/livez").await.ends_with("ok\n"));
        assert!(ask("/metrics").await.contains("pavilion_build_info"));
        assert!(ask("/status").await.contains("\"ready\":true"));
        assert!(ask("/").await.starts_with("HTTP/1.1 404"));
    }
}
