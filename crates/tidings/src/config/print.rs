//! The effective configuration as a TOML file, each key with where it was set.

use std::fmt::Write;

use super::load::Loaded;

/// The configuration in force. Secrets are redacted.
pub(crate) fn effective(loaded: &Loaded) -> String {
    let mut text = String::new();
    for section in loaded.config.sections() {
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}[{}]", section.name());
        for key in section.keys() {
            let place = loaded
                .place(&format!("{}.{}", section.name(), key.name))
                .map_or_else(|| "default".to_owned(), ToString::to_string);
            let _ = match section.get(key.name) {
                // Commented, so that the output read as a file does not set the secret to its redaction.
                Some(value) if key.is_secret => writeln!(text, "# {} = {value} # {place}", key.name),
                Some(value) => writeln!(text, "{} = {value} # {place}", key.name),
                None => writeln!(text, "# {} is unset", key.name),
            };
        }
    }
    text
}
