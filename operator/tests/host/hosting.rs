//! A host is brought to its desired state, and only what changed is touched.

use std::collections::BTreeMap;

use pavilion_operator::{
    host::{Host, Phase, Program},
    records::Records,
};
use serde_json::json;

use crate::stage::{Stage, desired, now, until};

fn pids(host: &Host) -> BTreeMap<&'static str, Option<u32>> {
    let observed = host.observe();
    let acme = &observed.tenants["acme"];
    acme.children
        .iter()
        .map(|(program, state)| (program.name(), state.pid))
        .collect()
}

fn is_up(host: &Host) -> bool {
    let observed = host.observe();
    let children = observed
        .tenants
        .values()
        .flat_map(|tenant| &tenant.children);
    !observed.tenants.is_empty() && children.into_iter().all(|(_, state)| state.is_ready())
}

struct Play {
    stage: Stage,
    host: Host,
    records: Records,
    _voices: Vec<crate::stage::Voice>,
}

impl Play {
    /// The quickstart, up and routed.
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let mut voices = stage.voices("acme");
        voices.push(stage.router_voice());
        let (mut host, mut records) = (stage.host(), Records::default());
        host.start_router(&mut records, |_| Ok(())).unwrap();
        assert_eq!(stage.routes()["routes"], json!([]));
        let first = desired(&mut records, |text| text);
        assert!(host.apply(first, now()).is_empty());
        until(|| is_up(&host)).await;
        assert!(host.publish_routes(&mut records, |_| Ok(())).unwrap());
        Self {
            stage,
            host,
            records,
            _voices: voices,
        }
    }

    fn apply(&mut self, change: impl Fn(String) -> String) {
        let desired = desired(&mut self.records, change);
        assert!(self.host.apply(desired, now()).is_empty());
        self.host
            .publish_routes(&mut self.records, |_| Ok(()))
            .unwrap();
    }
}

#[tokio::test]
async fn a_tenant_is_routed_once_it_can_answer() {
    let play = Play::begin().await;
    let routes = play.stage.routes();
    assert_eq!(routes["version"], 2);
    assert_eq!(routes["routes"][0]["host"], "verify.acme.localhost");
    assert_eq!(
        routes["routes"][0]["upstreams"][0]["socket"],
        "tenants/acme/run/api.sock"
    );
    until(|| play.host.observe().routes_served).await;
    play.host.stop().await;
}

#[tokio::test]
async fn a_new_bundle_restarts_nothing() {
    let mut play = Play::begin().await;
    let before = pids(&play.host);
    let bundle = || std::fs::read(play.stage.state.join("tenants/acme/bundle.json")).unwrap();
    let first = bundle();
    play.apply(|text| text.replace("title: Is over 18", "title: Is an adult"));
    assert_ne!(
        std::fs::read(play.stage.state.join("tenants/acme/bundle.json")).unwrap(),
        first
    );
    assert_eq!(pids(&play.host), before);
    play.host.stop().await;
}

#[tokio::test]
async fn a_new_configuration_restarts_only_its_program() {
    let mut play = Play::begin().await;
    let before = pids(&play.host);
    play.apply(|text| text.replace("overlap: 168h", "overlap: 169h"));
    assert_eq!(play.stage.routes()["version"], 2, "the tenant stays routed");
    let host = &play.host;
    until(|| is_up(host)).await;
    let after = pids(host);
    assert_ne!(after["signer"], before["signer"]);
    assert_eq!(after["auditor"], before["auditor"]);
    assert_eq!(after["verifier"], before["verifier"]);
    play.host.stop().await;
}

#[tokio::test]
async fn two_edits_within_one_drain_never_run_a_program_twice() {
    let mut play = Play::begin().await;
    let old = pids(&play.host)["signer"].unwrap();
    // It cannot take the order to stop, so its drain lasts.
    let pid = rustix::process::Pid::from_raw(i32::try_from(old).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    for overlap in ["overlap: 169h", "overlap: 170h"] {
        play.apply(|text| text.replace("overlap: 168h", overlap));
    }
    let host = &play.host;
    until(|| pids(host)["signer"].is_some_and(|new| new != old)).await;
    assert!(!std::path::Path::new(&format!("/proc/{old}")).exists());
    play.host.stop().await;
}

/// The quickstart's tenant with more in its spec.
fn with(fields: &'static str) -> impl Fn(String) -> String {
    move |text| {
        text.replace(
            "regions: [eu-central]",
            &format!("{fields}\n  regions: [eu-central]"),
        )
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_at_the_edge_and_runs_on() {
    let mut play = Play::begin().await;
    let before = pids(&play.host);
    play.apply(with("suspend: true"));
    let route = &play.stage.routes()["routes"][0];
    assert_eq!(route["closed"], "tenant_suspended");
    assert_eq!(route["upstreams"], json!([]));
    assert_eq!(pids(&play.host), before);
    play.apply(|text| text);
    let route = &play.stage.routes()["routes"][0];
    assert_eq!(route["upstreams"].as_array().unwrap().len(), 2);
    assert!(route.get("closed").is_none(), "at once: {route}");
    assert_eq!(pids(&play.host), before);
    play.host.stop().await;
}

#[tokio::test]
async fn a_tenant_that_hibernates_stops_keeps_its_data_and_wakes() {
    let mut play = Play::begin().await;
    let old = pids(&play.host);
    let chain = play.stage.state.join("tenants/acme/tls/chain.pem");
    let shown = std::fs::read(&chain).unwrap();
    play.apply(with("hibernate: true"));
    let route = &play.stage.routes()["routes"][0];
    assert_eq!(route["closed"], "tenant_hibernated");
    assert_eq!(
        route["certificate"]["chainFile"],
        "tenants/acme/tls/chain.pem"
    );
    let observed = play.host.observe();
    assert!(observed.tenants.is_empty());
    assert!(observed.certificates.contains_key("acme"));
    for pid in old.into_values().flatten() {
        until(|| !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
    }
    // Both: what a caller is told is that it is suspended.
    play.apply(with("suspend: true\n  hibernate: true"));
    let closed = play.stage.routes()["routes"][0]["closed"].clone();
    assert_eq!(closed, "tenant_suspended");
    assert!(play.host.observe().tenants.is_empty());

    play.apply(|text| text);
    let closed = play.stage.routes()["routes"][0]["closed"].clone();
    assert_eq!(closed, "tenant_starting", "until it can answer");
    let host = &play.host;
    until(|| is_up(host)).await;
    play.host
        .publish_routes(&mut play.records, |_| Ok(()))
        .unwrap();
    let route = &play.stage.routes()["routes"][0];
    assert_eq!(route["upstreams"].as_array().unwrap().len(), 2);
    assert_eq!(std::fs::read(&chain).unwrap(), shown);
    play.host.stop().await;
}

#[tokio::test]
async fn a_tenant_that_hibernates_from_the_start_has_a_certificate_and_no_programs() {
    let stage = Stage::new().await;
    let _voice = stage.router_voice();
    let (mut host, mut records) = (stage.host(), Records::default());
    host.start_router(&mut records, |_| Ok(())).unwrap();
    let first = desired(&mut records, with("hibernate: true"));
    assert!(host.apply(first, now()).is_empty());
    host.publish_routes(&mut records, |_| Ok(())).unwrap();
    let closed = stage.routes()["routes"][0]["closed"].clone();
    assert_eq!(closed, "tenant_hibernated");
    for file in ["chain.pem", "key.pem"] {
        let file = stage.state.join("tenants/acme/tls").join(file);
        assert!(file.exists(), "{}", file.display());
    }
    assert!(host.observe().tenants.is_empty());
    host.stop().await;
}

#[tokio::test]
async fn a_tenant_that_comes_back_at_once_waits_for_its_old_programs() {
    let mut play = Play::begin().await;
    let old = pids(&play.host);
    play.apply(with("hibernate: true"));
    play.apply(|text| text);
    let host = &play.host;
    until(|| is_up(host)).await;
    let new = pids(host);
    assert!(old.iter().all(|(program, pid)| new[program] != *pid));
    play.host.stop().await;
}

#[tokio::test]
async fn a_removed_tenant_stops_and_the_others_stay() {
    let mut play = Play::begin().await;
    let voices = play.stage.voices("beta");
    let second = |text: String| {
        if text.contains("kind: Tenant") {
            format!("{text}---\n{}", text.replace("acme", "beta"))
        } else {
            text
        }
    };
    play.apply(second);
    let host = &play.host;
    until(|| host.observe().tenants.len() == 2 && is_up(host)).await;
    play.host
        .publish_routes(&mut play.records, |_| Ok(()))
        .unwrap();
    assert_eq!(play.stage.routes()["routes"].as_array().unwrap().len(), 2);
    let acme = pids(&play.host);
    play.apply(|text| text);
    assert_eq!(play.stage.routes()["routes"].as_array().unwrap().len(), 1);
    assert_eq!(pids(&play.host), acme);
    assert!(play.stage.state.join("tenants/beta/bundle.json").exists());
    drop(voices);
    play.host.stop().await;
}

#[tokio::test]
async fn a_stopped_host_leaves_no_process() {
    let play = Play::begin().await;
    let (pids, router) = (pids(&play.host), play.host.observe().router.pid);
    play.host.stop().await;
    for pid in pids.into_values().chain([router]).flatten() {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
    let ledger = std::fs::read(play.stage.state.join("operator/children.json")).unwrap();
    assert_eq!(ledger, b"[]");
}

#[tokio::test]
async fn programs_start_one_after_the_other() {
    let stage = Stage::new().await;
    let (mut host, mut records) = (stage.host(), Records::default());
    let first = desired(&mut records, |text| text);
    assert!(host.apply(first, now()).is_empty());
    until(|| pids(&host)["signer"].is_some()).await;
    let observed = host.observe();
    let phase = |program| observed.tenants["acme"].child(program).unwrap().phase;
    assert_eq!(phase(Program::Auditor), Phase::Waiting);
    assert_eq!(phase(Program::Verifier), Phase::Waiting);
    host.stop().await;
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_stops_nothing() {
    let mut play = Play::begin().await;
    let before = pids(&play.host);
    let bundle = play.stage.state.join("tenants/acme/bundle.json");
    std::fs::remove_file(&bundle).unwrap();
    std::fs::create_dir(&bundle).unwrap();
    let next = desired(&mut play.records, |text| {
        text.replace("18}}\n---", "21}}\n---")
    });
    let failed = play.host.apply(next, now());
    assert_eq!(failed.len(), 1);
    assert!(failed[0].1.to_string().starts_with("the state directory: "));
    assert_eq!(pids(&play.host), before);
    play.host.stop().await;
}
