//! Log lines: one JSON object per line on standard error.
//!
//! Members: `timestamp` (RFC 3339, UTC, microseconds), `level`, `target`, `program`, `tenant` where
//! the process has one, then the fields of the enclosing spans from the outside in (this is how
//! `request_id` gets onto every line of a request), then the event's own fields with `message`.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::config::LogLevel;
use crate::standard_error;

/// Writes each event as one line with `W`.
pub(crate) struct JsonLines<W> {
    program: &'static str,
    tenant: Option<String>,
    write: W,
}

/// Members of a line, or the fields of a span that are kept beside it: few enough to be looked
/// through.
#[derive(Clone, Default)]
struct Members(Vec<(&'static str, Value)>);

impl Members {
    /// Adds a member; one of the same name is replaced, so that no name stands twice.
    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(member) => member.1 = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Lets through what `level` says of our own crates, and warnings of everybody else.
pub(crate) fn filter(level: LogLevel) -> Targets {
    let own = LevelFilter::from(Level::from(level));
    Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("pavilion", own)
        .with_target("kubectl_pavilion", own)
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl JsonLines<fn(&[u8])> {
    /// Lines on standard error.
    pub(crate) fn on_standard_error(program: &'static str, tenant: Option<String>) -> Self {
        Self {
            program,
            tenant,
            write: standard_error::write,
        }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Members::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Members>()
        {
            record.record(known);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = self.head(event);
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Members>() {
                for (name, value) in &fields.0 {
                    line.put(name, value.clone());
                }
            }
        }
        event.record(&mut line);
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            (self.write)(&bytes);
        }
    }
}

impl<W> JsonLines<W> {
    fn head(&self, event: &Event<'_>) -> Members {
        let mut line = Members(Vec::with_capacity(16));
        let now = jiff::Timestamp::now();
        line.put("timestamp", format!("{now:.6}"));
        line.put("level", event.metadata().level().as_str());
        line.put("target", event.metadata().target());
        line.put("program", self.program);
        if let Some(tenant) = &self.tenant {
            line.put("tenant", tenant.as_str());
        }
        line
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.put(field.name(), text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What `work` logs at `level`, line by line.
    fn logged(level: LogLevel, work: impl FnOnce()) -> Vec<Value> {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let lines = JsonLines {
            program: "pavilion-test",
            tenant: Some("acme".to_owned()),
            write: move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line),
        };
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter(level)));
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn every_line_of_a_request_carries_its_id() {
        let lines = logged(LogLevel::Info, || {
            let span =
                tracing::info_span!("request", request_id = "01JX", code = tracing::field::Empty);
            let _in = span.enter();
            span.record("code", "late");
            tracing::info!(status = 200_u64, ok = true, "answered");
        });
        let line = &lines[0];
        assert_eq!(line["request_id"], "01JX");
        assert_eq!(line["code"], "late");
        assert_eq!(line["program"], "pavilion-test");
        assert_eq!(line["tenant"], "acme");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "answered");
        assert_eq!(line["status"], 200);
        assert_eq!(line["ok"], true);
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn libraries_are_heard_only_when_they_warn() {
        let lines = logged(LogLevel::Trace, || {
            tracing::trace!("ours");
            tracing::info!(target: "h2::codec", "a frame that may quote a request");
            tracing::warn!(target: "h2::codec", "theirs");
        });
        let messages: Vec<_> = lines
            .iter()
            .map(|line| line["message"].as_str().unwrap())
            .collect();
        assert_eq!(messages, ["ours", "theirs"]);
    }

    #[test]
    fn an_error_is_written_with_its_causes() {
        let lines = logged(LogLevel::Info, || {
            let error = anyhow::Error::from(io::Error::other("disk gone")).context("cannot append");
            tracing::error!(
                error = AsRef::<dyn std::error::Error>::as_ref(&error),
                depth = -1_i64,
                load = 0.5,
                "failed"
            );
        });
        assert_eq!(lines[0]["error"], "cannot append: disk gone");
        assert_eq!(lines[0]["depth"], -1);
        assert_eq!(lines[0]["load"], 0.5);
    }

    #[test]
    fn a_line_break_in_a_field_cannot_forge_a_line() {
        let lines = logged(LogLevel::Info, || {
            tracing::info!(host = "a\n{\"level\":\"ERROR\"}", "x");
        });
        assert_eq!(lines.len(), 1);
    }
}
