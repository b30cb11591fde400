//! What people who have docker are given fits the rest of the checkout, as far as that can be told without docker.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use pavilion_e2e_cluster::checkout;
use serde_json::Value;

/// The fields of kind's v1alpha4 that are used or might be.
const TOP: [&str; 7] = [
    "kind",
    "apiVersion",
    "name",
    "networking",
    "nodes",
    "featureGates",
    "kubeadmConfigPatches",
];
const NETWORKING: [&str; 5] = [
    "ipFamily",
    "disableDefaultCNI",
    "kubeProxyMode",
    "podSubnet",
    "serviceSubnet",
];
const NODE: [&str; 5] = [
    "role",
    "image",
    "labels",
    "extraMounts",
    "extraPortMappings",
];
const PORT: [&str; 4] = ["containerPort", "hostPort", "listenAddress", "protocol"];

fn text(path: &str) -> String {
    fs::read_to_string(checkout().join(path)).unwrap()
}

fn config() -> Value {
    serde_saphyr::from_str(&text("e2e/kind/kind-config.yaml")).unwrap()
}

/// The version of a Go module that a tool is built from.
fn version(tool: &str, module: &str) -> String {
    let text = text(&format!("e2e/tools/{tool}/go.mod"));
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("require "));
    let mut versions = lines.filter_map(|line| line.strip_prefix(module)?.strip_prefix(' '));
    versions.next().unwrap().to_owned()
}

fn only(value: &Value, known: &[&str]) {
    for field in value.as_object().unwrap().keys() {
        assert!(
            known.contains(&field.as_str()),
            "{field} is no field: {value}"
        );
    }
}

#[test]
fn the_cluster_of_kind_is_written_in_fields_that_kind_knows() {
    let config = config();
    only(&config, &TOP);
    assert_eq!(config["kind"], "Cluster");
    assert_eq!(config["apiVersion"], "kind.x-k8s.io/v1alpha4");
    only(&config["networking"], &NETWORKING);
    for node in config["nodes"].as_array().unwrap() {
        only(node, &NODE);
        for port in node["extraPortMappings"].as_array().into_iter().flatten() {
            only(port, &PORT);
        }
    }
}

#[test]
fn it_has_the_kubernetes_of_the_other_tests_and_no_network_plugin_that_enforces_nothing() {
    let config = config();
    let kubernetes = version("kube", "k8s.io/kubernetes");
    for node in config["nodes"].as_array().unwrap() {
        assert_eq!(node["image"], format!("kindest/node:{kubernetes}"));
    }
    assert_eq!(config["networking"]["disableDefaultCNI"], true);
}

#[test]
fn its_script_is_one_that_bash_reads_and_finds_the_versions_in_it() {
    let path = "scripts/e2e-kind.sh";
    let outcome = Command::new("bash")
        .args(["-n", path])
        .current_dir(checkout())
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    let script = text(path);
    let finds = |line: &str| {
        let wanted = script.lines().find(|one| one.starts_with(line)).unwrap();
        let printed = Command::new("bash")
            .args([
                "-euc",
                &format!("config=e2e/kind/kind-config.yaml\n{wanted}\necho ${line}"),
            ])
            .current_dir(checkout())
            .output()
            .unwrap();
        String::from_utf8(printed.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(finds("name"), "pavilion");
    let kubernetes = version("kube", "k8s.io/kubernetes");
    assert_eq!(finds("node_image"), format!("kindest/node:{kubernetes}"));
    let cilium = version("cilium", "github.com/cilium/cilium");
    assert_eq!(format!("v{}", finds("cilium")), cilium);
    let page = text("docs/src/cluster-harness.md");
    let named = format!("--version {} ", cilium.trim_start_matches('v'));
    assert!(
        page.contains(&named),
        "the page on kind names another Cilium"
    );
}
