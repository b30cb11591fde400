//! A verifier with signer and auditor beside it, and a request that waits for the log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::neighbours::Neighbours;
use crate::world::{Answered, World, pid};

pub const PATH: &str = "/v1/verifications";
pub const NONCE: &str = "0123456789abcdef";

pub fn served() -> (World, Neighbours) {
    let world = World::new();
    let neighbours = Neighbours::serve(world.folder.path());
    (world, neighbours)
}

/// Evidence that was sent to a pending verification and is being judged until the log goes on.
pub struct Judging {
    pub world: Arc<World>,
    pub neighbours: Neighbours,
    pub token: String,
    /// The verification's path.
    pub path: String,
    /// The body that was sent.
    pub evidence: Value,
    /// The request under way.
    pub request: JoinHandle<Answered>,
}

impl Judging {
    pub async fn begin(world: World) -> Self {
        let world = Arc::new(world);
        let neighbours = Neighbours::serve(world.folder.path());
        neighbours.hold().await;
        let token = world.token("shop").await;
        let (path, nonce) = world.ask(&token).await;
        let evidence = json!({"presentations": pid(&world.adult(&nonce))});
        let request = tokio::spawn({
            let (world, token) = (world.clone(), token.clone());
            let (path, evidence) = (format!("{path}/evidence"), evidence.clone());
            async move { world.post(&token, &path, &evidence).await }
        });
        at_the_log(&neighbours).await;
        Self {
            world,
            neighbours,
            token,
            path,
            evidence,
            request,
        }
    }

    pub async fn state(&self) -> Value {
        self.world.get(&self.token, &self.path).await.ok(200)["state"].clone()
    }

    /// Lets the log go on; gives what the request comes to.
    pub async fn finish(self) -> Answered {
        self.neighbours.go_on();
        self.request.await.unwrap()
    }
}

/// Waits until a request has come as far as the log.
pub async fn at_the_log(neighbours: &Neighbours) {
    while neighbours.request_ids().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
