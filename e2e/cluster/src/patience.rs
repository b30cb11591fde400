//! Waiting for a condition of the world, never for time to pass.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long one part of a cluster may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

const PAUSE: Duration = Duration::from_millis(50);

/// Looks until `holds` says yes; an error of it, or two minutes, end the wait.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() >= deadline {
            bail!("waited {PATIENCE:?} in vain until {what}");
        }
        sleep(PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_wait_ends_with_the_condition_or_with_its_error() {
        let mut looks = 0;
        let third = || {
            looks += 1;
            Ok(looks == 3)
        };
        wait_until("it was looked three times", third).unwrap();
        assert_eq!(looks, 3);
        let error = wait_until("never", || bail!("it ended")).unwrap_err();
        assert_eq!(error.to_string(), "it ended");
    }
}
