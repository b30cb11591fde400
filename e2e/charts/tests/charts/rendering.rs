//! What the charts render to: the same by both Helms, and a clear word where something is wrong.

use pavilion_e2e_charts::{Helm, chart, find, name};
use serde_json::Value;

/// Everything that can be turned on, and what is chosen instead of a default.
const EVERYTHING: [&str; 14] = [
    "region=eu-central",
    "publicPort=8443",
    "storageClass=fast",
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "images.tag=9.9.9",
    "images.pullSecrets={registry}",
    "router.service.type=NodePort",
    "router.service.nodePort=30443",
    "networkPolicies.apiServer.cidrs={10.0.0.1/32}",
    "networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
    "admissionPolicies.exemptUsers={somebody}",
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
                line.extend(["--set", "region=eu-central"]);
            }
            helm.succeed(&line).unwrap();
        }
    }
}

#[test]
fn both_helms_render_the_same_objects() {
    let [three, four] = Helm::both().unwrap();
    for settings in [&EVERYTHING[..1], &EVERYTHING[..]] {
        let objects = three.template("pavilion", settings).unwrap();
        assert_eq!(objects, four.template("pavilion", settings).unwrap());
        let mut names: Vec<String> = objects.iter().map(name).collect();
        assert!(names.len() > 20, "{names:?}");
        names.dedup();
        assert_eq!(names.len(), objects.len(), "{names:?}");
    }
    let definitions = three.template("pavilion-crds", &[]).unwrap();
    assert_eq!(definitions, four.template("pavilion-crds", &[]).unwrap());
    assert_eq!(definitions.len(), pavilion_crds::Kind::ALL.len());
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
        "--storage-class=fast",
        "--signer-image=pavilion.local/signer:9.9.9",
        "--probe-image=pavilion.local/probe:9.9.9",
        "--probe-every=60s",
        "--closed-address=10.0.0.5:5432",
        "--closed-address=[fd00::5]:5432",
    ] {
        assert!(arguments.iter().any(|one| one == expected), "{expected}");
    }
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

#[test]
fn an_image_is_named_by_its_digest_where_one_is_given() {
    let [helm, _] = Helm::both().unwrap();
    let digest = format!("sha256:{}", "0a".repeat(32));
    let setting = format!("images.digests.verifier={digest}");
    let objects = helm
        .template("pavilion", &["region=here", &setting])
        .unwrap();
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
    let before = checksum(&["region=here"]);
    assert!(before.is_string());
    assert_eq!(before, checksum(&["region=there"]));
    assert_ne!(
        before,
        checksum(&["region=here", "router.tlsMinVersion=1.2"])
    );
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
        ("isolation.everySeconds=0", "everySeconds"),
        ("isolation.closed={db.example:5432}", "closed"),
    ];
    for helm in Helm::both().unwrap() {
        for (setting, named) in wrong {
            let refused = helm.template("pavilion", &["region=here", setting]);
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(named), "{} {setting}: {error}", helm.name);
        }
        let error = helm.template("pavilion", &[]).unwrap_err().to_string();
        assert!(error.contains("region is required"), "{error}");
        let error = helm.template("pavilion-crds", &["keep=false"]).unwrap_err();
        assert!(error.to_string().contains("keep"), "{error}");
    }
}
