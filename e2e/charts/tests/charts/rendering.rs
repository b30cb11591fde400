//! What the charts render to: the same by both Helms, and a clear word where something is wrong.

use pavilion_crds::{Kind, admission};
use pavilion_e2e_charts::{Helm, chart, find, name};
use pavilion_e2e_cluster::checkout;
use serde_json::{Value, json};

/// The least that must be chosen.
const HERE: &str = "region.name=here,region.jurisdiction=DE";

/// Everything that can be turned on, and what is chosen instead of a default.
const EVERYTHING: [&str; 24] = [
    "region.name=eu-central",
    "region.jurisdiction=DE",
    "region.regimes={GDPR,eIDAS}",
    "region.endpoint=https://edge.example:8443",
    "publicPort=8443",
    "storageClass=fast",
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "prometheusRule.runbookBase=https://docs.example/pavilion/",
    "images.tag=9.9.9",
    "images.pullSecrets={registry}",
    "router.service.type=NodePort",
    "router.service.nodePort=30443",
    "router.gateway.name=public",
    "router.gateway.namespace=edge",
    "router.gateway.sectionName=tls",
    "networkPolicies.apiServer.cidrs={10.0.0.1/32}",
    "networkPolicies.dns.peers[0].ipBlock.cidr=169.254.20.10/32",
    "networkPolicies.dns.ports={53,5353}",
    "networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
    "admissionPolicies.exemptUsers={somebody}",
    "operator.leaseSeconds=15",
    "isolation.everySeconds=60",
    "isolation.closed={10.0.0.5:5432,[fd00::5]:5432}",
];

/// The arguments of the operator's container.
fn arguments(objects: &[Value]) -> Vec<String> {
    let deployment = find(objects, "Deployment", "pavilion-operator").unwrap();
    let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    serde_json::from_value(arguments.clone()).unwrap()
}

#[test]
fn both_helms_find_nothing_to_complain_about() {
    for helm in Helm::both().unwrap() {
        for name in ["pavilion", "pavilion-crds"] {
            let folder = chart(name).display().to_string();
            let mut line = vec!["lint", "--strict", &folder];
            if name == "pavilion" {
                line.extend(["--set", HERE]);
            }
            helm.succeed(&line).unwrap();
        }
    }
}

#[test]
fn both_helms_render_the_same_objects() {
    let [three, four] = Helm::both().unwrap();
    for settings in [&[HERE][..], &EVERYTHING[..]] {
        let objects = three.template("pavilion", settings).unwrap();
        assert_eq!(objects, four.template("pavilion", settings).unwrap());
        let mut names: Vec<String> = objects.iter().map(name).collect();
        assert!(names.len() > 20, "{names:?}");
        names.dedup();
        assert_eq!(names.len(), objects.len(), "{names:?}");
    }
    let definitions = three.template("pavilion-crds", &[]).unwrap();
    assert_eq!(definitions, four.template("pavilion-crds", &[]).unwrap());
    assert_eq!(definitions.len(), Kind::ALL.len());
}

#[test]
fn what_is_chosen_gets_where_it_belongs() {
    let [helm, _] = Helm::both().unwrap();
    let objects = helm.template("pavilion", &EVERYTHING).unwrap();
    let arguments = arguments(&objects);
    for expected in [
        "run",
        "--region=eu-central",
        "--public-port=8443",
        "--gateway=edge/public/tls",
        "--storage-class=fast",
        "--signer-image=pavilion.local/signer:9.9.9",
        "--probe-image=pavilion.local/probe:9.9.9",
        "--lease=15s",
        "--probe-every=60s",
        "--image-pull-secret=registry",
        r#"--dns-peer={"ipBlock":{"cidr":"169.254.20.10/32"}}"#,
        "--dns-port=53",
        "--dns-port=5353",
        "--closed-address=10.0.0.5:5432",
        "--closed-address=[fd00::5]:5432",
    ] {
        assert!(arguments.iter().any(|one| one == expected), "{expected}");
    }
    let policy = find(&objects, "NetworkPolicy", "pavilion-router").unwrap();
    let names = &policy["spec"]["egress"][0];
    assert_eq!(
        names["to"],
        json!([{"ipBlock": {"cidr": "169.254.20.10/32"}}])
    );
    assert_eq!(names["ports"].as_array().unwrap().len(), 4);
    let service = find(&objects, "Service", "pavilion-router").unwrap();
    let port = &service["spec"]["ports"][0];
    assert_eq!(
        (&port["port"], &port["nodePort"]),
        (&8443.into(), &30443.into())
    );
    assert_eq!(service["spec"]["type"], "NodePort");
    let map = find(&objects, "ConfigMap", "pavilion-router").unwrap();
    let config: Value = serde_json::from_str(map["data"]["config.json"].as_str().unwrap()).unwrap();
    assert_eq!(
        config["operator"]["address"],
        "pavilion-operator-routes.pavilion-system.svc:9443"
    );
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        assert!(
            objects.iter().any(|object| object["kind"] == kind),
            "{kind}"
        );
    }
}

/// The alerts that there are: name, and where the runbook is said to be.
fn alerts(settings: &[&str]) -> Vec<(String, Value)> {
    let [helm, _] = Helm::both().unwrap();
    let objects = helm.template("pavilion", settings).unwrap();
    let rule = find(&objects, "PrometheusRule", "pavilion").unwrap();
    let groups = rule["spec"]["groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    let told = rules.map(|rule| {
        let name = rule["alert"].as_str().unwrap().to_owned();
        (name, rule["annotations"]["runbook_url"].clone())
    });
    told.collect()
}

#[test]
fn an_alert_leads_to_its_runbook_where_somebody_serves_them_and_nowhere_otherwise() {
    let page = checkout().join("docs/src/runbooks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let told = alerts(&EVERYTHING);
    assert!(told.len() >= 4, "{told:?}");
    for (name, runbook) in told {
        assert!(page.contains(&format!("\n### {name}\n")), "{name}");
        let anchor = name.to_lowercase();
        let expected = format!("https://docs.example/pavilion/runbooks.html#{anchor}");
        assert_eq!(runbook, expected);
    }
    for (name, runbook) in alerts(&[HERE, "prometheusRule.enabled=true"]) {
        assert!(runbook.is_null(), "{name}: {runbook}");
    }
}

#[test]
fn the_region_is_made_as_it_is_described_unless_somebody_else_makes_it() {
    let [helm, _] = Helm::both().unwrap();
    let objects = helm.template("pavilion", &EVERYTHING).unwrap();
    let region = find(&objects, "Region", "eu-central").unwrap();
    let mut judged = region.clone();
    judged["metadata"] = json!({"name": region["metadata"]["name"]});
    admission::judge(Kind::Region, &judged, None).unwrap();
    assert_eq!(
        region["spec"],
        json!({
            "jurisdiction": "DE", "regimes": ["GDPR", "eIDAS"], "endpoint": "https://edge.example:8443",
        })
    );
    let without = ["region.name=here", "region.create=false"];
    let objects = helm.template("pavilion", &without).unwrap();
    assert!(find(&objects, "Region", "here").is_none());
}

#[test]
fn three_plans_are_made_that_the_api_server_takes_and_the_default_is_what_a_plan_leaves_out() {
    let [helm, _] = Helm::both().unwrap();
    let objects = helm.template("pavilion", &[HERE]).unwrap();
    let class = "pavilion-data-plane";
    for name in ["small", "standard", "large"] {
        let plan = find(&objects, "Plan", name).unwrap();
        let mut judged = plan.clone();
        judged["metadata"] = json!({"name": name});
        let judged = admission::judge(Kind::Plan, &judged, None).unwrap();
        assert_eq!(judged["spec"]["priorityClassName"], class);
        if name == pavilion_crds::DEFAULT_PLAN {
            let spec = json!({"priorityClassName": class});
            let empty = json!({
                "apiVersion": pavilion_crds::API_VERSION, "kind": "Plan", "metadata": {"name": name}, "spec": spec,
            });
            let empty = admission::judge(Kind::Plan, &empty, None).unwrap();
            assert_eq!(judged["spec"], empty["spec"]);
        }
    }
    let without = [HERE, "priorityClass.create=false"];
    let objects = helm.template("pavilion", &without).unwrap();
    let plan = find(&objects, "Plan", "standard").unwrap();
    assert!(plan["spec"]["priorityClassName"].is_null());
}

#[test]
fn the_pods_of_tenants_wait_for_operator_and_routers() {
    let [helm, _] = Helm::both().unwrap();
    let objects = helm.template("pavilion", &[HERE]).unwrap();
    let value = |name: &str| find(&objects, "PriorityClass", name).unwrap()["value"].as_i64();
    assert!(value("pavilion-data-plane") < value("pavilion-system"));
    let refused = helm.template("pavilion", &[HERE, "priorityClass.dataPlaneValue=1000000"]);
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("must be less than priorityClass.value"),
        "{error}"
    );
}

#[test]
fn a_gateway_is_beside_the_release_unless_another_place_is_named_and_there_is_none_by_itself() {
    let [helm, _] = Helm::both().unwrap();
    let told = |settings: &[&str]| {
        let objects = helm.template("pavilion", settings).unwrap();
        let mut told = arguments(&objects);
        told.retain(|one| one.starts_with("--gateway"));
        told
    };
    assert!(told(&[HERE]).is_empty());
    let beside = told(&[HERE, "router.gateway.name=public"]);
    assert_eq!(beside, ["--gateway=pavilion-system/public"]);
    let nameless = helm.template("pavilion", &[HERE, "router.gateway.namespace=edge"]);
    let error = nameless.unwrap_err().to_string();
    assert!(error.contains("router.gateway.name is required"), "{error}");
}

#[test]
fn an_image_is_named_by_its_digest_where_one_is_given() {
    let [helm, _] = Helm::both().unwrap();
    let digest = format!("sha256:{}", "0a".repeat(32));
    let setting = format!("images.digests.verifier={digest}");
    let objects = helm.template("pavilion", &[HERE, &setting]).unwrap();
    let expected = format!("--verifier-image=pavilion.local/verifier@{digest}");
    assert!(arguments(&objects).contains(&expected));
}

#[test]
fn the_routers_start_again_when_their_configuration_changes_and_only_then() {
    let [helm, _] = Helm::both().unwrap();
    let checksum = |settings: &[&str]| {
        let objects = helm.template("pavilion", settings).unwrap();
        let deployment = find(&objects, "Deployment", "pavilion-router").unwrap();
        deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"].clone()
    };
    let before = checksum(&[HERE]);
    assert!(before.is_string());
    assert_eq!(
        before,
        checksum(&["region.name=there,region.jurisdiction=FR"])
    );
    assert_ne!(before, checksum(&[HERE, "router.tlsMinVersion=1.2"]));
}

#[test]
fn a_value_that_is_unknown_missing_or_wrong_is_refused_and_named() {
    let wrong = [
        ("operator.replica=3", "replica"),
        ("colour=blue", "colour"),
        ("logLevel=loud", "logLevel"),
        ("images.digests.signer=latest", "signer"),
        ("router.replicas=two", "replicas"),
        ("router.service.type=ExternalName", "type"),
        ("router.gateway.gateway=public", "gateway"),
        ("router.gateway.name=Edge/public", "name"),
        ("region.jurisdiction=Germany", "jurisdiction"),
        ("region.endpoint=http://edge.example", "endpoint"),
        ("isolation.everySeconds=0", "everySeconds"),
        ("isolation.closed={db.example:5432}", "closed"),
    ];
    for helm in Helm::both().unwrap() {
        for (setting, named) in wrong {
            let refused = helm.template("pavilion", &[HERE, setting]);
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(named), "{} {setting}: {error}", helm.name);
        }
        let error = helm.template("pavilion", &[]).unwrap_err().to_string();
        assert!(error.contains("region.name is required"), "{error}");
        let bare = helm.template("pavilion", &["region.name=here"]);
        let error = bare.unwrap_err().to_string();
        assert!(error.contains("region.jurisdiction is required"), "{error}");
        let error = helm.template("pavilion-crds", &["keep=false"]).unwrap_err();
        assert!(error.to_string().contains("keep"), "{error}");
    }
}
