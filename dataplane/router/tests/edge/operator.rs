//! Routes that an operator tells.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use pavilion_json::Digest;
use tempfile::TempDir;

use crate::fed::{Fed, Tenant, changed, identity, name_of, state};
use crate::replica::{OPERATOR, Replica, operator};
use crate::roots::{Mount, Root};

/// Where a router keeps things, and the root that operator and router have in common.
struct Room {
    folder: TempDir,
    root: Root,
    identity: Mount,
}

impl Room {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(folder: TempDir) -> Self {
        let root = Root::new();
        let identity = identity(folder.path(), &root, &root.client());
        Self {
            folder,
            root,
            identity,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The names of the files that the router keeps.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("state/files")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

#[tokio::test]
async fn a_state_is_served_and_a_router_without_one_is_not_ready() {
    let room = Room::new();
    let replica = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), replica.address).await;
    fed.until("a request", |_| !replica.requests().is_empty())
        .await;
    let checks = fed.status().checks;
    let missing = checks.iter().find(|check| !check.ok).unwrap();
    assert!(
        missing
            .reason
            .contains("no operator has sent a route table yet")
    );
    let (acme, program) = Tenant::with_pod(room.path(), "acme", "a.example").await;
    replica.tell(&state(7, &[&acme]));
    fed.until_version(7).await;
    fed.until("ready", |fed| fed.status().ready).await;
    let (status, body) = fed.ask(&acme).await;
    assert_eq!((status, program.seen()), (200, 1), "{body}");
    assert!(body.contains("\"pod\""), "{body}");
    let status = fed.status();
    assert_eq!(status.detail["routesSeen"]["secrets"], 7);
    assert_eq!(status.detail["routesSeen"]["pods"], 8);
    assert_eq!(status.detail["operator"], replica.address.to_string());
    assert_eq!(fed.reservation(), "");
    let metrics = fed.context.metrics.render().unwrap();
    assert!(
        metrics.contains("pavilion_router_operator_connected 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("pavilion_router_operator_files_total 5"),
        "{metrics}"
    );
    let kept = room.path().join("state/routes.json");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept), 0o600);
    for name in room.files() {
        assert_eq!(mode(&room.path().join("state/files").join(name)), 0o600);
    }
}

#[tokio::test]
async fn without_an_operator_the_last_state_is_served_also_by_a_router_that_starts() {
    let room = Room::new();
    let (acme, _program) = Tenant::with_pod(room.path(), "acme", "a.example").await;
    let replica = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), replica.address).await;
    replica.tell(&state(7, &[&acme]));
    fed.until_version(7).await;
    let address = replica.leave().await;
    assert_eq!(fed.ask(&acme).await.0, 200);
    fed.kill().await;
    let again = Fed::start(room.path(), address).await;
    again.until("ready", |fed| fed.status().ready).await;
    assert_eq!(again.version(), Some(7));
    assert_eq!(again.ask(&acme).await.0, 200);
    again
        .until("it says that nobody is heard", |fed| {
            fed.reservation().contains("no operator has been heard yet")
                && fed.reservation().contains(&address.to_string())
        })
        .await;
    assert!(again.status().detail.get("routesSeen").is_none());
}

#[tokio::test]
async fn a_name_is_looked_up_and_the_address_that_answers_is_found() {
    let room = Room::new();
    let acme = Tenant::new("acme", "a.example");
    let replica = Replica::start(&room.root).await;
    replica.tell(&state(7, &[&acme]));
    // It may have an IPv6 address as well, where nobody listens.
    let name = format!("localhost:{}", replica.address.port());
    let fed = Fed::start(room.path(), name).await;
    fed.until_version(7).await;
}

#[tokio::test]
async fn another_operator_is_followed_and_sends_only_what_is_new() {
    let room = Room::new();
    let (acme, beta) = (
        Tenant::new("acme", "a.example"),
        Tenant::new("beta", "b.example"),
    );
    let first = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), first.address).await;
    let told = state(7, &[&acme]);
    first.tell(&told);
    fed.until_version(7).await;
    assert_eq!(first.files_sent(), 5);
    let second = Replica::at(first.leave().await, &room.root, true).await;
    second.tell(&state(8, &[&acme, &beta]));
    fed.until_version(8).await;
    let request = second.requests().pop().unwrap();
    assert_eq!(request.files.len(), 5);
    assert_eq!(request.table, Digest::of(&told.table).as_bytes()[..]);
    assert_eq!(second.files_sent(), 5, "those of the other tenant");
    assert_eq!(room.files().len(), 10);
    second.tell(&state(9, &[&beta]));
    fed.until_version(9).await;
    fed.until("files that nobody names are gone", |_| {
        room.files().len() == 5
    })
    .await;
    assert!(room.files().contains(&name_of(beta.shown.key.as_bytes())));
}

#[tokio::test]
async fn a_state_that_is_of_no_use_is_refused_and_the_last_good_one_stays() {
    let room = Room::new();
    let (acme, beta) = (
        Tenant::new("acme", "a.example"),
        Tenant::new("beta", "b.example"),
    );
    let replica = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), replica.address).await;
    let good = state(7, &[&acme]);
    replica.tell(&good);
    fed.until_version(7).await;
    let refusals = [
        (
            changed(8, &[&acme, &beta], |table| {
                table.routes[1].host = table.routes[0].host.clone();
            }),
            "stands twice",
        ),
        (
            changed(9, &[&acme, &beta], |table| {
                let key = table.routes[0].certificate.key_file.clone();
                table.routes[1].certificate.key_file = key;
            }),
            "does not go with",
        ),
        (
            changed(10, &[&acme], |table| {
                table.routes[0].certificate.key_file = "../../identity/tls.key".to_owned();
            }),
            "is not the digest of a file",
        ),
        (
            changed(11, &[&acme], |table| {
                table.routes[0].certificate.key_file = name_of(b"never sent");
            }),
            "No such file",
        ),
    ];
    for (told, why) in refusals {
        replica.tell(&told);
        let what = format!("refused: {why}");
        fed.until(&what, |fed| {
            let refused = fed.status().refused;
            refused.is_some_and(|refused| refused.reason.contains(why))
        })
        .await;
        assert!(
            fed.reservation()
                .contains("the last good one stays in force")
        );
        assert_eq!((fed.version(), fed.status().ready), (Some(7), true));
    }
    // The same again as what is in force: nothing is refused any more.
    replica.tell(&good);
    fed.until("the refusal is forgotten", |fed| {
        fed.status().refused.is_none()
    })
    .await;
    fed.until("all is well", |fed| fed.reservation().is_empty())
        .await;
    let kept = fs::read(room.path().join("state/routes.json")).unwrap();
    assert_eq!(kept, good.table, "what was refused never got to the disk");
}

#[tokio::test]
async fn a_table_that_is_not_what_it_says_ends_the_stream() {
    let room = Room::new();
    let acme = Tenant::new("acme", "a.example");
    let replica = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), replica.address).await;
    let mut told = state(7, &[&acme]);
    told.digest = Some(Digest::of(b"something else"));
    replica.tell(&told);
    fed.until("it says why", |fed| {
        fed.reservation().contains("not what it says it is") && replica.requests().len() > 1
    })
    .await;
    assert_eq!(fed.version(), None);
    replica.tell(&state(7, &[&acme]));
    fed.until_version(7).await;
}

#[tokio::test]
async fn an_operator_that_is_behind_the_one_before_it_takes_nothing_back() {
    let room = Room::new();
    let (acme, beta) = (
        Tenant::new("acme", "a.example"),
        Tenant::new("beta", "b.example"),
    );
    let first = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), first.address).await;
    first.tell(&state(7, &[&acme, &beta]));
    fed.until_version(7).await;
    let second = Replica::at(first.leave().await, &room.root, true).await;
    second.tell(&state(6, &[&acme]));
    fed.until("it waits", |fed| fed.reservation().contains("knows less"))
        .await;
    assert_eq!(fed.version(), Some(7));
    second.tell(&state(8, &[&acme]));
    fed.until_version(8).await;
    // From one and the same operator whatever comes is newer.
    second.tell(&state(5, &[&beta]));
    fed.until_version(5).await;
}

#[tokio::test]
async fn an_operator_that_falls_silent_is_left() {
    let room = Room::new();
    let acme = Tenant::new("acme", "a.example");
    let any = "127.0.0.1:0".parse().unwrap();
    let replica = Replica::at(any, &room.root, false).await;
    let fed = Fed::start(room.path(), replica.address).await;
    replica.tell(&state(7, &[&acme]));
    fed.until_version(7).await;
    let begun = Instant::now();
    fed.until("another connection", |_| replica.requests().len() == 2)
        .await;
    println!("a silent operator is left after {:?}", begun.elapsed());
    assert_eq!(fed.version(), Some(7));
}

#[tokio::test]
async fn who_is_not_the_router_or_not_the_operator_is_not_spoken_to() {
    let room = Room::new();
    let acme = Tenant::new("acme", "a.example");
    let replica = Replica::start(&room.root).await;
    replica.tell(&state(7, &[&acme]));
    let other = Root::new();
    let strangers = [
        (&room.root.pem, other.client()),
        (
            &room.root.pem,
            room.root.leaf("acme.pavilion.internal", |_| {}),
        ),
        (&room.root.pem, operator(&room.root)),
        // The router does not know this operator.
        (&other.pem, room.root.client()),
    ];
    for (ca, leaf) in strangers {
        room.identity.replace(ca, &leaf);
        let fed = Fed::start(room.path(), replica.address).await;
        fed.until("it says why", |fed| {
            fed.reservation().contains("if anything was: 127.0.0.1:")
        })
        .await;
        assert!(!fed.status().ready && replica.requests().is_empty());
        fed.kill().await;
    }
    // A renewed certificate needs no restart.
    let fed = Fed::start(room.path(), replica.address).await;
    room.identity.replace(&room.root.pem, &room.root.client());
    fed.until_version(7).await;
    assert_eq!(replica.requests().len(), 1, "{OPERATOR} heard of it once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tenants_arrive_and_a_change_of_one_is_small() {
    // Where routers keep it in a cluster: in memory.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let room = Room::in_folder(folder.unwrap());
    let mut tenants: Vec<Tenant> = (0..1_000)
        .map(|number| Tenant::new(&format!("t{number}"), &format!("t{number}.example")))
        .collect();
    let replica = Replica::start(&room.root).await;
    let fed = Fed::start(room.path(), replica.address).await;
    fed.until("a request", |_| !replica.requests().is_empty())
        .await;
    let told = state(1, &tenants.iter().collect::<Vec<_>>());
    let begun = Instant::now();
    replica.tell(&told);
    fed.until_version(1).await;
    println!(
        "1,000 tenants, {} files, a table of {} bytes: served after {:?}",
        told.files.len(),
        told.table.len(),
        begun.elapsed()
    );
    for version in 2..5 {
        tenants[500] = Tenant::new("t500", "t500.example");
        let told = state(version, &tenants.iter().collect::<Vec<_>>());
        let begun = Instant::now();
        replica.tell(&told);
        fed.until_version(version).await;
        println!("one of them changed: served after {:?}", begun.elapsed());
    }
    assert_eq!(replica.files_sent(), 5_000 + 3 * 5);
    assert_eq!(room.files().len(), 5_000);
    fed.kill().await;
    let begun = Instant::now();
    let again = Fed::start(room.path(), replica.leave().await).await;
    again.until("ready", |fed| fed.status().ready).await;
    println!(
        "started from what was kept: ready after {:?}",
        begun.elapsed()
    );
}
