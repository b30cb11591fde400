//! What belongs to one relying party or tenant works for no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pavilion_e2e::judges::{judge_log, judge_receipt};
use pavilion_e2e::manifests::relying_party;
use pavilion_e2e::relying_party::{Session, nonce};
use pavilion_e2e::{Manifests, RelyingParty, Wallet, World};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Two tenants that believe the same issuer and know the same shop; `acme` also knows a bank.
struct Neighbours {
    world: World,
    bank: RelyingParty,
}

impl Neighbours {
    fn start() -> Self {
        let bank = RelyingParty::new("bank");
        let world = World::start();
        let both = world
            .manifests()
            .with(relying_party("acme", &bank))
            .and(Manifests::tenant("beta", &world.wallet, &world.shop));
        both.write_to(&world.broker.manifests());
        world.broker.wait_ready("beta");
        Self { world, bank }
    }

    async fn shop_at(&self, tenant: &str) -> Session {
        Session::open(&self.world.broker, tenant, &self.world.shop).await
    }

    fn wallet(&self) -> &Wallet {
        &self.world.wallet
    }
}

fn at_once(nonce: &str, presentation: &str) -> Value {
    json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    })
}

fn question() -> Value {
    json!({"policy": "over18", "purpose": "age-restricted-sale"})
}

#[tokio::test]
async fn a_verification_is_nobody_elses() {
    let neighbours = Neighbours::start();
    let (acme, beta) = (
        neighbours.shop_at("acme").await,
        neighbours.shop_at("beta").await,
    );
    let created = acme.post("/v1/verifications", &question()).await.json();
    let path = format!("/v1/verifications/{}", created["id"].as_str().unwrap());
    let bank = Session::open(&neighbours.world.broker, "acme", &neighbours.bank).await;
    let unknown = "/v1/verifications/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for stranger in [&bank, &beta] {
        let (hidden, absent) = (stranger.get(&path).await, stranger.get(unknown).await);
        assert_eq!(
            (hidden.status, hidden.code()),
            (absent.status, absent.code())
        );
        assert_eq!(hidden.code(), "not_found");
        for more in ["result", "receipt"] {
            let hidden = stranger.get(&format!("{path}/{more}")).await;
            assert_eq!(hidden.code(), "not_found");
        }
    }
}

#[tokio::test]
async fn a_token_of_one_tenant_is_nothing_at_another() {
    let neighbours = Neighbours::start();
    let acme = neighbours.shop_at("acme").await;
    let token = acme.bearer().unwrap().to_owned();
    let foreign = Session::anonymous(&neighbours.world.broker, "beta").with_bearer(&token);
    let refused = foreign.post("/v1/verifications", &question()).await;
    assert_eq!(refused.code(), "token_invalid");
    // Nor is an assertion that was made for the other tenant's token endpoint.
    let beta = Session::anonymous(&neighbours.world.broker, "beta");
    let assertion = neighbours
        .world
        .shop
        .assertion(&acme.token_endpoint(), |_| {});
    assert_eq!(beta.token(&assertion).await.code(), "client_invalid");
}

#[tokio::test]
async fn a_presentation_to_one_tenant_is_refused_by_the_other_and_uses_up_no_nonce_there() {
    let neighbours = Neighbours::start();
    let (acme, beta) = (
        neighbours.shop_at("acme").await,
        neighbours.shop_at("beta").await,
    );
    let nonce = nonce();
    let present = |session: &Session| {
        let wallet = neighbours.wallet();
        wallet.write(&wallet.born("1990-05-17", session.server(), &nonce))
    };
    let to_acme = present(&acme);
    let reply = acme
        .post("/v1/verifications", &at_once(&nonce, &to_acme))
        .await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let relayed = beta
        .post("/v1/verifications", &at_once(&nonce, &to_acme))
        .await;
    assert_eq!(relayed.code(), "presentation_audience_mismatch");
    // The same nonce is another one at another tenant.
    let own = at_once(&nonce, &present(&beta));
    assert_eq!(beta.post("/v1/verifications", &own).await.status, 201);
}

#[tokio::test]
async fn a_log_and_its_receipts_are_of_one_tenant() {
    let neighbours = Neighbours::start();
    let (acme, beta) = (
        neighbours.shop_at("acme").await,
        neighbours.shop_at("beta").await,
    );
    let nonce = nonce();
    let wallet = neighbours.wallet();
    let presentation = wallet.write(&wallet.born("1990-05-17", acme.server(), &nonce));
    let reply = acme
        .post("/v1/verifications", &at_once(&nonce, &presentation))
        .await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let receipt = acme.get(&format!("/v1/verifications/{id}/receipt")).await;

    let folder = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let own = file("acme.vkey", acme.log_key().await.as_bytes());
    let other = file("beta.vkey", beta.log_key().await.as_bytes());
    let receipt = file("receipt", &receipt.bytes);
    judge_receipt(&own, &receipt).unwrap();
    judge_receipt(&other, &receipt).unwrap_err();

    let broker = &neighbours.world.broker;
    let leaves = |key, tenant: &str| judge_log(key, &broker.served_log(tenant), None);
    broker.wait_for("the answer in the log of acme", || {
        leaves(&own, "acme").is_ok_and(|leaves| leaves.len() == 1)
    });
    assert_eq!(leaves(&other, "beta").unwrap_or_default(), [""; 0]);
    leaves(&other, "acme").unwrap_err();
}
