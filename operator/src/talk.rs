//! What the operator says on standard error: lines for people, or one JSON object per line.
//!
//! The lines of the programs it supervises go through here too, so that there is one stream. In the
//! JSON form they pass as they are (each names its program and tenant). In the form for people only
//! their warnings and errors are shown, shortened.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal},
    time::Instant,
};

use clap::ValueEnum;
use jiff::Timestamp;
use pavilion_process::{LogLevel, standard_error};
use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::host::ChildId;

/// How the operator talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line per step.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// Text on a terminal, JSON elsewhere.
    pub fn fitting() -> Self {
        if io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

/// Makes `tracing` talk in this form. To be called once; a second call changes nothing.
pub fn start(format: LogFormat, level: LogLevel) {
    let own = Targets::new()
        .with_target("pavilion", Level::from(level))
        .with_default(LevelFilter::WARN);
    let layer = Talk {
        format,
        begin: Instant::now(),
    };
    // Only tests call this twice, and then the first stays in force.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(own))
        .try_init();
}

/// Passes on one line that a program wrote.
pub fn relay(format: LogFormat, child: &ChildId, line: &str) {
    match format {
        LogFormat::Json => write_line(&relayed_json(child, line)),
        LogFormat::Text => {
            if let Some(text) = relayed_text(child, line) {
                write_line(&text);
            }
        }
    }
}

/// What a line says about the end of the program that wrote it; nothing if it only says that all is
/// well.
pub fn last_words(line: &str) -> Option<String> {
    let fields: Option<Value> = serde_json::from_str(line).ok();
    let text = |name: &str| fields.as_ref().and_then(|fields| fields[name].as_str());
    match text("level") {
        Some("INFO" | "DEBUG" | "TRACE") => None,
        _ => Some(text("message").unwrap_or(line).chars().take(500).collect()),
    }
}

fn relayed_json(child: &ChildId, line: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(_)) => line.to_owned(),
        _ => json!({
            "timestamp": now(),
            "level": "INFO",
            "program": child.program.binary(),
            "tenant": child.tenant,
            "message": line,
        })
        .to_string(),
    }
}

fn relayed_text(child: &ChildId, line: &str) -> Option<String> {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
        return Some(format!("  {child}: {line}"));
    };
    let level = fields
        .get("level")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let word = match level.to_ascii_lowercase().as_str() {
        "warn" => "warning",
        "error" => "error",
        _ => return None,
    };
    // What libraries say, and checks that come and go, is for the JSON form; the operator itself
    // tells people when a program is not ready, and why.
    let target = fields
        .get("target")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !target.starts_with("pavilion") || target.starts_with("pavilion_process::health") {
        return None;
    }
    let mut text = format!(
        "  {child}: {word}: {}",
        fields
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default()
    );
    let hidden = [
        "timestamp",
        "level",
        "target",
        "program",
        "tenant",
        "message",
    ];
    for (name, value) in fields
        .iter()
        .filter(|(name, _)| !hidden.contains(&name.as_str()))
    {
        // Writing to a string cannot fail.
        let _ = write!(text, " {name}={value}");
    }
    Some(text)
}

struct Talk {
    format: LogFormat,
    begin: Instant,
}

impl<S: Subscriber> Layer<S> for Talk {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        match self.format {
            LogFormat::Text if metadata.target().starts_with("pavilion_process::health") => {}
            LogFormat::Text => {
                let word = match *metadata.level() {
                    Level::ERROR => "error: ",
                    Level::WARN => "warning: ",
                    _ => "",
                };
                let at = self.begin.elapsed().as_secs_f64();
                write_line(&format!("[{at:7.3} s] {word}{}", fields.text()));
            }
            LogFormat::Json => {
                let mut line = Map::new();
                line.insert("timestamp".into(), now().into());
                line.insert("level".into(), metadata.level().as_str().into());
                line.insert("target".into(), metadata.target().into());
                line.insert("program".into(), "pavilion-operator".into());
                line.extend(fields.fields);
                line.insert("message".into(), fields.message.into());
                write_line(&Value::Object(line).to_string());
            }
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    fields: Map<String, Value>,
}

impl Fields {
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            // Writing to a string cannot fail.
            let _ = match value {
                Value::String(value) => write!(text, " {name}={value}"),
                value => write!(text, " {name}={value}"),
            };
        }
        text
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.put(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// Queues a line: a standard error that nobody reads must stop neither the operator nor the programs
/// it listens to.
fn write_line(line: &str) {
    standard_error::write(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::Program;

    fn child() -> ChildId {
        ChildId {
            tenant: Some("acme".parse().unwrap()),
            program: Program::Signer,
        }
    }

    #[test]
    fn a_programs_json_line_passes_as_it_is_and_anything_else_is_wrapped() {
        let line = r#"{"level":"INFO","message":"hello"}"#;
        assert_eq!(relayed_json(&child(), line), line);
        let wrapped: Value = serde_json::from_str(&relayed_json(&child(), "plain")).unwrap();
        assert_eq!(wrapped["message"], "plain");
        assert_eq!(wrapped["program"], "pavilion-signer");
        assert_eq!(wrapped["tenant"], "acme");
    }

    #[test]
    fn people_see_warnings_and_errors_of_programs_only() {
        let line = |level: &str| {
            let target = "pavilion_signer::engine";
            json!({"level": level, "target": target, "message": "token away", "code": 7})
                .to_string()
        };
        assert_eq!(relayed_text(&child(), &line("INFO")), None);
        assert_eq!(
            relayed_text(&child(), &line("WARN")).unwrap(),
            "  acme/signer: warning: token away code=7"
        );
        assert_eq!(
            relayed_text(&child(), "plain").unwrap(),
            "  acme/signer: plain"
        );
        let library = line("ERROR").replace("pavilion_signer", "cryptoki");
        assert_eq!(relayed_text(&child(), &library), None);
        assert_eq!(last_words(&line("ERROR")).unwrap(), "token away");
        assert_eq!(last_words(&line("INFO")), None);
        assert_eq!(last_words("plain").unwrap(), "plain");
    }
}
