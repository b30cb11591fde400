//! The reference page, generated.

use std::fmt::Write;

use crate::{ALL, Area, Entry};

/// `docs/src/reference/errors.md`, in Markdown.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Codes\n\n<!-- Generated from dataplane/catalogue. Edit the entries there. -->\n\n\
         Every code Pavilion says. Over HTTP a code travels in a problem document (RFC 9457) whose `type` is\n\
         `https://pavilion.dev/problems/` and the code with dashes; in an answer it stands on the check that\n\
         did not pass; on an object it is the reason of a condition. `kubectl pavilion explain CODE` prints the same.\n",
    );
    for area in Area::ALL {
        section(&mut page, area);
    }
    page
}

fn section(page: &mut String, area: Area) {
    let mut entries: Vec<&Entry> = ALL
        .iter()
        .copied()
        .filter(|entry| entry.area == area)
        .collect();
    entries.sort_by_key(|entry| entry.code);
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n## {}\n\n| code | status | what it means | what to do |\n| --- | --- | --- | --- |\n",
        area.title()
    );
    for entry in entries {
        let status = if entry.status == 0 {
            "–".to_owned()
        } else {
            entry.status.to_string()
        };
        let _ = writeln!(
            page,
            "| `{}` | {status} | {} | {} |",
            entry.code, entry.meaning, entry.hint
        );
    }
}
