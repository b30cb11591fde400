//! A refusal of the broker, as a person reads it.

use pavilion_json::Limits;
use reqwest::StatusCode;

use super::wire::Refusal;
use crate::exit::{Exit, Failure};

/// The broker's own words for why not.
pub fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let said: Refusal = pavilion_json::read(body, Limits::REQUEST).unwrap_or_default();
    let title = said
        .title
        .or(said.error_description)
        .unwrap_or_else(|| "the broker refused".to_owned());
    let message = match said.detail {
        Some(detail) if detail != title => format!("{title}. {detail}"),
        _ => title,
    };
    let mut failure = Failure::new(Exit::Refused, message);
    let code = said.code.clone().or(said.error);
    let notes = [
        ("code", code),
        ("evidence", said.evidence),
        ("field", said.field),
        ("hint", said.hint),
    ];
    for (label, text) in notes {
        if let Some(text) = text {
            failure = failure.note(label, text);
        }
    }
    let failure = failure.note("status", status.to_string());
    match said
        .code
        .filter(|code| pavilion_catalogue::find(code).is_some())
    {
        Some(code) => failure.note("more", format!("kubectl pavilion explain {code}")),
        None => failure,
    }
}
