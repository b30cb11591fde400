//! What is watched, and whether all of it was told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, core::DynamicObject, runtime::watcher};
use pavilion_crds::Kind;
use pavilion_process::Check;
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

use super::{
    cert_manager::{self, Certificates},
    classes::{ClassKind, Classes},
    gateway::{Front, Version},
    isolation,
    live::Live,
    objects::{Objects, resource},
    owned::MANAGED_BY,
    parts::Part,
    pods::Pods,
    settings::Settings,
    supplies::{Supplies, Supply},
    triggers::Triggers,
    watching::{News, follow},
};

/// How long is waited for what the Gateway API and cert-manager have, once everything else is there.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many objects of our kinds are listed at once: each may have as much as the API server holds.
const PAGE: u32 = 50;
/// Before the API server is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Everything that is watched.
pub struct Watches {
    /// The objects of our kinds.
    pub objects: Arc<Objects>,
    /// The objects made for tenants.
    pub live: Arc<Live>,
    /// The pods of tenants.
    pub pods: Arc<Pods>,
    /// The classes that plans may name.
    pub classes: Arc<Classes>,
    /// What stands before the edge.
    pub front: Arc<Front>,
    /// What cert-manager says.
    pub certificates: Arc<Certificates>,
    /// The Secrets that others supply for tenants.
    pub supplies: Arc<Supplies>,
    /// Tells when all of them told their first list, as far as the operator needs them.
    pub heard: Arc<Heard>,
}

/// How many of the watches have not told their first list.
pub struct Heard {
    silent: AtomicUsize,
    /// All have, or those that have not are not waited for any more.
    pub all: Notify,
    /// All have that no cluster is without.
    needed: Notify,
    check: Check,
}

impl Watches {
    /// Begins to watch. The check fails until every watch has told its first list. Those of the Gateway API and of
    /// cert-manager, where there is any by now, are not waited for for long.
    pub async fn start(
        client: &Client,
        settings: &Settings,
        triggers: &Triggers,
        check: Check,
    ) -> Self {
        check.set_failed("not every watch has told its first list; the API server may be away, or the CRDs not installed");
        let namespace = &settings.namespace;
        let objects = Arc::<Objects>::default();
        let live = Arc::new(Live::new(namespace));
        let parts = Part::all(namespace);
        let of_kinds = Kind::ALL.len() + ClassKind::ALL.len() + parts.len() + Supply::ALL.len();
        let heard = Arc::new(Heard {
            // Beside these the pods.
            silent: AtomicUsize::new(of_kinds + 1),
            all: Notify::new(),
            needed: Notify::new(),
            check,
        });
        for kind in Kind::ALL {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
            let (objects, triggers, mut told) =
                (Arc::clone(&objects), triggers.clone(), heard.first());
            let config = watcher::Config::default().page_size(PAGE);
            tokio::spawn(follow(api, config, kind.name(), move |news| {
                told(&news);
                objects.hear(kind, news, &triggers);
            }));
        }
        let classes = Arc::<Classes>::default();
        for kind in ClassKind::ALL {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.resource());
            let (classes, objects) = (Arc::clone(&classes), Arc::clone(&objects));
            let (triggers, mut told) = (triggers.clone(), heard.first());
            let config = watcher::Config::default();
            tokio::spawn(follow(api, config, kind.name(), move |news| {
                told(&news);
                if classes.hear(kind, news) {
                    objects.concerns_everybody(&triggers);
                }
            }));
        }
        let (label, value) = MANAGED_BY;
        let ours = watcher::Config::default().labels(&format!("{label}={value}"));
        for part in parts {
            let (live, triggers, mut told) = (Arc::clone(&live), triggers.clone(), heard.first());
            let api = part.api(client, Version::default());
            let config = part.narrow(ours.clone());
            tokio::spawn(follow(api, config, part.kind.name(), move |news| {
                told(&news);
                live.hear(&part, news, &triggers);
            }));
        }
        let front = Arc::new(Front::new(settings));
        let routes_known = front.follow(client, &objects, &live, triggers);
        let (listed, certificates_known) = oneshot::channel();
        tokio::spawn(Arc::clone(&heard).conclude(routes_known, certificates_known));
        let certificates = Arc::<Certificates>::default();
        tokio::spawn(watch_certificates(
            client.clone(),
            ours.clone(),
            Part::certificates(namespace),
            (
                Arc::clone(&certificates),
                Arc::clone(&live),
                Arc::clone(&objects),
            ),
            triggers.clone(),
            certificates_served(client).await.then_some(listed),
        ));
        let supplies = watch_supplies(client, namespace, triggers, &heard);
        let of_tenants = ours.labels(&format!(
            "{label}={value},{}={}",
            isolation::COMPONENT,
            isolation::DATA_PLANE
        ));
        let api = Api::<Pod>::all(client.clone());
        let (pods, triggers, mut told) = (Arc::<Pods>::default(), triggers.clone(), heard.first());
        let heard_pods = Arc::clone(&pods);
        tokio::spawn(follow(api, of_tenants, "Pod", move |news| {
            told(&news);
            heard_pods.hear(news, &triggers);
        }));
        Self {
            objects,
            live,
            pods,
            classes,
            front,
            certificates,
            supplies,
            heard,
        }
    }
}

fn watch_supplies(
    client: &Client,
    namespace: &str,
    triggers: &Triggers,
    heard: &Arc<Heard>,
) -> Arc<Supplies> {
    let supplies = Arc::new(Supplies::new(client, namespace));
    for supply in Supply::ALL {
        let (hearing, triggers, mut told) =
            (Arc::clone(&supplies), triggers.clone(), heard.first());
        let (api, config) = supply.watch(client, namespace);
        tokio::spawn(follow(api, config, "Secret", move |news| {
            told(&news);
            hearing.hear(supply, news, &triggers);
        }));
    }
    supplies
}

/// Whether there is cert-manager. Asked until the API server says: a Certificate that was not seen would be left behind.
async fn certificates_served(client: &Client) -> bool {
    loop {
        match cert_manager::is_served(client).await {
            Ok(served) => return served,
            Err(why) => tracing::warn!(
                why,
                "the API server does not say whether there is cert-manager"
            ),
        }
        sleep(PAUSE).await;
    }
}

/// Begins once there is cert-manager; tells of its first list.
async fn watch_certificates(
    client: Client,
    config: watcher::Config,
    part: Part,
    (certificates, live, objects): (Arc<Certificates>, Arc<Live>, Arc<Objects>),
    triggers: Triggers,
    mut listed: Option<oneshot::Sender<()>>,
) {
    cert_manager::until_served(&client).await;
    let kind = part.kind.name();
    follow(
        part.api(&client, Version::default()),
        config,
        kind,
        move |news| {
            if certificates.hear(&news, &triggers) {
                objects.concerns_everybody(&triggers);
            }
            let is_list = matches!(news, News::Listed(_));
            live.hear(&part, news, &triggers);
            if let Some(listed) = listed.take_if(|_| is_list) {
                // Nobody waits for it any more.
                let _ = listed.send(());
            }
        },
    )
    .await;
}

impl Heard {
    /// For one watch: takes note of its first list.
    fn first<K>(self: &Arc<Self>) -> impl FnMut(&News<K>) + Send + use<K> {
        let (heard, mut silent) = (Arc::clone(self), true);
        move |news| {
            if silent && matches!(news, News::Listed(_)) {
                silent = false;
                heard.one();
            }
        }
    }

    /// What not every cluster has is waited for too, but not for long: whatever is the matter with the Gateway API or with
    /// cert-manager, tenants are looked after.
    async fn conclude(
        self: Arc<Self>,
        routes: oneshot::Receiver<()>,
        certificates: oneshot::Receiver<()>,
    ) {
        self.needed.notified().await;
        for (what, known) in [("TLSRoutes", routes), ("Certificates", certificates)] {
            // Where there are none its sender is dropped.
            if timeout(PATIENCE, known).await.is_err() {
                tracing::error!(
                    "the cluster does not tell which {what} there are; going on without"
                );
            }
        }
        self.check.set_ok();
        self.all.notify_one();
    }

    /// One more has told its first list.
    fn one(&self) {
        if self.silent.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.needed.notify_one();
        }
    }
}
