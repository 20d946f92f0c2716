//! Texts in which `*` stands for anything.

use std::fmt;

/// A text to compare with, in which each `*` stands for any text, none included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Box<str>);

impl Pattern {
    pub(super) fn new(text: &str) -> Pattern {
        Pattern(text.into())
    }

    /// Whether the whole text is as the pattern says. In time that grows with the product of both, whatever they are.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        // Splitting gives one part at least.
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            // The first place leaves the most for what follows.
            let Some(place) = rest.find(part) else {
                return false;
            };
            rest = &rest[place + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_stands_for_anything() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything", true),
            ("com.example.*", "com.example.task", true),
            ("com.example.*", "com.example.", true),
            ("com.example.*", "com.example", false),
            ("*.created", "lead.created", true),
            ("*.created", "lead.created.twice", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "ac", false),
            ("aa*aa", "aaa", false),
            ("aa*aa", "aaaa", true),
            ("*a*", "bab", true),
            ("ä*", "äö", true),
            ("?", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }
}
