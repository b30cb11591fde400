//! Traces by OTLP, and the header that joins the spans of several programs into one trace.
//!
//! Off unless `--otlp` or `process.otlp` names a collector. A collector that is away costs spans,
//! never a request. Span fields are the same fields log lines carry, so nothing about a subject
//! is in them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use url::Url;

use crate::exit::Exit;
use crate::run::Identity;

/// Whether spans are exported: without that no request pays for a context that goes nowhere.
static ON: AtomicBool = AtomicBool::new(false);

/// The header of W3C Trace Context.
const PARENT: &str = "traceparent";

/// How long one export may take before its spans are dropped.
const EXPORT_TIME_OUT: Duration = Duration::from_secs(5);

/// How long the last export may hold up the end of the program.
const FLUSH_TIME_OUT: Duration = Duration::from_secs(2);

/// The running exporter.
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts it; call it inside the runtime. It connects when there is something to send.
    pub(crate) fn start(collector: &Url, identity: &Identity) -> Result<Self, Exit> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(collector.as_str())
            .with_timeout(EXPORT_TIME_OUT)
            .build()
            .map_err(|error| Exit::ConfigRefused(format!("otlp: {collector}: {error}")))?;
        let resource = Resource::builder_empty()
            .with_service_name(identity.name)
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                identity.version,
            ))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        ON.store(true, Ordering::Relaxed);
        Ok(Self { provider })
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("pavilion")
    }

    /// Sends what is left, for a short while.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIME_OUT) {
            tracing::warn!(%error, "the last spans were not delivered");
        }
    }
}

/// Whether spans are exported.
pub fn are_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Writes the trace context of `span` (W3C `traceparent`) with `set`, if traces are on.
pub fn inject(span: &Span, set: &mut dyn FnMut(&str, String)) {
    struct Set<'a>(&'a mut dyn FnMut(&str, String));
    impl Injector for Set<'_> {
        fn set(&mut self, key: &str, value: String) {
            (self.0)(key, value);
        }
    }
    if are_on() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut Set(set));
    }
}

/// The `traceparent` of `span`, if traces are on.
pub fn parent(span: &Span) -> Option<String> {
    let mut parent = None;
    inject(span, &mut |key, value| {
        if key == PARENT {
            parent = Some(value);
        }
    });
    parent
}

/// Makes `span` a child of the trace context in `headers`, if there is one. Only for headers that
/// one of our own programs set.
pub fn adopt(span: &Span, headers: &http::HeaderMap) {
    let parent = headers.get(PARENT).and_then(|value| value.to_str().ok());
    if let Some(parent) = parent {
        adopt_parent(span, parent);
    }
}

/// Makes `span` a child of a `traceparent` that one of our own programs sent.
pub fn adopt_parent(span: &Span, parent: &str) {
    struct Get<'a>(&'a str);
    impl Extractor for Get<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == PARENT).then_some(self.0)
        }

        fn keys(&self) -> Vec<&str> {
            vec![PARENT]
        }
    }
    if are_on() {
        let context = TraceContextPropagator::new().extract(&Get(parent));
        // Without a tracing layer for OpenTelemetry there is no trace to join.
        let _ = span.set_parent(context);
    }
}
