//! What is asked, and what must come back.

use std::fmt::Write;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use pavilion_results::{Expected, Verdict};
use ulid::Ulid;

use super::actors::{Actors, RELYING_PARTY};
use super::report::Step;
use super::tenant::{EVIDENCE, POLICY, PURPOSE, Shop};
use crate::args::{AskArgs, AskFormat, ClientArgs, NamedFile};
use crate::ask::{Asked, Outcome, question};
use crate::console::Console;
use crate::exit::Failure;
use crate::verify::Kept;

/// How long one question may take, in seconds.
const PATIENCE_SECONDS: u64 = 30;

/// Asks about somebody who is old enough and somebody who is not, and tries to be cheated.
pub async fn all(
    actors: &Actors,
    shop: &Shop,
    console: &mut Console,
) -> Result<Vec<Step>, Failure> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let grown = shop.question(actors, today.saturating_sub(40.years()))?;
    let young = shop.question(actors, today.saturating_sub(10.years()))?;
    let mut steps = Vec::new();
    match question(&grown, console).await {
        Ok(Asked::Answered(outcome)) => {
            steps.push(verdict("old enough", &outcome, Verdict::Pass));
            steps.push(offline(&outcome.kept));
            steps.push(changed(outcome.kept));
        }
        other => steps.push(no_answer("old enough", other)),
    }
    steps.push(replayed(question(&grown, console).await));
    steps.push(match question(&young, console).await {
        Ok(Asked::Answered(outcome)) => verdict("too young", &outcome, Verdict::Fail),
        other => no_answer("too young", other),
    });
    Ok(steps)
}

impl Shop {
    /// The question about somebody born on a day.
    fn question(&self, actors: &Actors, born: Date) -> Result<AskArgs, Failure> {
        let nonce = Ulid::generate().to_string();
        let presentation = actors.presentation(&born.to_string(), &self.issuer, &nonce)?;
        let file = actors.keep(&format!("{nonce}.presentation"), &presentation)?;
        let name = EVIDENCE.to_owned();
        Ok(AskArgs {
            client: ClientArgs {
                server: self.server.clone(),
                client_id: RELYING_PARTY.to_owned(),
                key: Some(actors.key_file()),
                client_cert: None,
                client_key: None,
                cacert: Some(self.root.clone()),
                connect: Some(self.edge),
                timeout: PATIENCE_SECONDS,
            },
            policy: Some(POLICY.to_owned()),
            purpose: Some(PURPOSE.to_owned()),
            presentations: vec![NamedFile { name, file }],
            nonce: Some(nonce),
            disclose: Vec::new(),
            audience: None,
            continue_id: None,
            idempotency_key: None,
            out: None,
            output: AskFormat::Table,
        })
    }
}

fn verdict(step: &'static str, outcome: &Outcome, wanted: Verdict) -> Step {
    let Some(answer) = outcome.report.answer() else {
        return Step::failed(step, "the answer does not hold");
    };
    let seen = format!("the verdict is {}", answer.verdict.as_str());
    if answer.verdict == wanted {
        Step::passed(step, seen)
    } else {
        Step::failed(step, seen)
    }
}

/// Answer and receipt hold without asking anybody.
fn offline(kept: &Kept) -> Step {
    let report = kept.judge(Expected::at(Timestamp::now()));
    let checks = report.checks().len();
    if report.ok() {
        Step::passed("checked offline", format!("{checks} checks hold"))
    } else {
        Step::failed("checked offline", codes(&report))
    }
}

/// A receipt of which one letter is another does not.
fn changed(mut kept: Kept) -> Step {
    const STEP: &str = "receipt changed";
    let Some(receipt) = another_letter(&kept.receipt) else {
        return Step::failed(STEP, "the receipt has no proof");
    };
    kept.receipt = receipt;
    let report = kept.judge(Expected::at(Timestamp::now()));
    if report.ok() {
        Step::failed(STEP, "it still holds")
    } else {
        Step::passed(STEP, format!("refused: {}", codes(&report)))
    }
}

/// The text with the letter in its middle exchanged for its neighbour.
fn another_letter(text: &str) -> Option<String> {
    let from = text.len() / 2;
    let letter = |(at, byte): (usize, u8)| byte.is_ascii_lowercase().then_some((at, byte));
    let (at, byte) = text.bytes().enumerate().skip(from).find_map(letter)?;
    let other = if byte == b'z' { b'a' } else { byte + 1 };
    let mut bytes = text.as_bytes().to_vec();
    *bytes.get_mut(at)? = other;
    String::from_utf8(bytes).ok()
}

fn codes(report: &pavilion_results::Report) -> String {
    let codes: Vec<_> = report
        .checks()
        .iter()
        .filter_map(|check| check.code)
        .collect();
    codes.join(", ")
}

fn replayed(asked: Result<Asked, Failure>) -> Step {
    const STEP: &str = "presented again";
    let code = pavilion_catalogue::presentation::REPLAYED.code;
    match asked {
        Ok(_) => Step::failed(STEP, "it was taken"),
        Err(failure) => {
            let said = |(label, text): &(&str, String)| *label == "code" && text == code;
            if failure.notes.iter().any(said) {
                Step::passed(STEP, format!("refused: {code}"))
            } else {
                Step::failed(STEP, failure.message)
            }
        }
    }
}

fn no_answer(step: &'static str, asked: Result<Asked, Failure>) -> Step {
    match asked {
        Ok(Asked::Answered(_)) => Step::failed(step, "an answer that was not asked for"),
        Ok(Asked::Waits(_)) => Step::failed(step, "the presentation was not looked at"),
        Err(failure) => {
            let mut seen = failure.message;
            for (label, text) in failure.notes {
                let _ = write!(seen, "; {label}: {text}");
            }
            Step::failed(step, seen)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn exactly_one_letter_changes() {
        let changed = another_letter("index 5\nAAAz\n").unwrap();
        assert_eq!(changed, "index 5\nAAAa\n");
        assert_eq!(another_letter("AAAA"), None);
    }

    #[test]
    fn a_presentation_that_is_taken_twice_fails_the_trial() {
        let refused = |code: &str| Err(Failure::usage("refused").note("code", code));
        assert!(replayed(refused("presentation_replayed")).passed);
        assert!(!replayed(refused("overloaded")).passed);
    }
}
