//! The route table in force: every certificate loaded, every upstream with its pool.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pavilion_bundle::{Route, RouteTable, Target, TenantName};
use pavilion_json::Digest;
use rustls::ServerConfig;

use crate::certificate::{Files, Stamp, stamp};
use crate::config::Config;
use crate::hold::Away;
use crate::metrics::{Metrics, TenantMetrics};
use crate::tls;
use crate::upstream::{Found, Key, Upstream};

/// The table that requests are routed by right now; swapped whole.
pub(crate) type Live = ArcSwap<Table>;

/// A route table that is ready to serve.
#[derive(Debug, Default)]
pub(crate) struct Table {
    hosts: HashMap<String, Arc<Host>>,
    upstreams: HashMap<Key, Arc<Upstream>>,
}

/// Prefixes and where they lead, longest prefix first.
type Prefixes = Vec<(Arc<str>, Arc<Upstream>)>;

/// One host of it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) route: Route,
    pub(crate) metrics: TenantMetrics,
    pub(crate) tls: Arc<ServerConfig>,
    /// Since when it has been starting.
    pub(crate) away: Away,
    files: [Digest; 2],
    prefixes: Prefixes,
    /// Of its upstreams.
    keys: Vec<Key>,
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
            if let Some(host) = before.same(route, config) {
                table.take_over(host, before);
                continue;
            }
            let (prefixes, keys) = table
                .prefixes(route, before, config)
                .map_err(|why| format!("routes[{index}].{why}"))?;
            let host = host(route, (prefixes, keys), before, config, metrics)
                .map_err(|why| format!("routes[{index}].certificate ({}): {why}", route.host))?;
            table
                .hosts
                .insert(route.host.as_str().to_owned(), Arc::new(host));
        }
        Ok(table)
    }

    /// The host that is there already for the very same route. Only where files are named by their content
    /// does that say that nothing has changed.
    fn same(&self, route: &Route, config: &Config) -> Option<&Arc<Host>> {
        config.operator.as_ref()?;
        let host = self.host(route.host.as_str())?;
        (host.route == *route).then_some(host)
    }

    fn take_over(&mut self, host: &Arc<Host>, before: &Self) {
        for key in &host.keys {
            if let Some(upstream) = before.upstreams.get(key) {
                self.upstreams.insert(key.clone(), Arc::clone(upstream));
            }
        }
        let name = host.route.host.as_str().to_owned();
        self.hosts.insert(name, Arc::clone(host));
    }

    fn prefixes(
        &mut self,
        route: &Route,
        before: &Self,
        config: &Config,
    ) -> Result<(Prefixes, Vec<Key>), String> {
        let (mut prefixes, mut keys) = (Vec::new(), Vec::new());
        for (index, upstream) in route.upstreams.iter().enumerate() {
            let (key, pool) = upstream
                .target()
                .map_err(str::to_owned)
                .and_then(|target| self.upstream(target, before, config))
                .map_err(|why| format!("upstreams[{index}] ({}): {why}", route.host))?;
            prefixes.push((upstream.prefix.as_str().into(), pool));
            keys.push(key);
        }
        prefixes.sort_by_key(|(prefix, _): &(Arc<str>, _)| std::cmp::Reverse(prefix.len()));
        Ok((prefixes, keys))
    }

    /// The upstream of that target: one that several routes have, or that stays, or a new one.
    fn upstream(
        &mut self,
        target: Target<'_>,
        before: &Self,
        config: &Config,
    ) -> Result<(Key, Arc<Upstream>), String> {
        let found = Found::read(target, config)?;
        let key = found.key();
        let known = self.upstreams.get(&key).or(before.upstreams.get(&key));
        let upstream = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(Upstream::new(&found, config)?),
        };
        self.upstreams.insert(key.clone(), Arc::clone(&upstream));
        Ok((key, upstream))
    }
}

fn host(
    route: &Route,
    (prefixes, keys): (Prefixes, Vec<Key>),
    before: &Table,
    config: &Config,
    metrics: &Metrics,
) -> Result<Host, String> {
    let files = Files::read(&route.certificate, config)?;
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
        away: Away::new(config),
        files: digest,
        prefixes,
        keys,
    })
}

/// The state of all files that `routes` names, the server's and those for upstreams.
pub(crate) fn stamps(routes: &RouteTable) -> Vec<Stamp> {
    routes.routes.iter().flat_map(files).map(stamp).collect()
}

fn files(route: &Route) -> impl Iterator<Item = &str> {
    let shown = &route.certificate;
    let of_upstreams = route
        .upstreams
        .iter()
        .filter_map(|upstream| upstream.tls.as_ref())
        .flat_map(|tls| [&tls.ca_file, &tls.certificate_file, &tls.key_file]);
    [&shown.chain_file, &shown.key_file]
        .into_iter()
        .chain(of_upstreams)
        .map(String::as_str)
}
