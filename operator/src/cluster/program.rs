//! The process: watches for good, and the controller while the lease is held.

use std::{any::Any, convert::Infallible, future::ready, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, channel::mpsc::UnboundedReceiver};
use kube::{
    Client,
    core::DynamicObject,
    runtime::{
        controller::{self, Action, ReconcileRequest},
        reflector::{ObjectRef, Store},
    },
};
use pavilion_crds::Kind;
use pavilion_process::{
    Exit, Health, HealthServer, Identity, Metrics, Signals, crypto, files, standard_error,
};
use tokio::{sync::Notify, task::JoinError, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    announcer::Announcer,
    apply::Applier,
    client,
    closing::Closing,
    conditions::Conditions,
    crds_check,
    finalizer::Finalizers,
    gathered::gathered,
    lease::Candidate,
    metrics::ClusterMetrics,
    objects::resource,
    probing::{Probing, Surroundings},
    reconcile::{Context, RoundError, after_failure, reconcile},
    remembered::Remembrance,
    retries::Retries,
    routes::Routes,
    settings::Settings,
    statuses::Statuses,
    triggers::triggers,
    watches::Watches,
    wide,
};
use crate::{
    arguments::Run,
    talk::{self, LogFormat},
};

const IDENTITY: Identity = Identity {
    name: "pavilion-operator",
    version: env!("CARGO_PKG_VERSION"),
    about: "Turns Tenants into running data planes.",
};

/// The lease of the replica that writes.
const LEASE: &str = "pavilion-operator";

/// Several changes of one tenant within this time are one.
const TOGETHER: Duration = Duration::from_millis(50);

/// How long looks under way may take to end when the process stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs until SIGTERM or SIGINT, or until the lease is lost.
///
/// # Errors
/// What keeps it from starting; [`Exit::Unavailable`] when the lease was lost.
pub fn run(options: &Run) -> Result<(), Exit> {
    talk::start(
        options.log_format.unwrap_or_else(LogFormat::fitting),
        options.log_level,
    );
    crypto::install();
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Exit::Unavailable(format!("cannot start threads: {error}")))?;
    let outcome = runtime.block_on(serve(options));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(options: &Run) -> Result<(), Exit> {
    tokio::spawn(standard_error::tell_of_drops());
    let mut signals = Signals::catch()?;
    let (health, metrics) = (Health::new(IDENTITY), Metrics::new(&IDENTITY));
    let server = HealthServer::bind(&options.health).await?;
    tokio::spawn(server.serve(health.clone(), metrics.clone()));
    let client = client::connect(options.kubeconfig.as_deref()).await?;
    let cluster_metrics = metrics.register(ClusterMetrics::register);
    let (triggers, mut told) = triggers();
    let check = health.register_check("watches");
    tokio::select! {
        _ = signals.next() => return Ok(()),
        fit = crds_check::fit(&client, &check) => fit?,
    }
    let settings = Settings::from(options);
    let watches = tokio::select! {
        _ = signals.next() => return Ok(()),
        watches = Watches::start(&client, &settings, &triggers, check) => watches,
    };
    metrics.register(|registry| {
        let conditions = Conditions::of(Arc::clone(&watches.objects));
        registry.register_collector(Box::new(conditions));
    });
    let mut routes = Routes::start(
        &client,
        &options.namespace,
        options.routes_listen,
        &triggers,
        (&health, &metrics),
    );
    let mut candidate = Candidate::new(
        client.clone(),
        &options.namespace,
        LEASE,
        &options.identity,
        Duration::from_secs(options.lease.as_seconds()),
    );
    let surroundings = tokio::select! {
        _ = signals.next() => return Ok(()),
        found = Surroundings::find(&client, &options.closed_address) => found,
    };
    let context = Arc::new(context(
        &client,
        surroundings,
        &watches,
        &routes,
        &candidate,
        (settings, &options.identity[..]),
        &cluster_metrics,
    ));
    tokio::select! {
        _ = signals.next() => return Ok(()),
        () = watches.heard.all.notified() => tracing::info!("everything is seen; ready"),
    }
    let held = routes.held();
    tokio::select! {
        _ = signals.next() => return Ok(()),
        // Nobody is given a host before it is known who has it.
        () = held.known() => {}
    }
    tokio::select! {
        _ = signals.next() => return Ok(()),
        () = candidate.take() => tracing::info!("this replica writes"),
        // Whoever stands by, be it for months, keeps no list of what changed meanwhile.
        () = told.by_ref().for_each(|_| ready(())) => {}
    }
    cluster_metrics.lead(true);
    watches.live.lead();
    routes.lead(candidate.fence());
    for tenant in watches.objects.tenants() {
        triggers.name(tenant.metadata.name.as_deref().unwrap_or_default());
    }
    let tenants = watches.objects.store();
    lead(
        &mut signals,
        &mut candidate,
        tenants,
        options,
        context,
        told,
    )
    .await
}

fn context(
    client: &Client,
    surroundings: Surroundings,
    watches: &Watches,
    routes: &Routes,
    candidate: &Candidate,
    (settings, replica): (Settings, &str),
    metrics: &ClusterMetrics,
) -> Context {
    let live = Arc::clone(&watches.live);
    let objects = Arc::clone(&watches.objects);
    let announcer = Announcer::start(client.clone(), Arc::clone(&objects), replica);
    let announcer = Arc::new(announcer);
    Context {
        client: client.clone(),
        objects: Arc::clone(&objects),
        classes: Arc::clone(&watches.classes),
        applier: Applier::new(
            client.clone(),
            live,
            candidate.fence(),
            metrics.clone(),
            Arc::clone(&announcer),
            Arc::clone(&watches.certificates),
            Arc::clone(&watches.front),
        ),
        statuses: Statuses::new(client.clone(), objects, candidate.fence(), metrics.clone()),
        probing: Probing::start(client, &settings.namespace, surroundings, metrics.clone()),
        settings,
        metrics: metrics.clone(),
        retries: Retries::default(),
        patience: Retries::default(),
        finalizers: Finalizers::new(client.clone(), candidate.fence()),
        pods: Arc::clone(&watches.pods),
        certificates: Arc::clone(&watches.certificates),
        supplies: Arc::clone(&watches.supplies),
        announcer,
        routers: routes.routers(),
        held: routes.held(),
        front: Arc::clone(&watches.front),
        remembrance: Remembrance::default(),
        closing: Closing::default(),
    }
}

/// Looks at every tenant, and again at each whose things changed, as long as the lease is held.
async fn lead(
    signals: &mut Signals,
    candidate: &mut Candidate,
    tenants: Store<DynamicObject>,
    options: &Run,
    context: Arc<Context>,
    told: UnboundedReceiver<String>,
) -> Result<(), Exit> {
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let requests = gathered(told, TOGETHER)
        .map(|tenant| Ok::<_, Infallible>(request(&tenant)))
        .take_until(async move { stopped.notified().await });
    let config = controller::Config::default().concurrency(options.workers.get());
    let (told_wide, remembering) = (Arc::clone(&context), Arc::clone(&context));
    let rounds = controller::applier(
        |tenant: Arc<DynamicObject>, context| {
            let name = tenant.metadata.name.clone().unwrap_or_default();
            // Of its own, so that the processors share the rounds and none of them keeps the lease waiting.
            let round = tokio::spawn(reconcile(name, context));
            AbortOnDropHandle::new(round).map(ended)
        },
        |object, error, context: Arc<Context>| after_failure(&object, error, &context),
        context,
        tenants,
        requests,
        config,
    );
    let rounds = rounds.for_each(move |round| {
        if let Err(controller::Error::ObjectNotFound(tenant)) = round
            && let Ok(tenant) = tenant.name.parse()
        {
            remembering.forget(&tenant);
        }
        ready(())
    });
    let mut rounds = std::pin::pin!(rounds);
    let lost = tokio::select! {
        () = &mut rounds => false,
        () = wide::tell(&told_wide) => false,
        _ = signals.next() => false,
        lost = candidate.hold() => {
            tracing::error!(%lost, "ending, so that only one replica writes");
            true
        }
    };
    if lost {
        return Err(Exit::Unavailable(
            "the lease was lost to another replica, or could not be renewed".to_owned(),
        ));
    }
    stop.notify_one();
    tracing::info!("stopping: what is under way is finished, then the lease is given back");
    let _ = timeout(DRAIN, rounds).await;
    candidate.give_back().await;
    Ok(())
}

/// What a round came to. One that panicked costs its own tenant that look, and nobody else anything.
fn ended(round: Result<Result<Action, RoundError>, JoinError>) -> Result<Action, RoundError> {
    match round.map_err(JoinError::try_into_panic) {
        Ok(outcome) => outcome,
        Err(Ok(panic)) => Err(RoundError::Fault(said(&*panic))),
        // Only dropping its handle ends a round early, and then nobody asks what it came to.
        Err(Err(_)) => Ok(Action::await_change()),
    }
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = literal.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_default()
}

/// A name as the controller's queue knows it.
fn request(tenant: &str) -> ReconcileRequest<DynamicObject> {
    ObjectRef::new_with(tenant, resource(Kind::Tenant)).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_look_that_panics_is_a_failure_like_any_other() {
        let what = "tenant";
        let rounds = [
            tokio::spawn(async { panic!("no tenant") }),
            tokio::spawn(async move { panic!("no {what}") }),
        ];
        for round in rounds {
            let Err(error) = ended(round.await) else {
                panic!("it went well");
            };
            assert_eq!(error.to_string(), "the look panicked: no tenant");
            assert_eq!(error.entry().code, "OperatorFault");
        }
    }
}
