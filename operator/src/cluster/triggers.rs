//! Which tenants are to be looked at, told by the watches.

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use pavilion_bundle::TenantName;

/// Where the watches say that a tenant is to be looked at. The same tenant said twice is looked at once.
/// What is said is kept until somebody takes it, so somebody always must.
#[derive(Clone, Debug)]
pub struct Triggers(UnboundedSender<String>);

/// Both ends.
pub fn triggers() -> (Triggers, UnboundedReceiver<String>) {
    let (sender, receiver) = unbounded();
    (Triggers(sender), receiver)
}

impl Triggers {
    /// This tenant is to be looked at.
    pub fn tenant(&self, tenant: &TenantName) {
        self.name(tenant.as_str());
    }

    /// The same for a name that may be no tenant's.
    pub fn name(&self, tenant: &str) {
        // Nobody listens any more when the process ends.
        let _ = self.0.unbounded_send(tenant.to_owned());
    }
}
