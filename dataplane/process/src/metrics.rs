//! The registry of a program's metrics, as `OpenMetrics` 1.0 text.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::run::Identity;
use crate::standard_error;

/// The media type of [`Metrics::render`].
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of the process; every name begins with `pavilion_`. Clones share the registry.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// A registry that holds `pavilion_build_info` and `pavilion_log_lines_dropped_total`.
    pub fn new(identity: &Identity) -> Self {
        let mut registry = Registry::with_prefix("pavilion");
        let build = Info::new(vec![
            ("program", identity.name),
            ("version", identity.version),
            ("commit", crate::COMMIT),
        ]);
        registry.register("build", "What is running", build);
        standard_error::register(&mut registry);
        Self {
            registry: Arc::new(Mutex::new(registry)),
        }
    }

    /// Registers a module's metrics: pass its `register` function.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        // A panic while a metric was being registered leaves the ones before it intact.
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything as `OpenMetrics` text.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        self.register(|registry| encode(&mut text, registry))?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Metrics")
    }
}
