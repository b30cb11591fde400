//! Paths to claims, as a person types them.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A path to a claim: names of members and numbers of array elements, joined by dots, as in
/// `address.country` or `nationalities.0`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// The path of these steps; needed where a name has a dot in it.
    pub fn of<S: Into<String>>(steps: impl IntoIterator<Item = S>) -> Self {
        Self(steps.into_iter().map(Into::into).collect())
    }

    /// The steps from the top.
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    pub(super) fn below(&self, step: impl Into<String>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }

    /// Whether one of the two leads through the other.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .all(|(mine, theirs)| mine == theirs)
    }
}

impl FromStr for ClaimPath {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::of(text.split('.')))
    }
}

impl From<&str> for ClaimPath {
    fn from(text: &str) -> Self {
        Self::of(text.split('.'))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
