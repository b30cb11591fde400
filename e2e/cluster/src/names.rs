//! Names, checked once.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// The name of a cluster: part of host names, file names and cgroup names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    /// The longest name: with it, every path of a socket still fits.
    pub const MAX: usize = 12;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        ensure!(
            text.len() <= Self::MAX
                && text.starts_with(|c: char| c.is_ascii_lowercase())
                && text.chars().all(plain),
            "{text:?} cannot name a cluster: use a lower-case letter and then up to {} lower-case letters and digits",
            Self::MAX - 1
        );
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ClusterName {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The place of a node in its cluster, from 1; the first one carries the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeNumber(u8);

impl NodeNumber {
    /// The node with the control plane.
    pub const FIRST: Self = Self(1);
    /// As many nodes as a cluster has addresses for.
    pub const MAX: u8 = 19;

    /// The nodes of a cluster of this size.
    pub fn up_to(count: u8) -> impl Iterator<Item = Self> {
        (1..=count.min(Self::MAX)).map(Self)
    }

    /// The number itself.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for NodeNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "n{}", self.0)
    }
}

impl FromStr for NodeNumber {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text
            .strip_prefix('n')
            .and_then(|digits| digits.parse().ok());
        match number {
            Some(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => anyhow::bail!("{text:?} is no node: nodes are n1 to n{}", Self::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_that_would_not_fit_is_refused_with_the_rule() {
        for good in ["c1", "region", "a23456789012"] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        for bad in ["", "1c", "C1", "a-b", "a/b", "a.b", "a234567890123"] {
            let error = bad.parse::<ClusterName>().unwrap_err().to_string();
            assert!(error.contains("lower-case letter"), "{bad}: {error}");
        }
    }

    #[test]
    fn nodes_are_counted_from_one() {
        assert_eq!("n19".parse::<NodeNumber>().unwrap().get(), 19);
        for bad in ["n0", "n20", "1", "n", "nx"] {
            assert!(bad.parse::<NodeNumber>().is_err(), "{bad}");
        }
        let all: Vec<_> = NodeNumber::up_to(2).map(|node| node.to_string()).collect();
        assert_eq!(all, ["n1", "n2"]);
    }
}
