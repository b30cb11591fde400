//! Codes that somebody may have meant.

use pavilion_catalogue::ALL;

/// How many are named.
const NAMED: usize = 5;

/// The codes most like `code`, best first: written otherwise, mistyped, or with a word in common.
pub fn to(code: &str) -> Vec<&'static str> {
    let meant = words(code);
    let mut near: Vec<(usize, &str)> = ALL
        .iter()
        .filter_map(|entry| Some((distance(&meant, &words(entry.code))?, entry.code)))
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, code)| code).take(NAMED).collect()
}

/// The words of a code in lower case, however they are joined: `ClauseNeverTrue`, `clause_never_true`.
fn words(code: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut joined = false;
    for c in code.chars() {
        let starts = !joined || c.is_uppercase();
        joined = c.is_alphanumeric();
        match words.last_mut() {
            _ if !joined => {}
            Some(word) if !starts => word.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
    }
    words
}

/// How far two codes are from each other; `None` where they have nothing to do with each other.
fn distance(meant: &[String], known: &[String]) -> Option<usize> {
    let (meant_text, known_text) = (meant.concat(), known.concat());
    let edits = edits(&meant_text, &known_text);
    // A slip of the finger in every fourth letter at most.
    if edits <= known_text.chars().count().min(meant_text.chars().count()) / 4 {
        return Some(edits);
    }
    let shared = meant
        .iter()
        .filter(|word| word.len() > 3 && known.contains(word))
        .count();
    // Behind those that are only mistyped, and the more words they share the nearer.
    (shared > 0).then(|| 1_000 / shared + edits)
}

/// How many letters must be put in, taken out or changed to get from one to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, c) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(c != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_and_a_slip_find_the_code_first() {
        for written in [
            "clause_never_true",
            "clauseNeverTrue",
            "ClauseNevrTrue",
            "CLAUSE-NEVER-TRUE",
        ] {
            assert_eq!(to(written).first(), Some(&"ClauseNeverTrue"), "{written}");
        }
        assert_eq!(to("HostClaim").first(), Some(&"HostClaimed"));
    }

    #[test]
    fn a_word_in_common_is_enough_and_nothing_in_common_is_not() {
        let near = to("BundleBroken");
        assert!(
            near.contains(&"BundleRefused") && near.contains(&"BundleTooLarge"),
            "{near:?}"
        );
        assert!(near.len() <= NAMED);
        assert_eq!(to("xyzzy"), Vec::<&str>::new());
        assert_eq!(to(""), Vec::<&str>::new());
    }

    #[test]
    fn words_are_found_however_they_are_joined() {
        assert_eq!(words("SetEmpty"), ["set", "empty"]);
        assert_eq!(words("crds-older_x"), ["crds", "older", "x"]);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
