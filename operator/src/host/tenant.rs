//! The programs of one tenant on this host.

use jiff::Timestamp;
use pavilion_bundle::{Document, TenantName};
use pavilion_json::Digest;

use super::{
    Child, ChildId, ChildSpec, ChildState, Gate, Platform, Program, Programs, StateDir,
    Surroundings, certificates,
    supervisor::{ApplyError, PATIENCE},
};
use crate::desired::DesiredTenant;

/// How long a program may say nothing.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// What a tenant's programs are made from.
pub(super) struct Workshop<'a> {
    pub state: &'a StateDir,
    pub platform: &'a Platform,
    pub programs: &'a Programs,
    pub surroundings: &'a Surroundings,
}

/// A tenant that runs here.
#[derive(Debug)]
pub(super) struct TenantHost {
    signer: Child,
    auditor: Child,
    verifier: Child,
    answers: bool,
}

/// The certificate that the edge shows for a tenant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// Its fingerprint.
    pub certificate: Digest,
    /// When it ends.
    pub until: Timestamp,
}

/// What was written for a tenant.
pub(super) struct Written {
    pub(super) shown: Shown,
    bundle_changed: bool,
    specs: [ChildSpec; 3],
}

impl Workshop<'_> {
    /// Writes everything a tenant's programs read. Nothing is started.
    pub(super) fn write(
        &self,
        tenant: &TenantName,
        desired: &DesiredTenant,
        now: Timestamp,
    ) -> Result<Written, ApplyError> {
        let folder = format!("tenants/{tenant}");
        for part in ["run", "signer", "auditor", "verifier"] {
            self.state.make_dir(format!("{folder}/{part}"))?;
        }
        let shown = self.certify(tenant, desired, now)?;
        let (bundle, _) = desired.bundle.seal()?;
        let bundle_changed = self
            .state
            .write_if_changed(format!("{folder}/bundle.json"), &bundle)?;
        let spec = |program| self.spec(program, tenant, desired);
        Ok(Written {
            shown,
            bundle_changed,
            specs: [
                spec(Program::Signer)?,
                spec(Program::Auditor)?,
                spec(Program::Verifier)?,
            ],
        })
    }

    /// Writes what the edge shows for a tenant.
    pub(super) fn certify(
        &self,
        tenant: &TenantName,
        desired: &DesiredTenant,
        now: Timestamp,
    ) -> Result<Shown, ApplyError> {
        let (hosts, source) = (desired.hosts(), &desired.certificate);
        let certificate = certificates::ensure(self.state, tenant, hosts, source, now)?;
        Ok(Shown {
            certificate: certificate.fingerprint(),
            until: certificate.not_after,
        })
    }

    fn spec(
        &self,
        program: Program,
        tenant: &TenantName,
        desired: &DesiredTenant,
    ) -> Result<ChildSpec, ApplyError> {
        let config = self.platform.of_tenant(program, tenant, desired)?;
        let environment = self.platform.environment(program, tenant);
        let file = format!("tenants/{tenant}/{}/config.json", program.name());
        self.state.write_if_changed(&file, &config)?;
        let id = ChildId {
            tenant: Some(tenant.clone()),
            program,
        };
        let health = format!("tenants/{tenant}/run/{}-health.sock", program.name());
        Ok(self.child(id, &file, &health, &config, environment))
    }

    /// How a program is started; it is started again when `config` changes.
    pub(super) fn child(
        &self,
        id: ChildId,
        config_file: &str,
        health: &str,
        config: &[u8],
        environment: Vec<(String, String)>,
    ) -> ChildSpec {
        ChildSpec {
            executable: self.programs.file(id.program),
            arguments: vec!["--config".to_owned(), config_file.to_owned()],
            environment,
            directory: self.state.path().to_path_buf(),
            health: self.state.short(health),
            patience: std::time::Duration::from_secs(self.platform.drain_seconds) + PATIENCE,
            silence: SILENCE,
            fingerprint: Digest::of(config),
            id,
        }
    }

    /// Starts the programs of a tenant, each when those it needs are ready. `before` are those of
    /// the same tenant that have not ended yet.
    pub(super) fn start(&self, written: Written, before: &[Gate]) -> TenantHost {
        let [signer, auditor, verifier] = written.specs;
        let start = |spec, mut gates: Vec<Gate>| {
            gates.extend_from_slice(before);
            Child::start(spec, gates, self.surroundings.clone())
        };
        let signer = start(signer, Vec::new());
        let auditor = start(auditor, vec![signer.when_ready()]);
        let verifier = start(verifier, vec![signer.when_ready(), auditor.when_ready()]);
        TenantHost {
            signer,
            auditor,
            verifier,
            answers: false,
        }
    }

    /// Starts again what was written anew, and nothing else. Returns the programs that give way.
    /// `before` are those that give way already: two edits may come within one drain.
    pub(super) fn update(
        &self,
        host: &mut TenantHost,
        written: Written,
        before: &[Gate],
    ) -> Vec<Child> {
        let mut leaving = Vec::new();
        let children = [&mut host.signer, &mut host.auditor, &mut host.verifier];
        for (child, spec) in children.into_iter().zip(written.specs) {
            if child.fingerprint() != spec.fingerprint {
                tracing::info!("{} has a new configuration and is started again", spec.id);
                let mut gates = vec![child.when_stopped()];
                gates.extend_from_slice(before);
                let next = Child::start(spec, gates, self.surroundings.clone());
                leaving.push(std::mem::replace(child, next));
            }
        }
        if written.bundle_changed {
            host.verifier.hurry();
        }
        leaving
    }
}

impl TenantHost {
    /// Whether relying parties can be sent to it.
    /// Once they can, they stay so: a verifier that is started again is a short 502.
    pub(super) fn can_answer(&mut self) -> bool {
        self.answers |= self.verifier.state().was_ready;
        self.answers
    }

    pub(super) fn states(&self) -> [(Program, ChildState); 3] {
        [
            (Program::Verifier, self.verifier.state()),
            (Program::Signer, self.signer.state()),
            (Program::Auditor, self.auditor.state()),
        ]
    }

    /// Opens once all of it is stopped.
    pub(super) fn when_stopped(&self) -> Vec<Gate> {
        [&self.signer, &self.auditor, &self.verifier]
            .map(Child::when_stopped)
            .into()
    }

    /// Stops the programs, each before those it needs.
    pub(super) async fn stop(self) {
        self.verifier.stop().await;
        self.auditor.stop().await;
        self.signer.stop().await;
    }
}
