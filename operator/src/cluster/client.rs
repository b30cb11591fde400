//! The way to the API server.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use pavilion_process::Exit;

/// How long a connection may take to come about.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);

/// How long nothing may come on a connection: longer than a watch lasts, which the API server ends
/// after five minutes. Every other request has a shorter limit of its own.
const READ_TIME_OUT: Duration = Duration::from_secs(330);

/// A client by a kubeconfig, or by what a pod or the environment offers.
///
/// # Errors
/// [`Exit::ConfigRefused`] when there is no way to an API server.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Exit> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::infer().await.map_err(|error| {
            refused(&format!(
                "{error}; give --kubeconfig, or run in a pod with a service account"
            ))
        })?,
    };
    config.connect_timeout = Some(CONNECT_TIME_OUT);
    config.read_timeout = Some(READ_TIME_OUT);
    config.write_timeout = Some(CONNECT_TIME_OUT);
    Client::try_from(config).map_err(|error| refused(&error.to_string()))
}

async fn from_file(path: &Path) -> Result<Config, Exit> {
    let refuse = |error: &dyn std::fmt::Display| refused(&format!("{}: {error}", path.display()));
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| refuse(&error))?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| refuse(&error))
}

fn refused(why: &str) -> Exit {
    Exit::ConfigRefused(format!("there is no way to the API server: {why}"))
}
