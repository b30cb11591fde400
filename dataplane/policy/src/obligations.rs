//! What an answer is limited to, merged by the strictest rule.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::claim_ref::ClaimRef;
use crate::duration::GoDuration;

/// Limits of an answer. What is not given is not limited.
///
/// | limit | strictest of two |
/// | --- | --- |
/// | `answerTimeToLive` | the shorter |
/// | `keepResult` | the shorter |
/// | `disclose` | the claims in both |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Obligations {
    /// The longest time from `iat` to `exp` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_time_to_live: Option<GoDuration>,
    /// The longest time the finished verification can be read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_result: Option<GoDuration>,
    /// The only claims that may leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclose: Option<BTreeSet<ClaimRef>>,
}

impl Obligations {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The strictest of both, limit by limit.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        Self {
            answer_time_to_live: strictest(
                self.answer_time_to_live,
                other.answer_time_to_live,
                Ord::min,
            ),
            keep_result: strictest(self.keep_result, other.keep_result, Ord::min),
            disclose: strictest(
                self.disclose.clone(),
                other.disclose.clone(),
                |mine, theirs| mine.intersection(&theirs).cloned().collect(),
            ),
        }
    }

    /// Whether these limits let the claim leave.
    pub fn allows(&self, claim: &ClaimRef) -> bool {
        self.disclose
            .as_ref()
            .is_none_or(|disclose| disclose.contains(claim))
    }
}

fn strictest<T>(one: Option<T>, other: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (limit, None) | (None, limit) => limit,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn any_duration() -> impl Strategy<Value = Option<GoDuration>> {
        prop::option::of(
            (1_u32..100).prop_map(|seconds| GoDuration::from_seconds(seconds).unwrap()),
        )
    }

    fn any_obligations() -> impl Strategy<Value = Obligations> {
        let claims = prop::collection::btree_set("pid\\.[a-e]", 0..5)
            .prop_map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        (any_duration(), any_duration(), prop::option::of(claims)).prop_map(
            |(answer_time_to_live, keep_result, disclose)| Obligations {
                answer_time_to_live,
                keep_result,
                disclose,
            },
        )
    }

    /// Whether whatever `one` forbids, `merged` forbids too.
    fn no_laxer(merged: &Obligations, one: &Obligations) -> bool {
        let shorter = |merged: Option<GoDuration>, one: Option<GoDuration>| match (merged, one) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(merged), Some(one)) => merged <= one,
        };
        let fewer = match (&merged.disclose, &one.disclose) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(merged), Some(one)) => merged.is_subset(one),
        };
        fewer
            && shorter(merged.answer_time_to_live, one.answer_time_to_live)
            && shorter(merged.keep_result, one.keep_result)
    }

    proptest! {
        #[test]
        fn merging_is_strict_and_does_not_depend_on_order(
            a in any_obligations(), b in any_obligations(), c in any_obligations()
        ) {
            let merged = a.merge(&b);
            prop_assert!(no_laxer(&merged, &a) && no_laxer(&merged, &b));
            prop_assert_eq!(&merged, &b.merge(&a));
            prop_assert_eq!(a.merge(&b.merge(&c)), merged.merge(&c));
            prop_assert_eq!(merged.merge(&a), merged);
            prop_assert_eq!(a.merge(&a), a.clone());
            prop_assert_eq!(a.merge(&Obligations::default()), a);
        }
    }

    #[test]
    fn no_limit_is_not_the_same_as_a_limit_of_nothing() {
        let claim: ClaimRef = "pid.country".parse().unwrap();
        let nothing: Obligations = serde_json::from_str(r#"{"disclose":[]}"#).unwrap();
        assert!(Obligations::default().allows(&claim) && Obligations::default().is_empty());
        assert!(!nothing.allows(&claim) && !nothing.is_empty());
    }
}
