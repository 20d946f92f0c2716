//! Objects of a document, by name.

use serde::{Serialize, Serializer};

/// A map that keeps its order.
#[derive(Clone)]
pub(super) struct Named<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named(Vec::new())
    }
}

impl<T> Named<T> {
    /// Adds what has a name that is not there yet.
    pub(super) fn add(&mut self, name: impl Into<String>, item: T) {
        let name = name.into();
        if !self.0.iter().any(|(other, _)| *other == name) {
            self.0.push((name, item));
        }
    }

    pub(super) fn extend(&mut self, others: Named<T>) {
        for (name, item) in others.0 {
            self.add(name, item);
        }
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, item)| (name, item)))
    }
}

/// A reference to another object of the document.
#[derive(Clone, Serialize)]
pub(super) struct Reference {
    #[serde(rename = "$ref")]
    to: String,
}

impl Reference {
    /// `path` are the names on the way; none of them has a character that a JSON pointer escapes.
    pub(super) fn to(path: &[&str]) -> Reference {
        Reference {
            to: format!("#/{}", path.join("/")),
        }
    }
}
