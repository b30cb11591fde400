//! What every request can rely on, whatever its path.

use axum::body::Body;
use http::Request;

use crate::world::{World, question};

#[tokio::test]
async fn an_unknown_path_or_method_is_a_problem_too() {
    let world = World::new();
    let send = async |method: &str, path: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty());
        world.send(request.unwrap()).await
    };
    send("GET", "/nowhere").await.refused(404, "not_found");
    send("GET", "/v1/verifications/")
        .await
        .refused(404, "not_found");
    let refused = send("PUT", "/v1/verifications").await;
    refused.refused(405, "method_not_allowed");
    assert_eq!(refused.headers["allow"], "POST");
    let refused = send("POST", "/openapi.json").await;
    refused.refused(405, "method_not_allowed");
    assert_eq!(refused.headers["allow"], "GET,HEAD");
    send("OPTIONS", "/oauth/token")
        .await
        .refused(405, "method_not_allowed");
}

#[tokio::test]
async fn every_response_carries_the_request_id_of_the_edge() {
    let world = World::new();
    let request = Request::get("/nowhere").header("x-request-id", "01JABC");
    let answered = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answered.headers["x-request-id"], "01JABC");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_outcome_and_series_begin_at_zero() {
    let world = World::new();
    let zero =
        "pavilion_requests_total{route=\"/v1/verifications\",status=\"200\",outcome=\"ok\"} 0";
    assert!(world.metric(zero), "{}", world.metrics.render().unwrap());
    assert!(world.metric("pavilion_verdicts_total{verdict=\"indeterminate\"} 0"));
    assert!(world.metric("pavilion_policy_evaluation_errors_total 0"));
    let token = world.token("shop").await;
    world
        .post(&token, "/v1/verifications", &question())
        .await
        .ok(201);
    world
        .get(&token, "/v1/verifications/zzz")
        .await
        .refused(404, "not_found");
    world
        .get(&token, "/made/up/path")
        .await
        .refused(404, "not_found");
    let page = world.metrics.render().unwrap();
    for line in [
        "pavilion_requests_total{route=\"/v1/verifications\",status=\"201\",outcome=\"ok\"} 1",
        "pavilion_requests_total{route=\"/v1/verifications/{id}\",status=\"404\",outcome=\"not_found\"} 1",
        "pavilion_requests_total{route=\"unmatched\",status=\"404\",outcome=\"not_found\"} 1",
    ] {
        assert!(world.metric(line), "{line}\n{page}");
    }
    assert!(!page.contains("zzz") && !page.contains("made/up"));
}
