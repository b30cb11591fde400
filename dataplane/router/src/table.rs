//! The route table in force: every certificate loaded, every upstream with its pool.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pavilion_bundle::{Route, RouteTable, TenantName};
use pavilion_json::Digest;
use rustls::ServerConfig;

use crate::certificate::{Files, Stamp, stamp};
use crate::config::Config;
use crate::metrics::{Metrics, TenantMetrics};
use crate::tls;
use crate::upstream::Upstream;

/// The table that requests are routed by right now; swapped whole.
pub(crate) type Live = ArcSwap<Table>;

/// A route table that is ready to serve.
#[derive(Debug, Default)]
pub(crate) struct Table {
    hosts: HashMap<String, Arc<Host>>,
    upstreams: HashMap<String, Arc<Upstream>>,
}

/// One host of it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) route: Route,
    pub(crate) metrics: TenantMetrics,
    pub(crate) tls: Arc<ServerConfig>,
    files: [Digest; 2],
    /// Longest prefix first.
    prefixes: Vec<(Arc<str>, Arc<Upstream>)>,
}

impl Host {
    pub(crate) fn tenant(&self) -> &TenantName {
        &self.route.tenant
    }

    /// The upstream with the longest prefix of `path`, and that prefix.
    pub(crate) fn upstream(&self, path: &str) -> Option<(&Arc<str>, &Arc<Upstream>)> {
        self.prefixes
            .iter()
            .find(|(prefix, _)| path.starts_with(&**prefix))
            .map(|(prefix, upstream)| (prefix, upstream))
    }
}

impl Table {
    /// The host of that name, which must be in lower case.
    pub(crate) fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.hosts.get(name)
    }

    /// The tenants it has hosts of, some more than once.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &str> {
        self.hosts.values().map(|host| host.tenant().as_str())
    }

    /// Loads everything `routes` names. What has not changed since `before` is taken over from it:
    /// TLS sessions stay resumable and connections to upstreams open.
    pub(crate) fn load(
        routes: &RouteTable,
        before: &Self,
        config: &Config,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let mut table = Self::default();
        for (index, route) in routes.routes.iter().enumerate() {
            let prefixes = table.prefixes(route, before, config);
            let host = host(route, prefixes, before, config, metrics)
                .map_err(|why| format!("routes[{index}].certificate ({}): {why}", route.host))?;
            table
                .hosts
                .insert(route.host.as_str().to_owned(), Arc::new(host));
        }
        Ok(table)
    }

    fn prefixes(
        &mut self,
        route: &Route,
        before: &Self,
        config: &Config,
    ) -> Vec<(Arc<str>, Arc<Upstream>)> {
        let mut prefixes: Vec<_> = route
            .upstreams
            .iter()
            .map(|upstream| {
                let socket = &upstream.socket;
                let pool = self.upstreams.entry(socket.clone()).or_insert_with(|| {
                    let known = before.upstreams.get(socket).cloned();
                    known.unwrap_or_else(|| Arc::new(Upstream::new(socket, config)))
                });
                (upstream.prefix.as_str().into(), Arc::clone(pool))
            })
            .collect();
        prefixes.sort_by_key(|(prefix, _): &(Arc<str>, _)| std::cmp::Reverse(prefix.len()));
        prefixes
    }
}

fn host(
    route: &Route,
    prefixes: Vec<(Arc<str>, Arc<Upstream>)>,
    before: &Table,
    config: &Config,
    metrics: &Metrics,
) -> Result<Host, String> {
    let files = Files::read(&route.certificate)?;
    let digest = files.digest();
    let unchanged = before.host(route.host.as_str()).filter(|known| {
        known.files == digest
            && known.route.tenant == route.tenant
            && known.route.request_client_certificate == route.request_client_certificate
    });
    let tls = match unchanged {
        Some(known) => Arc::clone(&known.tls),
        None => tls::server_config(
            files.certify(&route.host)?,
            route.request_client_certificate,
            config.tls_min_version,
        )
        .map_err(|error| error.to_string())?,
    };
    Ok(Host {
        route: route.clone(),
        metrics: metrics.tenant(route.tenant.as_str()),
        tls,
        files: digest,
        prefixes,
    })
}

/// The state of all certificate files of `routes`.
pub(crate) fn stamps(routes: &RouteTable) -> Vec<Stamp> {
    routes
        .routes
        .iter()
        .map(|route| stamp(&route.certificate))
        .collect()
}
