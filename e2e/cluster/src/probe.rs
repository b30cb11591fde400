//! What the probe of the tests tells (`e2e/tools/probe`): a line for each address that it watched.

use anyhow::{Context, Result};

/// What it saw at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often it tried.
    pub attempts: u32,
    /// How often somebody took the connection.
    pub connected: u32,
    /// How often another probe greeted it.
    pub greeted: u32,
}

impl Seen {
    /// Reads all that a probe told, in the order of its addresses.
    ///
    /// # Errors
    /// A line that no probe writes.
    pub fn read(log: &str) -> Result<Vec<Self>> {
        log.lines().map(Self::of_line).collect()
    }

    fn of_line(line: &str) -> Result<Self> {
        let number = |key: &str| {
            let mut words = line.split_whitespace();
            let value = words.find_map(|word| word.strip_prefix(key));
            let value = value.and_then(|value| value.parse().ok());
            value.with_context(|| format!("a probe said {line:?}"))
        };
        Ok(Self {
            attempts: number("attempts=")?,
            connected: number("connected=")?,
            greeted: number("greeted=")?,
        })
    }

    /// Counts more that was seen at the same address.
    pub fn add(&mut self, more: &Self) {
        self.attempts += more.attempts;
        self.connected += more.connected;
        self.greeted += more.greeted;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_line_is_an_address_and_one_that_no_probe_writes_is_refused() {
        let log = "attempts=7 connected=3 greeted=2\nattempts=1 connected=0 greeted=0\n";
        let mut seen = Seen::read(log).unwrap();
        let more = seen[1];
        seen[0].add(&more);
        let expected = Seen {
            attempts: 8,
            connected: 3,
            greeted: 2,
        };
        assert_eq!(seen[0], expected);
        let refused = Seen::read("attempts=7 connected=no greeted=2").unwrap_err();
        assert!(refused.to_string().contains("connected=no"));
    }
}
