//! Puts defaults, file, environment and flags together.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::{self, variable_of};
use super::error::{ConfigError, ConfigErrors, nearest};
use super::value::{Mismatch, Value};
use super::{Base, Config, Mode, file};

/// What a secret key's name ends with when its value is the name of a file.
pub(super) const FILE_SUFFIX: &str = "_file";

/// Where configuration comes from, least first.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The configuration file, if one was named.
    pub(crate) file: Option<PathBuf>,
    /// Variables by name; those that are not ours are left alone.
    pub(crate) variables: BTreeMap<String, String>,
    /// Keys set on the command line.
    pub(crate) flags: Vec<Flag>,
}

/// A key set on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    /// The flag as it was written (`--data-dir`).
    pub(crate) name: &'static str,
    /// The key it sets.
    pub(crate) path: &'static str,
    /// Its value.
    pub(crate) value: String,
}

/// A configuration, and where each of its keys was set.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    places: BTreeMap<String, Place>,
}

impl Loaded {
    /// Where a key was set; `None`: it has its default.
    pub(super) fn place(&self, path: &str) -> Option<&Place> {
        self.places.get(path)
    }
}

/// One key set somewhere.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) place: Place,
}

/// Where a key was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File { path: Arc<PathBuf>, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl Place {
    /// How one writes a key in such a place.
    pub(super) fn spelling(&self, path: &str) -> String {
        if matches!(self, Self::Variable(_)) {
            variable_of(path)
        } else {
            path.to_owned()
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(name) => formatter.write_str(name),
        }
    }
}

/// Loads the configuration, or says everything that is wrong with it.
pub(crate) fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut base = Base {
        mode: Mode::Development,
        data_dir: PathBuf::from("data"),
    };
    let assignments = collect(sources, &Config::defaults(&base)).map_err(ConfigErrors::one)?;

    // Other defaults depend on the mode and the data directory, so these are settled first. Faults are told by
    // the second pass.
    let mut draft = Config::defaults(&base);
    for assignment in &assignments {
        if matches!(assignment.path.as_str(), "server.mode" | "server.data_dir") {
            drop(draft.assign(assignment));
        }
    }
    base = Base {
        mode: draft.server.mode,
        data_dir: draft.server.data_dir,
    };

    let mut config = Config::defaults(&base);
    let mut places = BTreeMap::new();
    let mut errors = check_pairs(&assignments);
    for assignment in assignments {
        match config.assign(&assignment) {
            Ok(path) => drop(places.insert(path, assignment.place)),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(check_classes(&config, &places));
    if errors.is_empty() {
        Ok(Loaded { config, places })
    } else {
        Err(ConfigErrors::new(errors))
    }
}

/// All assignments, those that win last.
fn collect(sources: &Sources, shape: &Config) -> Result<Vec<Assignment>, ConfigError> {
    let mut assignments = Vec::new();
    if let Some(path) = &sources.file {
        let text = read_file(path)?;
        assignments = file::assignments(path, &text, &|path| shape.has_table(path))?;
    }
    assignments.extend(environment::assignments(&sources.variables));
    assignments.extend(sources.flags.iter().map(|flag| Assignment {
        path: flag.path.to_owned(),
        value: Value::Word(flag.value.clone()),
        place: Place::Flag(flag.name),
    }));
    Ok(assignments)
}

/// A secret and its `_file` in one place contradict each other: neither may win silently.
fn check_pairs(assignments: &[Assignment]) -> Vec<ConfigError> {
    let same_kind = |one: &Place, other: &Place| std::mem::discriminant(one) == std::mem::discriminant(other);
    assignments
        .iter()
        .filter(|with_file| {
            with_file.path.strip_suffix(FILE_SUFFIX).is_some_and(|path| {
                assignments
                    .iter()
                    .any(|direct| direct.path == path && same_kind(&direct.place, &with_file.place))
            })
        })
        .map(|with_file| ConfigError::Twice {
            place: with_file.place.clone(),
            path: with_file.path.clone(),
        })
        .collect()
}

/// A prefix of room names in two lists contradicts itself, whichever source each list is from.
fn check_classes(config: &Config, places: &BTreeMap<String, Place>) -> Option<ConfigError> {
    let message = config.slow_consumers.classes().err()?.to_string();
    let path = "slow_consumers.drop_oldest";
    Some(ConfigError::Contradiction {
        place: places.get(path)?.clone(),
        path: path.to_owned(),
        message,
    })
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

impl Config {
    /// Whether the path is a section, or leads to one.
    fn has_table(&self, path: &str) -> bool {
        self.sections().iter().any(|section| {
            section
                .name()
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Sets a key and gives its path, which for `…_file` is the secret's.
    fn assign(&mut self, assignment: &Assignment) -> Result<String, ConfigError> {
        let Assignment { path, value, place } = assignment;
        if self.has_table(path) {
            return Err(wrong_type(assignment, Mismatch::new("a table"), false));
        }
        let secret_path = path.strip_suffix(FILE_SUFFIX).filter(|path| self.is_secret(path));
        let read;
        let (path, value) = match secret_path {
            None => (path.as_str(), value),
            Some(secret_path) => {
                let file = value
                    .text()
                    .filter(|file| !file.is_empty())
                    .ok_or_else(|| wrong_type(assignment, Mismatch::new("a path"), false))?;
                let text = std::fs::read_to_string(file).map_err(|error| ConfigError::UnreadableSecret {
                    place: place.clone(),
                    path: path.clone(),
                    message: format!("cannot read {file}: {error}"),
                })?;
                // Editors and `echo` end a file with a line break; no secret does.
                let text = text.trim_end_matches(['\r', '\n']);
                // Empty text would unset the secret, and nobody who names a file means that.
                if text.is_empty() {
                    return Err(ConfigError::UnreadableSecret {
                        place: place.clone(),
                        path: path.clone(),
                        message: format!("{file} is empty"),
                    });
                }
                read = Value::Text(text.to_owned());
                (secret_path, &read)
            }
        };
        let is_secret = self.is_secret(path);
        match self.set(path, value) {
            Some(Ok(())) => Ok(path.to_owned()),
            Some(Err(mismatch)) => Err(wrong_type(assignment, mismatch, is_secret)),
            None => Err(ConfigError::Unknown {
                place: place.clone(),
                path: path.to_owned(),
                nearest: nearest(path, self.paths()).map(|nearest| place.spelling(&nearest)),
            }),
        }
    }

    fn set(&mut self, path: &str, value: &Value) -> Option<Result<(), Mismatch>> {
        let (table, key) = path.rsplit_once('.')?;
        self.sections_mut()
            .into_iter()
            .find(|section| section.name() == table)?
            .set(key, value)
    }

    fn is_secret(&self, path: &str) -> bool {
        path.rsplit_once('.').is_some_and(|(table, name)| {
            self.sections().iter().any(|section| {
                section.name() == table && section.keys().iter().any(|key| key.name == name && key.is_secret)
            })
        })
    }

    /// Everything that may stand in a file: keys, secrets' `_file` forms, and tables.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for section in self.sections() {
            paths.push(section.name().to_owned());
            for key in section.keys() {
                let path = format!("{}.{}", section.name(), key.name);
                if key.is_secret {
                    paths.push(format!("{path}{FILE_SUFFIX}"));
                }
                paths.push(path);
            }
        }
        paths
    }
}

fn wrong_type(assignment: &Assignment, mismatch: Mismatch, is_secret: bool) -> ConfigError {
    ConfigError::WrongValue {
        place: assignment.place.clone(),
        path: assignment.path.clone(),
        expected: mismatch.expected,
        found: if is_secret {
            "[redacted]".into()
        } else {
            assignment.value.to_string()
        },
    }
}
