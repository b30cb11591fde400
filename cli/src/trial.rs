//! `try`: a tenant of its own is made, asked, and removed again, through the edge that relying parties use.

mod actors;
mod edge;
mod questions;
mod report;
mod tenant;

use crate::args::TryArgs;
use crate::cluster::{Cluster, USUAL_NAMESPACE, block_on};
use crate::console::{Console, Waiting};
use crate::exit::{Exit, Failure};
use crate::render::structured;
use actors::Actors;
use report::{Report, Step};
use tenant::TrialTenant;

/// Tries and prints.
pub fn run(args: &TryArgs, console: &mut Console) -> Result<Exit, Failure> {
    let report = block_on(trial(args, console))?;
    let text = match structured(args.output, &report)? {
        Some(text) => text,
        None => report.table(),
    };
    console.result(&text)?;
    Ok(if report.passed {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

async fn trial(args: &TryArgs, console: &mut Console) -> Result<Report, Failure> {
    let waiting = Waiting::on("making a tenant");
    let cluster = Cluster::connect(&args.cluster).await?;
    let actors = Actors::cast()?;
    let tenant = TrialTenant::new(&cluster, args);
    tenant.make(&actors).await?;
    waiting.now("waiting for the tenant, asking it");
    let steps = asked(args, &cluster, &tenant, &actors, console).await;
    if args.keep {
        console.next(&format!("kubectl pavilion status {}", args.tenant));
        return Ok(Report::of(steps?));
    }
    waiting.now("removing the tenant");
    let removed = tenant.remove().await;
    let mut steps = steps?;
    steps.push(Step::from("removed", removed));
    Ok(Report::of(steps))
}

async fn asked(
    args: &TryArgs,
    cluster: &Cluster,
    tenant: &TrialTenant<'_>,
    actors: &Actors,
    console: &mut Console,
) -> Result<Vec<Step>, Failure> {
    let namespace = args.cluster.operator_namespace.as_deref();
    let edge = match args.connect {
        Some(edge) => edge,
        None => edge::address(cluster, namespace.unwrap_or(USUAL_NAMESPACE)).await?,
    };
    let (shop, ready) = tenant.ready(actors, edge).await?;
    let mut steps = vec![Step::passed("tenant", ready)];
    steps.extend(questions::all(actors, &shop, console).await?);
    Ok(steps)
}
