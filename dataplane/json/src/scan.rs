//! One pass over the text that builds nothing and enforces depth, count and unique keys.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::Limits;
use crate::error::{JsonError, JsonErrorKind, printable};

/// Checks the text against the limits; `Ok` means it is JSON with unique keys.
pub(crate) fn scan(text: &str, limits: Limits) -> Result<(), JsonError> {
    let mut state = State {
        limits,
        nodes: 0,
        failure: None,
        path: Vec::new(),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // Our own depth limit is checked first and is below the reader's own (128).
    let outcome = Scan {
        state: &mut state,
        depth: 0,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end());
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(state.explain(&error)),
    }
}

struct State {
    limits: Limits,
    nodes: usize,
    failure: Option<(JsonErrorKind, String)>,
    /// Filled from the inside out while a failure travels up.
    path: Vec<String>,
}

impl State {
    fn count<E: Error>(&mut self) -> Result<(), E> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let limit = self.limits.nodes;
            return Err(self.fail(
                JsonErrorKind::TooMany,
                format!("more than {limit} values and keys"),
            ));
        }
        Ok(())
    }

    fn enter<E: Error>(&mut self, depth: usize) -> Result<(), E> {
        let limit = self.limits.depth;
        if depth > limit {
            return Err(self.fail(
                JsonErrorKind::TooDeep,
                format!("nested deeper than {limit} levels"),
            ));
        }
        Ok(())
    }

    fn fail<E: Error>(&mut self, kind: JsonErrorKind, message: String) -> E {
        self.failure = Some((kind, message));
        E::custom("refused")
    }

    fn explain(self, error: &serde_json::Error) -> JsonError {
        let Some((kind, message)) = self.failure else {
            let message = format!(
                "not valid JSON at line {} column {}",
                error.line(),
                error.column()
            );
            return JsonError::new(JsonErrorKind::Syntax, message);
        };
        let mut path = String::new();
        for step in self.path.iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        JsonError::new(kind, message).at(path)
    }
}

struct Scan<'s> {
    state: &'s mut State,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.state.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        self.state.enter(depth)?;
        let mut index = 0_usize;
        loop {
            let state = &mut *self.state;
            match items.next_element_seed(Scan { state, depth }) {
                Ok(Some(())) => index += 1,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.state.path.push(format!("[{index}]"));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        self.state.enter(depth)?;
        let mut seen = BTreeSet::new();
        while let Some(key) = members.next_key_seed(Key)? {
            self.state.count()?;
            if seen.contains(&key) {
                self.state.path.push(printable(&key));
                let message = "the key stands twice in one object".to_owned();
                return Err(self.state.fail(JsonErrorKind::DuplicateKey, message));
            }
            let state = &mut *self.state;
            if let Err(error) = members.next_value_seed(Scan { state, depth }) {
                self.state.path.push(printable(&key));
                return Err(error);
            }
            seen.insert(key);
        }
        Ok(())
    }
}

/// A key, borrowed from the text unless it holds an escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
