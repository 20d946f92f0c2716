//! The TOML file: its keys, each with its line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::load::{Assignment, Place};
use super::value::Value;

/// The keys of a file. `is_table` says which paths are tables; a table under any other path is handed on as a
/// value that no key takes, so that the walk is no deeper than the configuration.
pub(super) fn assignments(
    path: &Path,
    text: &str,
    is_table: &dyn Fn(&str) -> bool,
) -> Result<Vec<Assignment>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut walk = Walk {
        path: Arc::new(path.to_owned()),
        text,
        is_table,
        found: Vec::new(),
    };
    walk.table("", table.get_ref());
    Ok(walk.found)
}

struct Walk<'a> {
    path: Arc<PathBuf>,
    text: &'a str,
    is_table: &'a dyn Fn(&str) -> bool,
    found: Vec<Assignment>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            match value.get_ref() {
                DeValue::Table(inner) if (self.is_table)(&path) => self.table(&path, inner),
                value => self.found.push(Assignment {
                    path,
                    value: Value::from(value),
                    place: Place::File {
                        path: Arc::clone(&self.path),
                        line: line_of(self.text, name.span().start),
                    },
                }),
            }
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
