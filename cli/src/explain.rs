//! What a code means and what to do about it.

mod near;
mod runbooks;

use pavilion_catalogue::{ALL, Entry};
use serde::Serialize;

use crate::args::ExplainArgs;
use crate::console::{BOLD, Console, DIM};
use crate::exit::{Exit, Failure};
use crate::render::{Table, structured};

/// An entry as it is printed for programs.
#[derive(Serialize)]
struct Explanation {
    code: &'static str,
    area: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    title: &'static str,
    meaning: &'static str,
    hint: &'static str,
    retryable: bool,
    r#type: String,
    /// Markdown; only where one code is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<&'static str>,
}

impl From<&'static Entry> for Explanation {
    fn from(entry: &'static Entry) -> Self {
        Self {
            code: entry.code,
            area: entry.area.title(),
            status: (entry.status != 0).then_some(entry.status),
            title: entry.title,
            meaning: entry.meaning,
            hint: entry.hint,
            retryable: entry.retryable,
            r#type: entry.type_uri(),
            runbook: None,
        }
    }
}

/// Explains one code, or lists all.
pub fn run(args: &ExplainArgs, console: &mut Console) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        return list(args, console);
    };
    let entry = pavilion_catalogue::find(code).ok_or_else(|| unknown(code))?;
    let explanation = Explanation {
        runbook: runbooks::of(entry.code),
        ..Explanation::from(entry)
    };
    let text = structured(args.output, &explanation)?.unwrap_or_else(|| {
        let status = explanation
            .status
            .map_or_else(String::new, |status| format!(", HTTP {status}"));
        let again = if entry.retryable {
            "the same request may succeed later"
        } else {
            "something must change first"
        };
        let runbook = explanation
            .runbook
            .map_or_else(String::new, runbooks::shown);
        format!(
            "{BOLD}{}{BOLD:#}: {}\n{DIM}{}{status}; {again}{DIM:#}\n\n{}\n→ {}\n{runbook}",
            entry.code, entry.title, explanation.area, entry.meaning, entry.hint
        )
    });
    console.result(&text)?;
    Ok(Exit::Ok)
}

fn list(args: &ExplainArgs, console: &mut Console) -> Result<Exit, Failure> {
    let all: Vec<Explanation> = ALL.iter().copied().map(Explanation::from).collect();
    let text = structured(args.output, &all)?.unwrap_or_else(|| {
        let mut table = Table::new(&["CODE", "TITLE"]);
        for entry in ALL {
            table.row([entry.code.into(), entry.title.into()]);
        }
        table.render()
    });
    console.result(&text)?;
    Ok(Exit::Ok)
}

/// Names the codes that are written most like it.
fn unknown(code: &str) -> Failure {
    let near = near::to(code);
    let failure = Failure::usage(format!("there is no code {code}"));
    if near.is_empty() {
        failure.note("hint", "kubectl pavilion explain lists every code")
    } else {
        failure.note("did you mean", near.join(", "))
    }
}
