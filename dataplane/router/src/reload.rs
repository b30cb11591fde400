//! Brings route tables in force: those of the table's file, which is followed together with the certificate
//! files it names, for hosts and for upstreams; or those that an operator sent.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use pavilion_bundle::{MAX_DOCUMENT_BYTES, Named, RouteTable};
use pavilion_json::Digest;
use pavilion_process::{Check, Health, watch_document};

use crate::certificate::Stamp;
use crate::proxy::Edge;
use crate::table::{Table, stamps};

/// How often the certificate files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The table in force, and what keeps a newer one from it.
pub(crate) struct Reload {
    edge: Arc<Edge>,
    health: Health,
    check: Check,
    /// The table in force.
    served: Option<Named<RouteTable>>,
    /// The table that should be in force.
    wanted: Option<Wanted>,
    /// The table that was sent last and is of no use, and why.
    told: Option<(Digest, String)>,
}

struct Wanted {
    routes: Named<RouteTable>,
    /// Its certificate files when they were last read.
    files: Vec<Stamp>,
    /// Why it could not be loaded the last time; `None` when it is in force.
    obstacle: Option<String>,
}

impl Reload {
    pub(crate) fn new(edge: Arc<Edge>, health: Health, check: Check) -> Self {
        Self {
            edge,
            health,
            check,
            served: None,
            wanted: None,
            told: None,
        }
    }

    /// Puts a table in force that was sent, or says why not. Which table follows which is for its
    /// sender to know.
    pub(crate) fn put(
        &mut self,
        digest: Digest,
        routes: Result<&Named<RouteTable>, String>,
    ) -> Result<(), String> {
        let loaded = routes.and_then(|routes| Ok((self.table(routes)?, routes.clone())));
        let outcome = match loaded {
            Ok((table, routes)) => {
                self.serve(table, routes);
                self.told = None;
                Ok(())
            }
            Err(why) => {
                let told = Some((digest, why.clone()));
                // Said once, however often it is tried again.
                if self.told != told {
                    self.refuse(Some(digest), &why);
                    self.told = told;
                }
                Err(why)
            }
        };
        self.keep_tenants();
        outcome
    }

    /// There is no table yet.
    pub(crate) fn wait(&self) {
        self.check.set_failed(
            "no operator has sent a route table yet, and none was kept from before; look at the check `operator`",
        );
    }

    /// The table in force is the newest one that was sent; an earlier refusal is forgotten.
    pub(crate) fn confirm(&mut self) {
        self.told = None;
        if let Some(served) = &self.served {
            let version = served.document().version;
            self.health.set_served(version, served.digest());
        }
    }

    /// Keeps the table in force the newest good one of the file. Never ends.
    pub(crate) async fn follow(mut self) {
        let path = self.edge.config.routes.clone();
        let mut documents = pin!(watch_document(path, MAX_DOCUMENT_BYTES as u64));
        loop {
            tokio::select! {
                document = documents.next() => match document {
                    Some(Ok(bytes)) => self.replace(&bytes),
                    Some(Err(error)) => self.refuse(None, &error.to_string()),
                    None => return,
                },
                () = tokio::time::sleep(LOOK) => self.look_again(),
            }
        }
    }

    /// Puts a new document in force, or says why not.
    fn replace(&mut self, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        let routes = match Named::<RouteTable>::read(bytes) {
            Ok(routes) => routes,
            Err(error) => return self.refuse(Some(digest), &error.to_string()),
        };
        if let Some(served) = &self.served {
            let (old, new) = (served.document().version, routes.document().version);
            if new < old || (new == old && digest != served.digest()) {
                let why = format!("version: {new} does not follow {old}, which is in force");
                return self.refuse(Some(digest), &why);
            }
        }
        self.load(routes);
    }

    /// Loads the table again if a certificate file of it was renewed, or if it is not in force: what
    /// stood in its way may be gone.
    fn look_again(&mut self) {
        let Some(wanted) = &self.wanted else {
            return;
        };
        if wanted.obstacle.is_some() || stamps(wanted.routes.document()) != wanted.files {
            let routes = wanted.routes.clone();
            self.load(routes);
        }
    }

    fn load(&mut self, routes: Named<RouteTable>) {
        // Taken first: a file that changes while it is being read is looked at again.
        let files = stamps(routes.document());
        let table = self.table(&routes);
        let digest = routes.digest();
        let known = self.wanted.take().and_then(|wanted| {
            let same = wanted.routes.digest() == digest;
            wanted.obstacle.filter(|_| same)
        });
        let obstacle = table.as_ref().err().cloned();
        self.wanted = Some(Wanted {
            routes: routes.clone(),
            files,
            obstacle,
        });
        match table {
            Ok(table) => self.serve(table, routes),
            // Said once, however often it is tried again.
            Err(why) if known.as_ref() == Some(&why) => {}
            Err(why) => self.refuse(Some(digest), &why),
        }
        self.keep_tenants();
    }

    fn table(&self, routes: &Named<RouteTable>) -> Result<Table, String> {
        let before = self.edge.live.load_full();
        let (config, metrics) = (&self.edge.config, &self.edge.metrics);
        Table::load(routes.document(), &before, config, metrics)
    }

    fn keep_tenants(&self) {
        let live = self.edge.live.load();
        self.edge.metrics.keep_tenants(live.tenants());
    }

    fn serve(&mut self, table: Table, routes: Named<RouteTable>) {
        let (version, hosts) = (routes.document().version, routes.document().routes.len());
        let digest = routes.digest();
        self.edge.live.store(Arc::new(table));
        self.edge.metrics.routes_version.set(version);
        self.health.set_served(version, digest);
        self.health.set_detail("hosts", hosts.into());
        self.check.set_ok();
        tracing::info!(version, %digest, hosts, "route table in force");
        self.served = Some(routes);
    }

    fn refuse(&mut self, digest: Option<Digest>, why: &str) {
        self.edge.metrics.routes_refused.inc();
        self.health.set_refused(digest, why);
        if self.served.is_none() {
            self.check.set_failed(why);
        }
        tracing::error!(
            reason = why,
            "route table refused; the last good one stays in force"
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::path::Path;

    use pavilion_bundle::{Certificate, Document, Route, TlsTarget, Upstream};
    use pavilion_process::{Identity, Listen};
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::config::Config;
    use crate::metrics::Metrics;

    fn reload() -> Reload {
        let config = Config::new(Listen::Unix("unused".into()), Vec::new(), "unused");
        let health = Health::new(Identity {
            name: "pavilion-router",
            version: "0",
            about: "Tests.",
        });
        let check = health.register_check("routes");
        let edge = Arc::new(Edge {
            config,
            live: crate::table::Live::default(),
            metrics: Metrics::register(&mut Registry::default()),
            give_up: tokio_util::sync::CancellationToken::new(),
        });
        Reload::new(edge, health, check)
    }

    fn table(folder: &Path) -> Vec<u8> {
        let socket = folder.join("api.sock").to_str().unwrap().to_owned();
        table_with(folder, Upstream::on_socket("/", socket))
    }

    fn table_with(folder: &Path, upstream: Upstream) -> Vec<u8> {
        let file = |name| folder.join(name).to_str().unwrap().to_owned();
        let route = Route {
            host: "a.example".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            certificate: Certificate {
                chain_file: file("chain.pem"),
                key_file: file("key.pem"),
            },
            request_client_certificate: false,
            closed: None,
            upstreams: vec![upstream],
            max_body_bytes: 1,
        };
        let table = RouteTable {
            version: 1,
            routes: vec![route],
        };
        table.seal().unwrap().0
    }

    fn certify(folder: &Path) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_renewed_certificate_is_shown_without_a_new_table() {
        let folder = tempfile::tempdir().unwrap();
        let mut reload = reload();
        certify(folder.path());
        reload.replace(&table(folder.path()));
        let tls =
            |reload: &Reload| Arc::clone(&reload.edge.live.load().host("a.example").unwrap().tls);
        let first = tls(&reload);
        reload.look_again();
        assert!(Arc::ptr_eq(&first, &tls(&reload)), "nothing has changed");
        certify(folder.path());
        reload.look_again();
        assert!(!Arc::ptr_eq(&first, &tls(&reload)));
    }

    #[test]
    fn a_renewed_certificate_for_an_upstream_makes_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut reload = reload();
        certify(folder.path());
        let of_edge = folder.path().join("edge");
        std::fs::create_dir(&of_edge).unwrap();
        certify(&of_edge);
        let file = |name| of_edge.join(name).to_str().unwrap().to_owned();
        let tls = TlsTarget {
            address: "127.0.0.1:8443".parse().unwrap(),
            server_name: "a.example".parse().unwrap(),
            ca_file: file("chain.pem"),
            certificate_file: file("chain.pem"),
            key_file: file("key.pem"),
        };
        reload.replace(&table_with(folder.path(), Upstream::over_tls("/", tls)));
        let upstream = |reload: &Reload| {
            let host = Arc::clone(reload.edge.live.load().host("a.example").unwrap());
            Arc::clone(host.upstream("/").unwrap().1)
        };
        let first = upstream(&reload);
        reload.look_again();
        assert!(
            Arc::ptr_eq(&first, &upstream(&reload)),
            "nothing has changed"
        );
        certify(&of_edge);
        reload.look_again();
        assert!(!Arc::ptr_eq(&first, &upstream(&reload)));
    }

    #[test]
    fn a_table_that_came_before_its_certificates_is_served_once_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut reload = reload();
        reload.replace(&table(folder.path()));
        let status = reload.health.status();
        assert!(!status.ready);
        assert!(status.refused.unwrap().reason.contains("chain.pem"));
        certify(folder.path());
        reload.look_again();
        let status = reload.health.status();
        assert!(status.ready);
        assert_eq!((status.served.unwrap().version, status.refused), (1, None));
    }

    #[test]
    fn an_obstacle_that_leaves_no_trace_on_the_files_is_tried_again_and_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut reload = reload();
        certify(folder.path());
        reload.replace(&table(folder.path()));
        // As if the system had refused to open a file the last time.
        let served = reload.served.clone().unwrap();
        reload.wanted.as_mut().unwrap().obstacle = Some("too many open files".to_owned());
        reload.refuse(Some(served.digest()), "too many open files");
        reload.look_again();
        assert_eq!(reload.health.status().refused, None);
        std::fs::remove_file(folder.path().join("key.pem")).unwrap();
        let refusals = reload.edge.metrics.routes_refused.get();
        for _ in 0..3 {
            reload.look_again();
        }
        assert_eq!(reload.edge.metrics.routes_refused.get(), refusals + 1);
        certify(folder.path());
        reload.look_again();
        assert_eq!(reload.health.status().refused, None);
    }
}
