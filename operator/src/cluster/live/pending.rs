//! What is told of objects while they are being written.

use std::collections::HashMap;

use crate::cluster::{owned::OwnedKey, told::Told, triggers::Triggers, watching::News};

/// The newest of it, and whom to tell, of each.
#[derive(Debug, Default)]
pub struct Pending(HashMap<OwnedKey, Option<(News<Told>, Triggers)>>);

impl Pending {
    /// An object is being written from now on.
    pub fn begin(&mut self, key: &OwnedKey) {
        self.0.insert(key.clone(), None);
    }

    /// Keeps what is told of an object that is being written; returns what is told of any other.
    pub fn hold_back(
        &mut self,
        key: &OwnedKey,
        news: News<Told>,
        triggers: &Triggers,
    ) -> Option<News<Told>> {
        match self.0.get_mut(key) {
            Some(told) => {
                *told = Some((news, triggers.clone()));
                None
            }
            None => Some(news),
        }
    }

    /// It was written, or not. What was told of it meanwhile.
    pub fn end(&mut self, key: &OwnedKey) -> Option<(News<Told>, Triggers)> {
        self.0.remove(key).flatten()
    }
}
