//! A manifest that is wrong, as its author applies it: the API server refuses it where it can, else its status says
//! what is wrong, why and what to do, and what was accepted before stays in force.

mod cases;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use kube::{Api, core::DynamicObject};
use pavilion_e2e_charts::{Outcome, condition, tool};
use pavilion_e2e_cluster::checkout;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    objects::api,
    operator::{Operator, PATIENCE},
    stage::{LABEL, REGION, Stage},
};
use cases::{CASES, Case, Expected};

/// The quickstart under another name, in the region of the operator under test.
const TENANT: &str = "manifests";

/// What belongs to the quickstart, but for its Namespace.
const FILES: [&str; 4] = [
    "tenant.yaml",
    "trust-anchor.yaml",
    "relying-party.yaml",
    "policies.yaml",
];

/// What is right, in the order in which it is applied.
struct Manifests(TempDir);

impl Manifests {
    fn write() -> Self {
        let folder = TempDir::new().unwrap();
        for file in FILES {
            let text = fs::read_to_string(checkout().join("examples/quickstart").join(file));
            let text = text.unwrap().replace("acme", TENANT);
            let label = format!("metadata:\n  labels: {{{LABEL}: \"true\"}}\n");
            let text = text
                .replace("eu-central", REGION)
                .replace("metadata:\n", &label);
            fs::write(folder.path().join(file), text).unwrap();
        }
        Self(folder)
    }

    fn apply(&self, file: &str) -> Outcome {
        let output = Command::new(tool("kubectl").unwrap())
            .args(["apply", "-f"])
            .arg(self.0.path().join(file))
            .output()
            .unwrap();
        Outcome::from(output)
    }

    fn apply_all(&self) {
        for file in FILES {
            let outcome = self.apply(file);
            assert!(outcome.succeeded, "{file}: {}", outcome.said);
        }
    }

    /// One file of it with a fault.
    fn apply_wrong(&self, case: &Case) -> Outcome {
        let text = fs::read_to_string(self.0.path().join(case.file)).unwrap();
        assert!(
            text.contains(case.right),
            "{} has no {}",
            case.file,
            case.right
        );
        fs::write(
            self.0.path().join("wrong.yaml"),
            text.replacen(case.right, case.wrong, 1),
        )
        .unwrap();
        self.apply("wrong.yaml")
    }
}

/// The tenant's objects in the cluster.
struct World<'a> {
    stage: &'a Stage,
    namespace: String,
}

impl World<'_> {
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let namespace = (kind != "Tenant").then_some(self.namespace.as_str());
        api(&self.stage.admin, kind, namespace)
    }

    async fn condition(&self, kind: &str, name: &str, type_: &str) -> Value {
        let object = self.api(kind).get(name).await.unwrap();
        let found = condition(&object.data["status"], type_);
        // Said of an older text, it says nothing of this one.
        let current =
            |found: &&Value| found["observedGeneration"].as_i64() == object.metadata.generation;
        found.filter(current).cloned().unwrap_or_default()
    }

    /// What the condition says of the object as it is now, once it is one way or the other.
    async fn accepted(&self, kind: &str, name: &str, status: &str) -> Result<Value, String> {
        let begun = Instant::now();
        loop {
            let condition = self.condition(kind, name, "Accepted").await;
            if condition["status"] == status {
                return Ok(condition);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{kind} {name} is not {status}, but {condition}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything is accepted.
    async fn good(&self) {
        for (kind, name) in [
            ("Tenant", TENANT),
            ("TrustAnchor", "demo-issuers"),
            ("RelyingParty", "shop"),
            ("Policy", "over18"),
            ("Policy", "account-opening"),
        ] {
            self.accepted(kind, name, "True").await.unwrap();
        }
    }

    /// What the tenant's verifier is to serve.
    async fn bundle(&self) -> Value {
        let map = self.api("ConfigMap").get("pavilion").await.unwrap();
        map.data["data"]["bundle.json"].clone()
    }
}

/// The API server refuses it, and says this.
fn check_refusal(outcome: &Outcome, expected: &str) -> Result<(), String> {
    if outcome.succeeded {
        return Err("the API server took it".to_owned());
    }
    let said = outcome.said.contains(expected);
    said.then_some(()).ok_or_else(|| outcome.said.clone())
}

impl Case {
    /// The status of the object says it, and that of the tenant that something is wrong.
    async fn check_condition(
        &self,
        world: &World<'_>,
        outcome: &Outcome,
        (kind, name, reason, says): (&str, &str, &str, &str),
    ) -> Result<(), String> {
        if !outcome.succeeded {
            return Err(outcome.said.clone());
        }
        let condition = world.accepted(kind, name, "False").await?;
        let message = condition["message"].as_str().unwrap();
        let hint = pavilion_catalogue::find(reason).unwrap().hint;
        if condition["reason"] != reason || !message.contains(says) || !message.contains(hint) {
            return Err(condition.to_string());
        }
        let ready = world.condition("Tenant", TENANT, "Ready").await;
        let said = ready["status"] == "False" && ready["reason"] == reason;
        said.then_some(())
            .ok_or_else(|| format!("Ready is {ready}"))
    }

    async fn check(&self, world: &World<'_>, outcome: &Outcome) -> Result<(), String> {
        match self.expected {
            Expected::Refused(says) => check_refusal(outcome, says),
            Expected::Condition {
                kind,
                name,
                reason,
                says,
            } => {
                let name = if kind == "Tenant" { TENANT } else { name };
                let expected = (kind, name, reason, says);
                self.check_condition(world, outcome, expected).await
            }
        }
    }
}

#[tokio::test]
async fn every_wrong_manifest_is_refused_or_says_what_is_wrong_and_what_was_good_stays() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "manifests").await;
    // Of two that are made in the same second, the one with the earlier name counts as the first.
    stage.tenant(&operator, "earlier").await;
    let namespace = stage.tenant(&operator, TENANT).await;
    let world = World {
        stage: &stage,
        namespace,
    };
    let manifests = Manifests::write();
    manifests.apply_all();
    world.good().await;
    let good = world.bundle().await;
    let mut other = Vec::new();
    for case in CASES {
        let outcome = manifests.apply_wrong(&case);
        match case.check(&world, &outcome).await {
            Ok(()) => println!("{}: {}", case.what, case.expected),
            Err(seen) => other.push(format!("{}: not {}, but {seen}", case.what, case.expected)),
        }
        assert_eq!(world.bundle().await, good, "{}", case.what);
        manifests.apply_all();
        world.good().await;
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}
