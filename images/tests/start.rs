//! The images start where they are meant to: in a cluster that KUBECONFIG names and whose nodes have them, in a
//! namespace with restricted Pod Security, on a read-only root. `KUBECTL` names kubectl where the cluster harness built none.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

use pavilion_e2e_cluster::tool;
use pavilion_images::{ALL, Program, VERSION, named};
use serde_json::{Value, json};

const NAMESPACE: &str = "pavilion-images";

/// The private key of RFC 7515, appendix A.3.1: a question must be signed, and nobody gets to see this one.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

/// What kubectl prints; an error with what it says is a failed test.
fn kubectl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(tool("kubectl").unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn apply(objects: &Value) {
    kubectl(&["apply", "--filename", "-"], &objects.to_string());
}

fn set_up() {
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    apply(&json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels},
    }));
}

/// A pod of a program, which takes the place of one that is left of a run before.
fn run(name: &str, program: &Program, container: &Value, volumes: &Value) {
    let mut container = container.clone();
    container["name"] = json!("program");
    container["image"] = json!(program.reference());
    container["imagePullPolicy"] = json!("Never");
    container["securityContext"] = json!({
        "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let namespace = ["--namespace", NAMESPACE];
    kubectl(
        &[
            &["delete", "pod", name, "--ignore-not-found", "--now"],
            &namespace[..],
        ]
        .concat(),
        "",
    );
    apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
            "containers": [container], "volumes": volumes,
        },
    }));
}

fn wait(name: &str, what: &str) {
    let pod = format!("pod/{name}");
    kubectl(
        &[
            "wait",
            "--namespace",
            NAMESPACE,
            "--for",
            what,
            "--timeout=60s",
            &pod,
        ],
        "",
    );
}

fn log(name: &str) -> String {
    kubectl(&["logs", "--namespace", NAMESPACE, name], "")
}

#[test]
fn every_program_starts_as_nobody_on_a_root_that_cannot_be_written() {
    set_up();
    for program in ALL {
        run(
            program.name,
            program,
            &json!({"args": ["--version"]}),
            &json!([]),
        );
    }
    for program in ALL {
        wait(program.name, "jsonpath={.status.phase}=Succeeded");
        let said = log(program.name);
        let expected = format!("{} {VERSION} (", program.binary);
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn the_signer_makes_a_token_with_the_module_of_its_image() {
    set_up();
    let config = json!({
        "process": {"health": "tcp:0.0.0.0:9102"},
        "socket": "state/signer.sock", "module": named("signer").unwrap().loads[0].path,
        "tokenLabel": "acme", "pinFile": "state/pin", "tokenDirectory": "state/tokens",
        "keysFile": "state/keys.json", "logOrigin": "log.example/acme",
    });
    apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "signs", "namespace": NAMESPACE},
        "data": {"config.json": config.to_string()},
    }));
    let container = json!({
        "args": ["--config", "/config/config.json"],
        "env": [{"name": "SOFTHSM2_CONF", "value": "state/softhsm2.conf"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9102}, "periodSeconds": 1},
        "volumeMounts": [{"name": "state", "mountPath": "/state"}, {"name": "config", "mountPath": "/config"}],
    });
    let volumes = json!([{"name": "state", "emptyDir": {}}, {"name": "config", "configMap": {"name": "signs"}}]);
    run("signs", named("signer").unwrap(), &container, &volumes);
    wait("signs", "condition=Ready");
    assert!(log("signs").contains("token made"));
}

/// A name that is there is connected to, and answers with a certificate that nobody vouches for; one that is not
/// there fails before.
#[test]
fn a_static_program_looks_names_up_with_nothing_but_what_the_kubelet_writes() {
    set_up();
    apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "shop", "namespace": NAMESPACE},
        "data": {"shop.jwk": KEY},
    }));
    for (name, host) in [
        ("known", "kubernetes.default.svc"),
        ("unknown", "nowhere.default.svc"),
    ] {
        let server = format!("https://{host}");
        let ask = [
            "ask",
            "--server",
            &server,
            "--as",
            "shop",
            "--key",
            "/shop/shop.jwk",
        ];
        let question = [
            "--policy",
            "over-18",
            "--purpose",
            "test",
            "--timeout",
            "10",
        ];
        let container = json!({
            "args": ([&ask[..], &question[..]].concat()),
            "volumeMounts": [{"name": "shop", "mountPath": "/shop"}],
        });
        let volumes = json!([{"name": "shop", "configMap": {"name": "shop"}}]);
        run(
            name,
            named("kubectl-pavilion").unwrap(),
            &container,
            &volumes,
        );
    }
    wait("known", "jsonpath={.status.phase}=Failed");
    wait("unknown", "jsonpath={.status.phase}=Failed");
    let [known, unknown] = [log("known"), log("unknown")];
    assert!(known.contains("invalid peer certificate"), "{known}");
    assert!(unknown.contains("dns error"), "{unknown}");
}
