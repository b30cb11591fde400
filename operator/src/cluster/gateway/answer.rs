//! What the controller of a Gateway says of a route, as the route's status has it.

use serde_json::Value;

use super::version::GROUP;
use crate::{arguments::GatewayName, cluster::told::Told};

/// Its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// None yet to the route as it is now.
    #[default]
    None,
    /// The Gateway takes the route.
    Taken,
    /// It does not; who says so, and why.
    Refused(String),
}

impl Answer {
    /// What is said of a route to this Gateway. What was said of an earlier form of the route is no answer.
    pub fn of(route: &Told, gateway: &GatewayName) -> Self {
        let own = route.metadata.namespace.as_deref().unwrap_or_default();
        let status = route.member("status");
        let parents = status["parents"].as_array();
        let about = parents.into_iter().flatten();
        let about = about.filter(|parent| is_about(&parent["parentRef"], gateway, own));
        let generation = route.metadata.generation.unwrap_or(0);
        let mut answer = Self::None;
        for parent in about {
            match said(parent, generation) {
                Self::None => {}
                refused @ Self::Refused(_) => return refused,
                taken @ Self::Taken => answer = taken,
            }
        }
        answer
    }
}

/// Whether a reference is to this Gateway, and to the listener of it that was chosen.
fn is_about(parent: &Value, gateway: &GatewayName, own: &str) -> bool {
    let text = |field: &str, default| parent[field].as_str().unwrap_or(default).to_owned();
    text("group", GROUP) == GROUP
        && text("kind", "Gateway") == "Gateway"
        && text("namespace", own) == gateway.namespace
        && text("name", "") == gateway.name
        && parent["sectionName"].as_str() == gateway.section.as_deref()
}

/// What one controller says. A condition without `observedGeneration` is taken for one of now.
fn said(parent: &Value, generation: i64) -> Answer {
    let conditions = parent["conditions"].as_array();
    let current = conditions.into_iter().flatten().filter(|condition| {
        let observed = condition["observedGeneration"].as_i64();
        observed.is_none_or(|observed| observed >= generation)
    });
    let mut answer = Answer::None;
    for condition in current {
        let (type_, status) = (&condition["type"], &condition["status"]);
        if status == "False" && (type_ == "Accepted" || type_ == "ResolvedRefs") {
            return Answer::Refused(refusal(parent, condition));
        }
        if status == "True" && type_ == "Accepted" {
            answer = Answer::Taken;
        }
    }
    answer
}

fn refusal(parent: &Value, condition: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let who = text(&parent["controllerName"]);
    let (type_, reason) = (text(&condition["type"]), text(&condition["reason"]));
    let message = text(&condition["message"]);
    format!("{who} says {type_} is False, {reason}: {message}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::cluster::told::tests::told;

    fn answer(parents: &Value) -> Answer {
        let route = json!({
            "metadata": {"name": "tenant-acme", "namespace": "pavilion-system", "generation": 2},
            "status": {"parents": parents},
        });
        let gateway = "edge/public".parse().unwrap();
        Answer::of(&told(&route), &gateway)
    }

    fn condition(type_: &str, status: &str, generation: i64) -> Value {
        json!({
            "type": type_, "status": status, "observedGeneration": generation,
            "reason": "NotAllowedByListeners", "message": "no listener takes it",
        })
    }

    fn parent(name: &str, conditions: &[Value]) -> Value {
        json!({
            "parentRef": {"group": GROUP, "kind": "Gateway", "namespace": "edge", "name": name},
            "controllerName": "example.net/gateways", "conditions": conditions,
        })
    }

    #[test]
    fn a_route_is_taken_when_the_gateways_controller_accepts_it_and_finds_the_routers() {
        let both = [
            condition("Accepted", "True", 2),
            condition("ResolvedRefs", "True", 2),
        ];
        assert_eq!(answer(&json!([parent("public", &both)])), Answer::Taken);
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_who_refuses() {
        for type_ in ["Accepted", "ResolvedRefs"] {
            let conditions = [
                condition("Accepted", "True", 2),
                condition(type_, "False", 2),
            ];
            let told = answer(&json!([parent("public", &conditions)]));
            let expected = format!(
                "example.net/gateways says {type_} is False, NotAllowedByListeners: no listener takes it"
            );
            assert_eq!(told, Answer::Refused(expected));
        }
    }

    #[test]
    fn what_is_said_of_another_gateway_or_of_an_earlier_route_is_no_answer() {
        assert_eq!(answer(&json!([])), Answer::None);
        let taken = [condition("Accepted", "True", 2)];
        assert_eq!(answer(&json!([parent("private", &taken)])), Answer::None);
        let earlier = [condition("Accepted", "False", 1)];
        assert_eq!(answer(&json!([parent("public", &earlier)])), Answer::None);
        let open = [condition("Accepted", "Unknown", 2)];
        assert_eq!(answer(&json!([parent("public", &open)])), Answer::None);
        let mut listener = parent("public", &taken);
        listener["parentRef"]["sectionName"] = json!("tls");
        assert_eq!(answer(&json!([listener])), Answer::None);
    }

    #[test]
    fn a_parent_without_a_namespace_is_beside_the_route() {
        let mut beside = parent("public", &[condition("Accepted", "True", 2)]);
        beside["parentRef"]["namespace"].take();
        assert_eq!(answer(&json!([beside])), Answer::None);
    }
}
