//! `check`: is this cluster fit for Pavilion, and is the installation whole. Nothing is changed.

mod admission;
mod definitions;
mod network;
mod operator;
mod report;
mod rights;
mod schema;
mod storage;
mod version;

use crate::args::CheckArgs;
use crate::cluster::{Cluster, Leader, block_on, leader};
use crate::console::{Console, Waiting};
use crate::exit::{Exit, Failure};
use crate::render::structured;
use report::{Line, Report};

/// Checks and prints.
pub fn run(args: &CheckArgs, console: &mut Console) -> Result<Exit, Failure> {
    let report = block_on(check(args))?;
    let text = match structured(args.output, &report)? {
        Some(text) => text,
        None => report.table(),
    };
    console.result(&text)?;
    Ok(if report.fit { Exit::Ok } else { Exit::Failed })
}

async fn check(args: &CheckArgs) -> Result<Report, Failure> {
    let waiting = Waiting::on("asking the API server");
    let cluster = Cluster::connect(&args.cluster).await?;
    // Where not even this can be asked, nothing else can.
    let version = cluster
        .ask(cluster.client().apiserver_version())
        .await
        .map_err(|trouble| cluster.failure(&trouble))?;
    let mut lines = vec![version::line(&version)];
    lines.extend(definitions::lines(&cluster).await);
    waiting.now("looking for the operator");
    let namespace = args.cluster.operator_namespace.as_deref();
    let leader = leader(&cluster, namespace).await;
    let namespace = match &leader {
        Leader::Held { namespace, .. } => Some(namespace.clone()),
        _ => namespace.map(str::to_owned),
    };
    let (deployments, arguments) =
        operator::deployments(&cluster, namespace.as_deref(), &leader).await;
    lines.extend(deployments);
    lines.push(operator::leader_line(&leader));
    waiting.now("looking at the cluster");
    lines.push(storage::line(&cluster, arguments.as_deref()).await);
    lines.push(admission::line(&cluster).await);
    lines.push(network::line(&cluster).await);
    waiting.now("asking what you may do");
    lines.extend(rights::lines(&cluster).await);
    Ok(Report::of(cluster.url(), lines))
}
