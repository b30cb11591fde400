//! Which API server, and as whom: what kubectl would take.

use std::io::ErrorKind;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};

use super::proxy;
use crate::args::ClusterArgs;
use crate::exit::Failure;

const HINT: &str =
    "set KUBECONFIG or give --kubeconfig FILE; for one host: kubectl pavilion status --state DIR";

/// The way to the API server.
pub async fn config(args: &ClusterArgs) -> Result<Config, Failure> {
    let read = match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = match read {
        Ok(kubeconfig) => kubeconfig,
        Err(error) => {
            let in_a_pod =
                (is_absent(&error) && args.kubeconfig.is_none() && args.context.is_none())
                    .then(Config::incluster);
            return match in_a_pod {
                Some(Ok(config)) => Ok(config),
                _ => Err(refused(args, &error)),
            };
        }
    };
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let read = kubeconfig.clone();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| refused(args, &error))?;
    // The library compares NO_PROXY with the proxy, not with the API server.
    let host = config.cluster_url.host().unwrap_or_default();
    let proxy = proxy::proxy(&read, args.context.as_deref(), host);
    config.proxy_url = proxy
        .map(|proxy| proxy.parse())
        .transpose()
        .map_err(|error| Failure::file(format!("the proxy is no URL: {error}")))?;
    Ok(config)
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

fn refused(args: &ClusterArgs, error: &KubeconfigError) -> Failure {
    match error {
        KubeconfigError::FindPath => {
            Failure::file("there is no kubeconfig, and no home directory to look for one")
                .note("hint", HINT)
        }
        KubeconfigError::ReadConfig(cause, path) => {
            let path = path.display();
            let failure = if cause.kind() == ErrorKind::NotFound {
                Failure::file(format!("there is no kubeconfig: {path} does not exist"))
            } else {
                Failure::file(format!("cannot read the kubeconfig {path}: {cause}"))
            };
            failure.note("hint", HINT)
        }
        KubeconfigError::Parse(cause) => Failure::file(format!(
            "the kubeconfig is not readable: {}",
            first_line(&cause.to_string())
        ))
        .note("hint", HINT),
        KubeconfigError::CurrentContextNotSet => {
            Failure::file("the kubeconfig has no current context").note(
                "hint",
                "kubectl config use-context NAME, or give --context NAME",
            )
        }
        KubeconfigError::LoadContext(name) => {
            let message = format!("the kubeconfig has no context {name}");
            let failure = if args.context.is_some() {
                Failure::usage(message)
            } else {
                Failure::file(message)
            };
            failure.note("hint", "kubectl config get-contexts lists them")
        }
        KubeconfigError::LoadClusterOfContext(name) => Failure::file(format!(
            "the kubeconfig has no cluster {name}, which its context names"
        )),
        KubeconfigError::LoadCertificateAuthority(cause)
        | KubeconfigError::LoadClientCertificate(cause)
        | KubeconfigError::LoadClientKey(cause) => unusable(cause),
        other => Failure::file(format!(
            "the kubeconfig cannot be used: {}",
            first_line(&other.to_string())
        )),
    }
}

fn unusable(cause: &LoadDataError) -> Failure {
    match cause {
        LoadDataError::ReadFile(cause, path) => Failure::file(format!(
            "cannot read {}, which the kubeconfig names: {cause}",
            path.display()
        )),
        other => Failure::file(format!(
            "a certificate or key in the kubeconfig is of no use: {other}"
        )),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
