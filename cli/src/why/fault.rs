//! What a condition's message says, taken apart where it has the form that the operator gives it:
//! `file:line: Kind namespace/name: field: what is wrong [Code] What to do.`

use pavilion_crds::Condition;
use serde::Serialize;

use crate::objects::Document;

/// What the operator adds where something serves on; that is said more precisely here.
const KEEPS_SERVING: &str = "What was accepted before keeps serving.";

/// One thing that is wrong.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Fault {
    /// The manifest and line, where objects come from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Its code, where it is another than that of the condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Fault {
    /// A fault of which only the words are known.
    pub fn said(message: impl Into<String>) -> Self {
        Self {
            place: None,
            field: None,
            message: message.into(),
            code: None,
        }
    }
}

/// The faults that a condition names. What has another form is kept word for word.
pub fn faults(object: &Document, condition: &Condition) -> Vec<Fault> {
    let lines = condition.message.lines();
    lines
        .filter(|line| !line.trim().is_empty() && *line != KEEPS_SERVING)
        .map(|line| fault(object, condition, line))
        .collect()
}

fn fault(object: &Document, condition: &Condition, line: &str) -> Fault {
    let (rest, code) = without_hint(line);
    let code = code.filter(|code| *code != condition.reason);
    let Some((place, rest)) = after_name(object, rest) else {
        return Fault {
            code: code.map(str::to_owned),
            ..Fault::said(rest)
        };
    };
    let (field, message) = match rest.split_once(": ") {
        Some((field, message)) if is_field(field) => (Some(field.to_owned()), message),
        _ => (None, rest),
    };
    Fault {
        place: (!place.is_empty()).then(|| place.to_owned()),
        field,
        message: message.to_owned(),
        code: code.map(str::to_owned),
    }
}

/// The line before ` [Code] What to do.`, and the code.
fn without_hint(line: &str) -> (&str, Option<&str>) {
    for (begin, _) in line.rmatch_indices(" [") {
        let code = line[begin + 2..].split_once(']').map(|(code, _)| code);
        if let Some(code) = code.filter(|code| pavilion_catalogue::find(code).is_some()) {
            return (&line[..begin], Some(code));
        }
    }
    (line, None)
}

/// What stands before and after the object's own name.
fn after_name<'a>(object: &Document, line: &'a str) -> Option<(&'a str, &'a str)> {
    let namespace = object.text("/metadata/namespace");
    let slash = if namespace.is_empty() { "" } else { "/" };
    let name = format!("{} {namespace}{slash}{}: ", object.kind(), object.name());
    let (place, rest) = line.split_once(&name)?;
    Some((place.trim_end_matches(": "), rest))
}

fn is_field(text: &str) -> bool {
    let begins = ["spec", "metadata", "apiVersion", "kind", "status"];
    let first = text.split(['.', '[']).next().unwrap_or_default();
    begins.contains(&first) && !text.contains(' ')
}

#[cfg(test)]
mod tests {
    use pavilion_crds::ConditionStatus;
    use serde_json::json;

    use super::*;

    fn read(message: &str) -> Vec<Fault> {
        let policy = Document::new(
            json!({"kind": "Policy", "metadata": {"namespace": "pavilion-beta", "name": "over21"}}),
        );
        let condition = Condition {
            type_: "Accepted".to_owned(),
            status: ConditionStatus::False,
            reason: "ClauseNeverTrue".to_owned(),
            message: message.to_owned(),
            last_transition_time: String::new(),
            observed_generation: 1,
        };
        faults(&policy, &condition)
    }

    #[test]
    fn file_object_field_and_hint_are_told_apart() {
        let read = read(
            "a.yaml:12: Policy pavilion-beta/over21: spec.rule.all[1]: 'a in [X]' cannot hold [ClauseNeverTrue] Correct it.\n\
             Policy pavilion-beta/over21: spec.title: too long [FieldInvalid] Correct the field.\n\
             What was accepted before keeps serving.",
        );
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].place.as_deref(), Some("a.yaml:12"));
        assert_eq!(read[0].field.as_deref(), Some("spec.rule.all[1]"));
        assert_eq!(read[0].message, "'a in [X]' cannot hold");
        assert_eq!(read[0].code, None, "it is the condition's own");
        assert_eq!(read[1].place, None);
        assert_eq!(read[1].code.as_deref(), Some("FieldInvalid"));
    }

    #[test]
    fn what_has_another_form_is_kept_word_for_word() {
        for line in [
            "and 3 more",
            "the token: [nothing] is there",
            "Policy other/x: spec.a: b",
        ] {
            assert_eq!(read(line), [Fault::said(line)]);
        }
        let read = read("Policy pavilion-beta/over21: the object as a whole [ClauseNeverTrue] Do.");
        assert_eq!(read, [Fault::said("the object as a whole")]);
    }
}
