//! A listener that answers each byte with the next one, and clients for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pavilion_process::mutual_tls::{Credentials, Listener, Settings, client_config};
use pavilion_process::{Context, Health, Identity, Metrics, Shutdown};
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::roots::{CLIENT, Leaf, Mount, Root, SERVER};

/// Longer than anything here takes; only there so that a broken test ends.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Door {
    pub root: Root,
    pub mount: Mount,
    pub address: SocketAddr,
    pub context: Context,
    /// How many connections were handed out.
    pub let_in: Arc<AtomicUsize>,
    pub folder: TempDir,
    serving: JoinHandle<()>,
}

impl Door {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new();
        let mount = Mount::new(&folder.path().join("server"), &root.pem, &root.server());
        let context = context();
        let mut listener = Listener::bind(&settings(&mount), &context).await.unwrap();
        let address = listener.address().unwrap();
        let let_in = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&let_in);
        let serving = tokio::spawn(async move {
            loop {
                let mut stream = listener.accept().await;
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        stream.write_u8(byte + 1).await.unwrap();
                        stream.flush().await.unwrap();
                    }
                });
            }
        });
        Self {
            root,
            mount,
            address,
            context,
            let_in,
            folder,
            serving,
        }
    }

    /// The TLS configuration of a client with this certificate, which trusts this root.
    pub fn client(&self, leaf: &Leaf, ca: &str) -> Arc<ClientConfig> {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mount = Mount::new(folder.path(), ca, leaf);
        let read = Credentials::read(&mount.ca(), &mount.certificate(), &mount.key()).unwrap();
        client_config(&read).unwrap()
    }

    /// The client that may come in.
    pub fn router(&self) -> Arc<ClientConfig> {
        self.client(&self.root.client(), &self.root.pem)
    }

    /// Comes in and is answered, or why not.
    pub async fn knock(&self, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let knocking = async {
            let stream = TcpStream::connect(self.address).await?;
            let name = SERVER.try_into().unwrap();
            let mut stream = TlsConnector::from(config).connect(name, stream).await?;
            answered(&mut stream).await?;
            Ok(stream)
        };
        timeout(PATIENCE, knocking).await.expect("no answer ever")
    }

    /// Waits until this client gets in.
    pub async fn until_in(&self, config: &Arc<ClientConfig>) {
        while self.knock(Arc::clone(config)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The metrics page has this line.
    pub fn counts(&self, line: &str) -> bool {
        let page = self.context.metrics.render().unwrap();
        page.lines().any(|counted| counted == line)
    }

    /// So many handshakes came to this.
    pub async fn until_counted(&self, result: &str, count: usize) {
        let line = format!("pavilion_mutual_tls_handshakes_total{{result=\"{result}\"}} {count}");
        self.until(|| self.counts(&line), &line).await;
    }

    /// What the check `tls` says.
    pub fn check(&self) -> String {
        let status = self.context.health.status();
        assert!(status.ready, "it serves all the time");
        status.checks[0].reason.clone()
    }

    /// Waits until something has come about.
    pub async fn until(&self, come_about: impl Fn() -> bool, what: &str) {
        let waiting = async {
            while !come_about() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let page = || self.context.metrics.render().unwrap();
        let waited = timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "never {what}: {}", page());
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Sends a byte and hears the next one.
pub async fn answered(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    stream.write_u8(7).await?;
    stream.flush().await?;
    assert_eq!(stream.read_u8().await?, 8);
    Ok(())
}

pub fn settings(mount: &Mount) -> Settings {
    Settings {
        address: "127.0.0.1:0".parse().unwrap(),
        certificate_file: mount.certificate(),
        key_file: mount.key(),
        client_ca_file: mount.ca(),
        client_name: CLIENT.to_owned(),
    }
}

pub fn context() -> Context {
    let identity = Identity {
        name: "pavilion-test",
        version: "0.0.0",
        about: "Tests.",
    };
    Context {
        health: Health::new(identity),
        metrics: Metrics::new(&identity),
        shutdown: Shutdown::default(),
    }
}
