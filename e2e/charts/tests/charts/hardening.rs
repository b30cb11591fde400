//! What is run is confined as strictly as Kubernetes knows how to, and what is lost is little.

use pavilion_e2e_charts::{Helm, find, name, pod_templates};
use serde_json::{Value, json};

fn rendered() -> Vec<Value> {
    let [helm, _] = Helm::both().unwrap();
    helm.template("pavilion", &["region.name=here,region.jurisdiction=DE"])
        .unwrap()
}

#[test]
fn every_container_may_do_nothing_that_it_need_not() {
    let objects = rendered();
    let templates = pod_templates(&objects);
    assert_eq!(templates.len(), 3);
    for (owner, template) in templates {
        let spec = &template["spec"];
        let security = &spec["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{owner}");
        assert_eq!(security["runAsUser"], 65_532, "{owner}");
        assert_eq!(
            security["seccompProfile"]["type"], "RuntimeDefault",
            "{owner}"
        );
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(spec[field].is_null(), "{owner}: {field}");
        }
        for container in spec["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            let expected = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(security, &expected, "{owner}");
            assert!(
                container["resources"]["limits"]["memory"].is_string(),
                "{owner}"
            );
            assert!(
                container["resources"]["requests"]["cpu"].is_string(),
                "{owner}"
            );
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert!(container[probe].is_object(), "{owner}: {probe}");
            }
        }
    }
}

#[test]
fn the_edge_has_no_token_and_keeps_its_keys_in_memory() {
    let objects = rendered();
    let account = find(&objects, "ServiceAccount", "pavilion-router").unwrap();
    assert_eq!(account["automountServiceAccountToken"], false);
    let router = find(&objects, "Deployment", "pavilion-router").unwrap();
    let spec = &router["spec"]["template"]["spec"];
    assert_eq!(spec["automountServiceAccountToken"], false);
    let volumes = spec["volumes"].as_array().unwrap();
    let volume = |name: &str| {
        volumes
            .iter()
            .find(|volume| volume["name"] == name)
            .unwrap()
    };
    assert_eq!(volume("state")["emptyDir"]["medium"], "Memory");
    // A Secret that is not optional is waited for.
    let identity = &volume("identity")["secret"];
    assert_eq!(identity["secretName"], "pavilion-router-identity");
    assert!(identity["optional"].is_null());
    // Nobody's rights but the operator's, and those of the test, which are there while it runs.
    let is_hook = |object: &Value| object["metadata"]["annotations"]["helm.sh/hook"].is_string();
    for object in objects.iter().filter(|object| !is_hook(object)) {
        let subjects = object["subjects"].as_array().into_iter().flatten();
        for subject in subjects {
            assert_eq!(subject["name"], "pavilion-operator", "{}", name(object));
        }
    }
}

#[test]
fn the_neighbour_holds_nothing_and_only_the_operator_asks_it() {
    let objects = rendered();
    let neighbour = find(&objects, "Deployment", "pavilion-neighbour").unwrap();
    let namespace = &neighbour["metadata"]["namespace"];
    assert_eq!(namespace, "pavilion-system-neighbour");
    let spec = &neighbour["spec"]["template"]["spec"];
    assert_eq!(spec["automountServiceAccountToken"], false);
    let volumes = spec["volumes"].as_array().unwrap();
    assert!(volumes.iter().all(|volume| volume["secret"].is_null()));
    let made = find(&objects, "Namespace", namespace.as_str().unwrap()).unwrap();
    let labels = &made["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    // As a tenant's is, and no tenant can be called so.
    let tenant = labels["pavilion.dev/tenant"].as_str().unwrap();
    assert!(tenant.contains('.'), "{tenant}");
    let policy = find(&objects, "NetworkPolicy", "pavilion-neighbour").unwrap();
    let ingress = policy["spec"]["ingress"].as_array().unwrap();
    assert_eq!(ingress.len(), 2);
    assert_eq!(
        ingress[0]["ports"],
        json!([{"port": 8080, "protocol": "TCP"}])
    );
    assert_eq!(
        ingress[1]["ports"],
        json!([{"port": 9104, "protocol": "TCP"}])
    );
    let asks = &ingress[1]["from"][0]["podSelector"]["matchLabels"];
    assert_eq!(asks["app.kubernetes.io/component"], "operator");
}

#[test]
fn a_stop_leaves_time_for_what_is_under_way() {
    let objects = rendered();
    let router = find(&objects, "Deployment", "pavilion-router").unwrap();
    let spec = &router["spec"]["template"]["spec"];
    let map = find(&objects, "ConfigMap", "pavilion-router").unwrap();
    let config: Value = serde_json::from_str(map["data"]["config.json"].as_str().unwrap()).unwrap();
    let drain = config["process"]["drainSeconds"].as_i64().unwrap();
    let pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_i64()
        .unwrap();
    let grace = spec["terminationGracePeriodSeconds"].as_i64().unwrap();
    assert!(grace > drain + pause, "{grace} > {drain} + {pause}");
}

#[test]
fn losing_a_node_or_a_replica_leaves_another() {
    let objects = rendered();
    for component in ["operator", "router"] {
        let full = format!("pavilion-{component}");
        let deployment = find(&objects, "Deployment", &full).unwrap();
        assert_eq!(deployment["spec"]["replicas"], 2);
        assert_eq!(
            deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"],
            0
        );
        let budget = find(&objects, "PodDisruptionBudget", &full).unwrap();
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let selector = budget["spec"]["selector"]["matchLabels"]
            .as_object()
            .unwrap();
        for (key, value) in selector {
            assert_eq!(&labels[key], value, "{full}");
        }
        let affinity = "/spec/template/spec/affinity/podAntiAffinity";
        assert!(deployment.pointer(affinity).is_some(), "{full}");
    }
    let routes = find(&objects, "Service", "pavilion-operator-routes").unwrap();
    assert_eq!(routes["spec"]["clusterIP"], "None");
    assert_eq!(routes["spec"]["publishNotReadyAddresses"], true);
}
