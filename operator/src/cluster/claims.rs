//! Which Tenants want which host.

use std::collections::{BTreeSet, HashMap};

/// By host, the names of those that want it; mostly one.
#[derive(Debug, Default)]
pub struct Claims(HashMap<String, BTreeSet<String>>);

impl Claims {
    /// A Tenant wants these hosts from now on instead of those.
    pub fn change<'a>(
        &mut self,
        tenant: &str,
        before: impl Iterator<Item = &'a str>,
        now: impl Iterator<Item = &'a str>,
    ) {
        for host in before {
            if let Some(claimants) = self.0.get_mut(host) {
                claimants.remove(tenant);
                if claimants.is_empty() {
                    self.0.remove(host);
                }
            }
        }
        for host in now {
            let claimants = self.0.entry(host.to_owned()).or_default();
            claimants.insert(tenant.to_owned());
        }
    }

    /// Who wants any of these hosts.
    pub fn of<'a>(&self, hosts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        let claimants = hosts.filter_map(|host| self.0.get(host));
        claimants.flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(claims: &Claims, host: &str) -> Vec<String> {
        claims.of([host].into_iter()).into_iter().collect()
    }

    #[test]
    fn a_host_is_wanted_until_the_last_who_did_does_no_more() {
        let mut claims = Claims::default();
        claims.change("one", [].into_iter(), ["a", "b"].into_iter());
        claims.change("two", [].into_iter(), ["b"].into_iter());
        assert_eq!(of(&claims, "b"), ["one", "two"]);
        claims.change("one", ["a", "b"].into_iter(), ["a"].into_iter());
        assert_eq!(of(&claims, "a"), ["one"]);
        assert_eq!(of(&claims, "b"), ["two"]);
        claims.change("two", ["b"].into_iter(), [].into_iter());
        assert!(of(&claims, "b").is_empty());
        assert_eq!(claims.0.len(), 1);
    }
}
