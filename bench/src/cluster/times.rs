//! How soon what was applied has come through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{TryStreamExt, pin_mut};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, WatchEvent, WatchParams};
use pavilion_e2e::{Manifests, RelyingParty, Wallet};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::installation::Installation;
use super::throughput::median;

/// How often each is done.
const TIMES: u32 = 5;
/// After that something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// Prints the times.
pub async fn print(
    installation: &Installation,
    wallet: &Wallet,
    shop: &RelyingParty,
) -> Result<()> {
    let mut ready = Vec::new();
    for number in 0..TIMES {
        let name = format!("warm{number}");
        let manifests = Manifests::tenant(&name, wallet, shop);
        let took = installation.apply(&manifests, &name).await?;
        ready.push(took.as_secs_f64());
    }
    line("Tenant applied to Ready", &mut ready, 1.0, "s   <= 15 s");

    let mut edited = Vec::new();
    for number in 0..TIMES {
        edited.push(edit(installation, 19 + number).await?.as_secs_f64());
    }
    line("policy edited to served", &mut edited, 1.0, "s   <= 3 s");

    let (mut known, mut all) = (Vec::new(), Vec::new());
    for number in 0..TIMES {
        let (route, whole) = host(installation, number).await?;
        known.push(route.as_secs_f64());
        all.push(whole.as_secs_f64());
    }
    line("route written to served", &mut known, 1e3, "ms  <= 100 ms");
    line("host applied to served", &mut all, 1e3, "ms");
    Ok(())
}

fn line(what: &str, seconds: &mut [f64], scale: f64, rest: &str) {
    let middle = median(seconds) * scale;
    let longest = seconds.last().copied().unwrap_or_default() * scale;
    println!("  {what:<32} {middle:>9.1} {rest}, longest {longest:.1}");
}

/// Edits a policy; how long until the pod says that it serves another bundle.
async fn edit(installation: &Installation, years: u32) -> Result<Duration> {
    let served = |tenant: &pavilion_crds::Tenant| {
        let status = tenant.status.as_ref();
        status.and_then(|status| status.served.as_ref().map(|served| served.digest.clone()))
    };
    let before = served(&installation.tenant("acme").await?);
    let clause = json!({"claim": "pid.birthdate", "age": {"atLeast": years}});
    let rule = json!({"spec": {"rule": {"all": [clause]}}});
    let since = Instant::now();
    installation
        .patch("Policy", "acme", "over18", &Patch::Merge(&rule))
        .await?;
    let other = |tenant: &pavilion_crds::Tenant| served(tenant) != before;
    installation
        .until("acme", "another bundle is served", other)
        .await?;
    Ok(since.elapsed())
}

/// Gives a tenant one host more; how long until the edge shows its certificate, since the route was written, and since
/// the host was applied.
async fn host(installation: &Installation, number: u32) -> Result<(Duration, Duration)> {
    let name = format!("more{number}.acme.localhost");
    let hosts = json!({"spec": {"ingress": {"hosts": ["verify.acme.localhost", name]}}});
    let tls = trust(&installation.authority("acme").await?)?;
    let secrets = installation.secrets();
    let params = WatchParams::default().fields("metadata.name=tenant-acme");
    let version = secrets.get("tenant-acme").await?.metadata.resource_version;
    let version = version.context("a resource version")?;
    let written = async {
        let events = secrets.watch(&params, &version).await?;
        pin_mut!(events);
        while let Some(event) = events.try_next().await? {
            if let WatchEvent::Modified(secret) = event
                && names(&secret, &name)
            {
                return anyhow::Ok(Instant::now());
            }
        }
        anyhow::bail!("the watch ended")
    };
    let served = async {
        let since = Instant::now();
        while !shows(installation, &tls, &name).await {
            ensure!(since.elapsed() < PATIENCE, "{name} is not served");
            sleep(Duration::from_millis(2)).await;
        }
        Ok(Instant::now())
    };
    let since = Instant::now();
    installation
        .patch("Tenant", "acme", "acme", &Patch::Merge(&hosts))
        .await?;
    let (written, served) = tokio::try_join!(written, served)?;
    Ok((
        served.saturating_duration_since(written),
        served.duration_since(since),
    ))
}

/// Whether a tenant's Secret has a route for a host.
fn names(secret: &Secret, host: &str) -> bool {
    let data = secret.data.as_ref();
    let route = data.and_then(|data| data.get("route.json"));
    route.is_some_and(|ByteString(bytes)| String::from_utf8_lossy(bytes).contains(host))
}

fn trust(authority: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Whether the edge shows a certificate of this host.
async fn shows(installation: &Installation, tls: &TlsConnector, host: &str) -> bool {
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return false;
    };
    match TcpStream::connect(installation.edge).await {
        Ok(stream) => tls.connect(name, stream).await.is_ok(),
        Err(_) => false,
    }
}
