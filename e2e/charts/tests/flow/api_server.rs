//! The API server is away, and comes back.

use std::time::Duration;

use pavilion_e2e_charts::NAMESPACE;
use pavilion_e2e_cluster::recorded;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    command::{kubectl, run, tool},
    stage::{Stage, cluster, eventually, until_ready},
    traffic::Traffic,
};

/// How long it is away, if `AWAY_SECONDS` does not say. Longer than a lease of the operator's.
const SECONDS: u64 = 12;

/// When a node that says nothing counts as lost, in seconds. As an API server that comes back later has heard nothing of any
/// node, Kubernetes takes all of them for lost, and takes their pods from behind Services for moments.
const NODE_GRACE: u64 = 40;

/// An API server that stands still until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn now() -> Self {
        let pid = api_server();
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

/// The process of the API server: which API_SERVER_PID says, or that of the harness's cluster.
fn api_server() -> Pid {
    if let Ok(text) = std::env::var("API_SERVER_PID") {
        return Pid::from_raw(text.parse().unwrap()).unwrap();
    }
    let cluster = cluster().expect(
        "name the process of the API server in API_SERVER_PID: KUBECONFIG is no cluster of the harness",
    );
    let mut programs = cluster.nodes().into_iter().flat_map(|node| recorded(&node));
    let (_, server) = programs.find(|(name, _)| name == "apiserver").unwrap();
    Pid::from_raw(server.pid).unwrap()
}

impl Drop for Stopped {
    fn drop(&mut self) {
        kill_process(self.0, Signal::CONT).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_answer_while_the_api_server_stands_still_and_the_operator_takes_up_its_work() {
    let _stage = Stage::set().await;
    let seconds = std::env::var("AWAY_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let (meanwhile, throughout) = (Traffic::start().await, Traffic::start().await);
    let stopped = Stopped::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let answered = assert_answered(meanwhile).await;
    assert!(
        answered as u64 > seconds,
        "{answered} answers in {seconds} s"
    );
    drop(stopped);
    // Whoever had the lease has ended, and somebody writes again.
    let rescuer =
        "-n pavilion-acme --as=rescuer --as-group=system:masters --as-group=pavilion:break-glass";
    eventually("the API server answers", || {
        run(&tool("kubectl"), &["get", "--raw", "/readyz"]).succeeded
    });
    kubectl(&format!("{rescuer} delete networkpolicy default-deny"));
    eventually("what was deleted is there again", || {
        kubectl("-n pavilion-acme get networkpolicies -o name").contains("/default-deny")
    });
    kubectl(&format!(
        "-n {NAMESPACE} rollout status deployment/pavilion-operator --timeout=2m"
    ));
    until_ready();
    if seconds < NODE_GRACE {
        assert_answered(throughout).await;
    } else {
        throughout.stop().await;
    }
}

/// Everything was answered; how much that is.
async fn assert_answered(traffic: Traffic) -> usize {
    let tally = traffic.stop().await;
    assert_eq!(tally.refused, Vec::<String>::new(), "was refused");
    assert_eq!(tally.unanswered, Vec::<String>::new(), "got no answer");
    tally.answered.len()
}
