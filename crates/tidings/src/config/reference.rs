//! The reference page of all keys, made from their declarations.

use std::fmt::Write;
use std::path::PathBuf;

use super::environment::variable_of;
use super::{Base, Config, Mode};

const INTRODUCTION: &str = "\
# Configuration

Made by `tidings config doc > docs/reference/config.md`; a test compares it with the binary.

`tidings` needs no configuration in development. Keys come, each later one winning, from defaults, from the TOML
file named by `--config` (or the variable `TIDINGS_CONFIG`), from variables `TIDINGS__SECTION__KEY`, and from the
flags `--mode` and `--data-dir`. A section's dots are double underscores in a variable's name, a list's items stand
between commas there, and an empty value unsets an optional key. An unknown key or variable is an error that names
the nearest known one.

A secret may be read from a file instead: append `_file` to its key, or `_FILE` to its variable. Secrets are never
printed. `tidings check-config --print-effective` shows what is in force and where each key was set.
";

/// The page, in Markdown.
pub(crate) fn reference() -> String {
    let base = |mode| Base {
        mode,
        data_dir: PathBuf::from("data"),
    };
    let development = Config::defaults(&base(Mode::Development));
    let production = Config::defaults(&base(Mode::Production));
    let mut page = String::from(INTRODUCTION);
    for (section, in_production) in development.sections().into_iter().zip(production.sections()) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "\n## {}\n\n{}", section.name(), paragraph(section.about()));
        for key in section.keys() {
            let path = format!("{}.{}", section.name(), key.name);
            let _ = writeln!(page, "\n### `{path}`\n\n{}\n", paragraph(key.about));
            let _ = writeln!(
                page,
                "- value: {}{}",
                key.expected,
                if key.is_secret { ", secret" } else { "" }
            );
            let _ = writeln!(
                page,
                "- default: {}",
                default(section.get(key.name), in_production.get(key.name))
            );
            let _ = writeln!(page, "- variable: `{}`", variable_of(&path));
        }
    }
    page
}

fn default(development: Option<String>, production: Option<String>) -> String {
    let shown =
        |value: Option<String>| value.map_or_else(|| "unset".to_owned(), |value| format!("`{value}`"));
    if development == production {
        shown(development)
    } else {
        format!(
            "{} in development, {} in production",
            shown(development),
            shown(production)
        )
    }
}

fn paragraph(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join("\n")
}
