//! Tenants whose programs are to stop, and run on until no requests reach them any more.
//!
//! Only the change is waited for, and only by the replica that saw it: one that takes over in between stops the
//! programs at once, which leaves a request that is just on its way the moments for which a pod that is to go answers
//! on.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pavilion_bundle::TenantName;
use tokio::time::Instant;

use super::wanted::Phase;

/// How long routers may take to let go of a tenant; its programs refuse by themselves after that.
const PATIENCE: Duration = Duration::from_secs(15);

/// Since when.
#[derive(Debug, Default)]
pub struct Closing(Mutex<HashMap<TenantName, Instant>>);

impl Closing {
    /// How much of a tenant is to be there whose programs `ran` by what was in force before, and are to run now
    /// or not. `reached` says whether requests may still reach them, by what was applied before.
    pub fn phase(
        &self,
        tenant: &TenantName,
        ran: bool,
        runs: bool,
        reached: impl FnOnce() -> bool,
    ) -> Phase {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        let mut closing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs {
            closing.remove(tenant);
            return Phase::AsAsked;
        }
        if ran {
            closing.insert(tenant.clone(), Instant::now());
            return Phase::Closing;
        }
        let Some(since) = closing.get(tenant) else {
            return Phase::AsAsked;
        };
        if since.elapsed() < PATIENCE && reached() {
            return Phase::Closing;
        }
        closing.remove(tenant);
        Phase::AsAsked
    }

    /// Forgets a tenant that is gone.
    pub fn forget(&self, tenant: &TenantName) {
        let mut closing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        closing.remove(tenant);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const YES: fn() -> bool = || true;
    const NO: fn() -> bool = || false;

    #[tokio::test(start_paused = true)]
    async fn programs_run_on_until_no_requests_reach_them_and_never_start_again_for_that() {
        let (closing, acme) = (Closing::default(), "acme".parse().unwrap());
        assert_eq!(closing.phase(&acme, true, true, YES), Phase::AsAsked);
        assert_eq!(closing.phase(&acme, true, false, NO), Phase::Closing);
        assert_eq!(closing.phase(&acme, false, false, YES), Phase::Closing);
        assert_eq!(closing.phase(&acme, false, false, NO), Phase::AsAsked);
        assert_eq!(closing.phase(&acme, false, false, YES), Phase::AsAsked);
    }

    #[tokio::test(start_paused = true)]
    async fn a_router_that_does_not_let_go_is_not_waited_for_without_end() {
        let (closing, acme) = (Closing::default(), "acme".parse().unwrap());
        closing.phase(&acme, true, false, YES);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(closing.phase(&acme, false, false, YES), Phase::AsAsked);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_that_wakes_meanwhile_serves_and_may_hibernate_again() {
        let (closing, acme) = (Closing::default(), "acme".parse().unwrap());
        closing.phase(&acme, true, false, YES);
        assert_eq!(closing.phase(&acme, false, true, YES), Phase::AsAsked);
        assert_eq!(closing.phase(&acme, true, false, YES), Phase::Closing);
    }
}
