//! A peer of a `NetworkPolicy` on the command line.

use std::str::FromStr;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde_json::Value;

/// Who resolves names in most clusters, in whatever namespace.
pub const KUBE_DNS: &str =
    r#"{"namespaceSelector":{},"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}"#;

/// Pods or addresses, as a `NetworkPolicy` has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer(pub NetworkPolicyPeer);

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let given: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let peer = serde_json::from_value(given.clone()).map_err(|error| error.to_string())?;
        if peer == NetworkPolicyPeer::default() {
            return Err("names nobody".to_owned());
        }
        // Left out without a word, a field would open more than was meant.
        if serde_json::to_value(&peer).ok() != Some(given) {
            return Err("has a field that a peer of a NetworkPolicy does not have".to_owned());
        }
        Ok(Self(peer))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_peer_is_what_a_network_policy_takes_and_nothing_else() {
        for right in [
            KUBE_DNS,
            r#"{"ipBlock":{"cidr":"169.254.20.10/32"}}"#,
            r#"{"podSelector":{"matchExpressions":[{"key":"dns","operator":"Exists"}]}}"#,
        ] {
            right.parse::<Peer>().unwrap();
        }
        for wrong in [
            "",
            "{}",
            "[]",
            "169.254.20.10",
            r#"{"podselector":{}}"#,
            r#"{"podSelector":{"matchlabels":{"a":"b"}}}"#,
            r#"{"namespaceSelector":{},"pods":{}}"#,
        ] {
            assert!(wrong.parse::<Peer>().is_err(), "{wrong}");
        }
    }
}
