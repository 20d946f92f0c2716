//! The environment: `TIDINGS__SECTION__KEY`.

use std::collections::BTreeMap;

use super::load::{Assignment, Place};
use super::value::Value;

/// What our variables' names begin with.
const PREFIX: &str = "TIDINGS__";

/// Our variables in this process's environment.
pub(crate) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// The keys the variables set.
pub(super) fn assignments(variables: &BTreeMap<String, String>) -> impl Iterator<Item = Assignment> {
    variables.iter().filter_map(|(name, value)| {
        let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
        Some(Assignment {
            path,
            value: Value::Word(value.clone()),
            place: Place::Variable(name.clone()),
        })
    })
}

/// The variable that sets a key.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}
