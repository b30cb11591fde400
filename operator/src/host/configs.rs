//! The configuration files of the programs, as docs/src/internals/contracts.md lays them out.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use pavilion_bundle::TenantName;
use pavilion_json::JsonError;
use pavilion_process::LogLevel;
use serde_json::{Value, json};

use super::Program;
use crate::desired::DesiredTenant;

/// What this host gives its programs.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Where the router takes HTTPS.
    pub listen: SocketAddr,
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub allow_tls12: bool,
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// How long programs may take to finish, in seconds.
    pub drain_seconds: u64,
    /// An OTLP/gRPC collector.
    pub otlp: Option<String>,
    /// How much they log.
    pub log_level: LogLevel,
}

/// The largest request body, in bytes.
pub(crate) const MAX_BODY_BYTES: u64 = 256 * 1024;

/// Threads that run asynchronous work in the edge and in each verifier.
pub(crate) const WORKER_THREADS: u16 = 2;

/// The same in programs whose work is done by threads of their own: signer and auditor.
pub(crate) const FEW_WORKER_THREADS: u16 = 1;

impl Platform {
    /// The router's file.
    pub(super) fn router(&self) -> Result<Vec<u8>, JsonError> {
        pavilion_json::canonical(&json!({
            "process": self.process(None, "router/health.sock"),
            "listen": [self.listen.to_string()],
            "routes": "router/routes.json",
            "tlsMinVersion": if self.allow_tls12 { "1.2" } else { "1.3" },
        }))
    }

    /// The file of one of a tenant's programs.
    pub(super) fn of_tenant(
        &self,
        program: Program,
        tenant: &TenantName,
        desired: &DesiredTenant,
    ) -> Result<Vec<u8>, JsonError> {
        let health = format!("tenants/{tenant}/run/{}-health.sock", program.name());
        let mut process = self.process(Some(tenant), &health);
        if matches!(program, Program::Signer | Program::Auditor) {
            process["workerThreads"] = json!(FEW_WORKER_THREADS);
        }
        let config = match program {
            Program::Signer => self.signer(&process, tenant, desired),
            Program::Auditor => auditor(&process, tenant, desired),
            Program::Verifier | Program::Router => verifier(&process, tenant),
        };
        pavilion_json::canonical(&config)
    }

    /// What the environment of a tenant's program holds.
    pub(super) fn environment(
        &self,
        program: Program,
        tenant: &TenantName,
    ) -> Vec<(String, String)> {
        match program {
            Program::Signer if self.is_softhsm() => vec![(
                "SOFTHSM2_CONF".to_owned(),
                format!("tenants/{tenant}/signer/softhsm2.conf"),
            )],
            _ => Vec::new(),
        }
    }

    /// Tokens are made on first start for `SoftHSM` alone; those of other modules are given.
    fn is_softhsm(&self) -> bool {
        let name = self
            .module
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        name.to_lowercase().contains("softhsm")
    }

    fn process(&self, tenant: Option<&TenantName>, health: &str) -> Value {
        let mut process = json!({
            "health": format!("unix:{health}"),
            "drainSeconds": self.drain_seconds,
            "workerThreads": WORKER_THREADS,
            "logLevel": self.log_level,
        });
        if let Some(tenant) = tenant {
            process["tenant"] = json!(tenant);
        }
        if let Some(otlp) = &self.otlp {
            process["otlp"] = json!(otlp);
        }
        process
    }

    fn signer(&self, process: &Value, tenant: &TenantName, desired: &DesiredTenant) -> Value {
        let folder = format!("tenants/{tenant}/signer");
        let mut config = json!({
            "process": process,
            "socket": format!("tenants/{tenant}/run/signer.sock"),
            "module": path(&self.module),
            "tokenLabel": token_label(tenant),
            "pinFile": format!("{folder}/pin"),
            "keysFile": format!("{folder}/keys.json"),
            "logOrigin": desired.bundle.audit.origin,
            "overlapSeconds": desired.overlap_seconds,
            "rotateEverySeconds": desired.rotate_every_seconds,
        });
        if self.is_softhsm() {
            config["tokenDirectory"] = json!(format!("{folder}/tokens"));
        }
        config
    }
}

fn auditor(process: &Value, tenant: &TenantName, desired: &DesiredTenant) -> Value {
    json!({
        "process": process,
        "socket": format!("tenants/{tenant}/run/auditor.sock"),
        "httpSocket": format!("tenants/{tenant}/run/log.sock"),
        "signerSocket": format!("tenants/{tenant}/run/signer.sock"),
        "directory": format!("tenants/{tenant}/auditor/log"),
        "origin": desired.bundle.audit.origin,
    })
}

fn verifier(process: &Value, tenant: &TenantName) -> Value {
    json!({
        "process": process,
        "tenant": tenant,
        "socket": format!("tenants/{tenant}/run/api.sock"),
        "bundleFile": format!("tenants/{tenant}/bundle.json"),
        "stateFile": format!("tenants/{tenant}/verifier/state.redb"),
        "signerSocket": format!("tenants/{tenant}/run/signer.sock"),
        "auditorSocket": format!("tenants/{tenant}/run/auditor.sock"),
        "maxBodyBytes": MAX_BODY_BYTES,
    })
}

/// A PKCS#11 label has 32 characters; a tenant's name may have more, then its digest names it.
pub(crate) fn token_label(tenant: &TenantName) -> String {
    let name = tenant.as_str();
    if name.len() <= 32 {
        return name.to_owned();
    }
    let digest = pavilion_json::Digest::of(name.as_bytes()).short();
    format!("{}-{digest}", &name[..24])
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
