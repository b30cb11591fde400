//! A router that follows an operator, and states for it.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use pavilion_bundle::{Certificate, Document, Route, RouteTable, TlsTarget, Upstream as Target};
use pavilion_json::Digest;
use pavilion_process::health::Status;
use pavilion_process::mutual_tls::{Listener, Settings};
use pavilion_process::{Context, Listen, crypto};
use pavilion_router::{Config, Operator, Router};
use pavilion_rpc::routes::Seen;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;

use crate::replica::{OPERATOR, Told};
use crate::roots::{CLIENT, Leaf, Mount, Root, SERVER};
use crate::stage::{PATIENCE, context};
use crate::upstream::Upstream;

/// A router; it is killed when dropped.
pub struct Fed {
    pub context: Context,
    pub address: SocketAddr,
    running: JoinHandle<()>,
}

/// The files by which a router proves itself.
pub fn identity(folder: &Path, root: &Root, leaf: &Leaf) -> Mount {
    Mount::new(&folder.join("identity"), &root.pem, leaf)
}

impl Fed {
    /// Starts one that keeps everything in `folder`, where [`identity`] has put its certificate.
    pub async fn start(folder: &Path, operator: impl ToString) -> Self {
        crypto::install();
        let any = "127.0.0.1:0".parse().unwrap();
        let state = folder.join("state");
        std::fs::create_dir_all(&state).unwrap();
        let mut config = Config::new(Listen::Tcp(any), vec![any], state.join("routes.json"));
        let file = |name: &str| folder.join("identity").join(name);
        config.operator = Some(Operator {
            address: operator.to_string(),
            server_name: OPERATOR.to_owned(),
            ca_file: file("ca.crt"),
            certificate_file: file("tls.crt"),
            key_file: file("tls.key"),
        });
        let context = context();
        let router = Router::bind(config, context.clone()).await.unwrap();
        Self {
            address: router.addresses()[0],
            context,
            running: tokio::spawn(router.run()),
        }
    }

    pub fn status(&self) -> Status {
        self.context.health.status()
    }

    pub fn version(&self) -> Option<u64> {
        self.status().served.map(|served| served.version)
    }

    /// What is amiss about operators.
    pub fn reservation(&self) -> String {
        let checks = self.status().checks;
        let check = checks.into_iter().find(|check| check.name == "operator");
        let check = check.unwrap();
        assert!(check.ok, "no operator is no reason to take no requests");
        check.reason
    }

    /// Waits for something to come about.
    pub async fn until(&self, what: &str, come_about: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !come_about(self) {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "never: {what}: {:?}", self.status());
    }

    pub async fn until_version(&self, version: u64) {
        let what = format!("version {version}");
        self.until(&what, |fed| fed.version() == Some(version))
            .await;
    }

    /// The body of one answer to `a.example`, with its status.
    pub async fn ask(&self, tenant: &Tenant) -> (u16, String) {
        let shown = CertificateDer::from_pem_slice(tenant.shown.certificate.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(shown).unwrap();
        let tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .resolve(&tenant.host, self.address)
            .build()
            .unwrap();
        let url = format!("https://{}:{}/", tenant.host, self.address.port());
        let answer = client.post(url).body("hello").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Ends it at once and waits for that.
    pub async fn kill(mut self) {
        self.running.abort();
        let _ = (&mut self.running).await;
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A tenant as the operator tells of it.
#[derive(Clone)]
pub struct Tenant {
    pub name: String,
    pub host: String,
    pub address: SocketAddr,
    pub max_body_bytes: u64,
    pub shown: Leaf,
    ca: String,
    edge: Leaf,
}

impl Tenant {
    /// One whose pod is away.
    pub fn new(name: &str, host: &str) -> Self {
        let root = Root::new();
        let nowhere = "127.0.0.1:9".parse().unwrap();
        Self::of(&root, name, host, nowhere)
    }

    fn of(root: &Root, name: &str, host: &str, address: SocketAddr) -> Self {
        let shown = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            address,
            max_body_bytes: 1_000,
            shown: Leaf {
                certificate: shown.cert.pem(),
                key: shown.signing_key.serialize_pem(),
            },
            ca: root.pem.clone(),
            edge: root.client(),
        }
    }

    /// One with a program behind it, which tells its name.
    pub async fn with_pod(folder: &Path, name: &str, host: &str) -> (Self, Upstream) {
        let root = Root::new();
        let own = Mount::new(
            &folder.join(format!("pod-{name}")),
            &root.pem,
            &root.server(),
        );
        let settings = Settings {
            address: "127.0.0.1:0".parse().unwrap(),
            certificate_file: own.certificate(),
            key_file: own.key(),
            client_ca_file: own.ca(),
            client_name: CLIENT.to_owned(),
        };
        let listener = Listener::bind(&settings, &context()).await.unwrap();
        let address = listener.address().unwrap();
        (
            Self::of(&root, name, host, address),
            Upstream::behind(listener, "pod"),
        )
    }

    fn files(&self) -> [&str; 5] {
        let (shown, edge) = (&self.shown, &self.edge);
        [
            &shown.certificate,
            &shown.key,
            &self.ca,
            &edge.certificate,
            &edge.key,
        ]
    }

    pub fn route(&self) -> Route {
        let [
            chain_file,
            key_file,
            ca_file,
            certificate_file,
            edge_key_file,
        ] = self.files().map(|content| name_of(content.as_bytes()));
        let target = TlsTarget {
            address: self.address,
            server_name: SERVER.parse().unwrap(),
            ca_file,
            certificate_file,
            key_file: edge_key_file,
        };
        Route {
            host: self.host.parse().unwrap(),
            tenant: self.name.parse().unwrap(),
            certificate: Certificate {
                chain_file,
                key_file,
            },
            request_client_certificate: false,
            closed: None,
            upstreams: vec![
                Target::over_tls("/", target.clone()),
                Target::over_tls("/log/", target),
            ],
            max_body_bytes: self.max_body_bytes,
        }
    }
}

/// The name of a file of that content.
pub fn name_of(content: &[u8]) -> String {
    Digest::of(content).to_string().replace("sha-256:", "")
}

/// The state in which these tenants are served.
pub fn state(version: u64, tenants: &[&Tenant]) -> Told {
    changed(version, tenants, |_| {})
}

/// The same with something else in the table.
pub fn changed(version: u64, tenants: &[&Tenant], change: impl FnOnce(&mut RouteTable)) -> Told {
    let mut table = RouteTable {
        version,
        routes: tenants.iter().map(|tenant| tenant.route()).collect(),
    };
    change(&mut table);
    let files = tenants.iter().flat_map(|tenant| tenant.files());
    let files = files.map(|text| (Digest::of(text.as_bytes()), Bytes::from(text.to_owned())));
    Told {
        table: table.seal().unwrap().0,
        digest: None,
        files: files.collect(),
        seen: Seen {
            secrets: version,
            pods: version + 1,
        },
    }
}
