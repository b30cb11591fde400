//! Who talks to the API server: its administrator, an account by its token, or somebody whom the
//! administrator plays.

use std::path::Path;

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

/// Who is in it may do what the policies refuse.
pub const BREAK_GLASS: &str = "pavilion:break-glass";

/// The administrator, as KUBECONFIG has it.
pub async fn administrator() -> Client {
    // Another test may have done so.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::try_default()
        .await
        .expect("KUBECONFIG names no API server; `e2e-cluster up` prints one that does")
}

/// A user whom the administrator plays, in some groups.
pub async fn user(name: &str, groups: &[&str]) -> Client {
    let mut config = Config::infer().await.unwrap();
    config.auth_info.impersonate = Some(name.to_owned());
    let groups = groups.iter().map(|group| (*group).to_owned());
    config.auth_info.impersonate_groups = Some(groups.collect());
    Client::try_from(config).unwrap()
}

/// Writes the kubeconfig of an account, by a token of its own.
pub async fn write_kubeconfig(client: &Client, namespace: &str, account: &str, file: &Path) {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(3_600),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answer: TokenRequest = api
        .create_subresource("token", account, &PostParams::default(), &request)
        .await
        .unwrap();
    let token = answer.status.unwrap().token;
    let admin = Kubeconfig::read().unwrap();
    let mut config = serde_json::to_value(&admin).unwrap();
    let user = config["contexts"][0]["context"]["user"].clone();
    config["users"] = json!([{"name": user, "user": {"token": token}}]);
    std::fs::write(file, serde_json::to_vec(&config).unwrap()).unwrap();
}

/// A client by a kubeconfig.
pub async fn by(file: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(file).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}

/// What the API server says to a request that it refuses; it must refuse.
pub fn refusal<T: std::fmt::Debug>(what: &str, outcome: Result<T, kube::Error>) -> String {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 403 => status.message,
        other => panic!("{what} was not refused: {other:?}"),
    }
}

/// Whether the API server would let a client do something.
pub async fn may(client: &Client, attributes: Value) -> bool {
    use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = json!({"metadata": {}, "spec": {"resourceAttributes": attributes}});
    let review = serde_json::from_value(review).unwrap();
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}
