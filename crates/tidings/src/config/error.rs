//! What can be wrong with a configuration, in words that lead to the line.

use std::fmt;
use std::path::PathBuf;

use super::load::Place;

/// One fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("{}: {message}", path.display())]
    Unreadable { path: PathBuf, message: String },
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        message: String,
    },
    #[error("{place}: unknown key `{path}`{}", suggestion(nearest.as_deref()))]
    Unknown {
        place: Place,
        path: String,
        nearest: Option<String>,
    },
    #[error("{place}: `{path}`: expected {expected}, found {found}")]
    WrongValue {
        place: Place,
        path: String,
        expected: String,
        found: String,
    },
    #[error("{place}: `{path}`: {message}")]
    UnreadableSecret {
        place: Place,
        path: String,
        message: String,
    },
    #[error("{place}: `{path}` and the key it stands for are both set")]
    Twice { place: Place, path: String },
    #[error("{place}: `{path}`: {message}")]
    Contradiction {
        place: Place,
        path: String,
        message: String,
    },
}

/// All faults of a configuration, one a line.
#[derive(Debug)]
pub(crate) struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Invariant: there is at least one fault.
    pub(super) fn new(errors: Vec<ConfigError>) -> Self {
        debug_assert!(!errors.is_empty(), "an error says what is wrong");
        Self(errors)
    }

    pub(super) fn one(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|nearest| format!(", did you mean `{nearest}`?"))
        .unwrap_or_default()
}

/// The known path most like an unknown one. A right key in a wrong section is nearer than any misspelling.
pub(super) fn nearest(path: &str, known: Vec<String>) -> Option<String> {
    let leaf = leaf_of(path);
    known
        .into_iter()
        .map(|candidate| {
            let whole = strsim::damerau_levenshtein(path, &candidate);
            let distance = if leaf_of(&candidate) == leaf {
                whole.min(2)
            } else {
                whole
            };
            (distance, whole, candidate)
        })
        .min()
        .filter(|(distance, _, candidate)| *distance <= candidate.len().max(path.len()) / 3)
        .map(|(_, _, candidate)| candidate)
}

fn leaf_of(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, leaf)| leaf)
}
