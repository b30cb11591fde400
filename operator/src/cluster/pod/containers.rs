//! The containers of the pod.

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container as Spec, ContainerPort, EnvVar, HTTPGetAction, Lifecycle,
        LifecycleHandler, Probe, SecurityContext, SleepAction, VolumeMount,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use pavilion_crds::Resources;

use super::volumes::{
    AUDITOR_RUN, BUNDLE, CONFIG, LOG, PIN, SIGNER_RUN, STATE, TLS, TOKEN, mount, read_only,
};
use crate::cluster::{
    isolation::{API_PORT, HEALTH_PORTS, LOG_PORT, PROBE_HEALTH_PORT, PROBE_PORT},
    settings::Settings,
    sizing::requirements,
};

/// The group of the programs, by which they reach each other's sockets.
pub(super) const GROUP: i64 = 10_000;

/// How long a program may take until it is ready for the first time, in seconds.
const START_SECONDS: i32 = 180;

/// How long a pod that is to go still answers, in seconds: until every router sends to it no more.
pub(super) const LAME_DUCK_SECONDS: i64 = 3;

/// A program in the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub name: &'static str,
    /// Its own: whoever breaks into one program is not the other two.
    pub user: i64,
    pub health_port: u16,
}

/// Answers relying parties.
pub(super) const VERIFIER: Container = Container {
    name: "verifier",
    user: 10_001,
    health_port: HEALTH_PORTS[0],
};

/// Holds the keys.
pub(super) const SIGNER: Container = Container {
    name: "signer",
    user: 10_002,
    health_port: HEALTH_PORTS[1],
};

/// Holds the log.
pub(super) const AUDITOR: Container = Container {
    name: "auditor",
    user: 10_003,
    health_port: HEALTH_PORTS[2],
};

/// Tries what must be refused. It is nobody's friend: of the pod it has the network, and no file but its own.
pub(super) const PROBE: Container = Container {
    name: "probe",
    user: 10_004,
    health_port: PROBE_HEALTH_PORT,
};

impl Container {
    /// The name of its configuration file.
    pub(super) fn config_file(self) -> String {
        format!("{}.json", self.name)
    }

    /// As Kubernetes has it. A program that others need is one of the containers that start in order and
    /// stop in the opposite one (KEP-753).
    pub(super) fn spec(self, resources: Resources, settings: &Settings) -> Spec {
        let others_need_it = self != VERIFIER;
        // Nobody waits for the probe: whether it is well is told beside whether the tenant serves.
        let serves = self != PROBE;
        Spec {
            name: self.name.to_owned(),
            image: Some(self.image(settings).to_owned()),
            image_pull_policy: Some(settings.image_pull_policy.clone()),
            args: Some(vec![
                "--config".to_owned(),
                format!("{CONFIG}/{}", self.config_file()),
            ]),
            env: self.environment(),
            ports: Some(self.ports()),
            resources: Some(requirements(resources)),
            security_context: Some(self.security()),
            volume_mounts: Some(self.mounts()),
            restart_policy: others_need_it.then(|| "Always".to_owned()),
            startup_probe: serves.then(|| self.probe("/readyz", 1, START_SECONDS)),
            readiness_probe: serves.then(|| self.probe("/readyz", 2, 1)),
            liveness_probe: Some(self.probe("/livez", 10, 3)),
            // The others stop after it.
            lifecycle: (self == VERIFIER).then(lame_duck),
            ..Spec::default()
        }
    }

    fn image(self, settings: &Settings) -> &str {
        let images = &settings.images;
        match self.name {
            "signer" => &images.signer,
            "auditor" => &images.auditor,
            "probe" => &images.probe,
            _ => &images.verifier,
        }
    }

    fn environment(self) -> Option<Vec<EnvVar>> {
        let softhsm = EnvVar {
            name: "SOFTHSM2_CONF".to_owned(),
            value: Some(format!("{TOKEN}/softhsm2.conf")),
            value_from: None,
        };
        (self == SIGNER).then(|| vec![softhsm])
    }

    fn ports(self) -> Vec<ContainerPort> {
        let port = |name: &str, number: u16| ContainerPort {
            name: Some(format!("{}-{name}", self.name)),
            container_port: i32::from(number),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        };
        let mut ports = vec![port("health", self.health_port)];
        match self {
            VERIFIER => ports.push(port("api", API_PORT)),
            AUDITOR => ports.push(port("log", LOG_PORT)),
            PROBE => ports.push(port("tries", PROBE_PORT)),
            _ => {}
        }
        ports
    }

    fn security(self) -> SecurityContext {
        SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                add: None,
                drop: Some(vec!["ALL".to_owned()]),
            }),
            read_only_root_filesystem: Some(true),
            run_as_user: Some(self.user),
            // What the others write is none of its own group's; of the pod's, as whom sockets let in, every container is.
            // The sockets are where it has nothing mounted.
            run_as_group: (self == PROBE).then_some(self.user),
            ..SecurityContext::default()
        }
    }

    fn mounts(self) -> Vec<VolumeMount> {
        let config = read_only(&format!("{}-config", self.name), CONFIG);
        let mut mounts = vec![config];
        mounts.extend(match self {
            SIGNER => vec![
                mount("signer-run", SIGNER_RUN),
                read_only("pin", PIN),
                mount("token", TOKEN),
            ],
            AUDITOR => vec![
                read_only("signer-run", SIGNER_RUN),
                mount("auditor-run", AUDITOR_RUN),
                read_only("tls", TLS),
                mount("log", LOG),
            ],
            PROBE => vec![],
            _ => vec![
                read_only("signer-run", SIGNER_RUN),
                read_only("auditor-run", AUDITOR_RUN),
                read_only("tls", TLS),
                read_only("bundle", BUNDLE),
                mount("state", STATE),
            ],
        });
        mounts
    }

    fn probe(self, path: &str, every_seconds: i32, failures: i32) -> Probe {
        Probe {
            http_get: Some(HTTPGetAction {
                path: Some(path.to_owned()),
                port: IntOrString::Int(i32::from(self.health_port)),
                scheme: Some("HTTP".to_owned()),
                ..HTTPGetAction::default()
            }),
            period_seconds: Some(every_seconds),
            timeout_seconds: Some(2),
            failure_threshold: Some(failures),
            success_threshold: Some(1),
            ..Probe::default()
        }
    }
}

fn lame_duck() -> Lifecycle {
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction {
                seconds: LAME_DUCK_SECONDS,
            }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}
