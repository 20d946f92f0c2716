//! How a section declares its keys, and what the loader sees of it.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::value::{Mismatch, Value};

/// One key of a section, as the checks and the reference page show it.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The key's name inside its section.
    pub(super) name: &'static str,
    /// Its documentation, a line each.
    pub(super) about: &'static [&'static str],
    /// What its value must be.
    pub(super) expected: String,
    /// Whether its value is never shown, and may be read from a file with `<name>_file`.
    pub(super) is_secret: bool,
}

/// A table of the configuration file.
pub(super) trait Section {
    /// The table's name, with dots (`auth.jwt`).
    fn name(&self) -> &'static str;
    /// What the section is for, a line each.
    fn about(&self) -> &'static [&'static str];
    /// Its keys, in order.
    fn keys(&self) -> Vec<Key>;
    /// Sets a key of this section; `None` if it has no such key.
    fn set(&mut self, key: &str, value: &Value) -> Option<Result<(), Mismatch>>;
    /// A key's value as TOML text; `None` if it is unset or there is no such key.
    fn get(&self, key: &str) -> Option<String>;
}

/// Refuses a number outside its range.
pub(super) fn in_range<T>(value: T, range: &RangeInclusive<T>) -> Result<T, Mismatch>
where
    T: PartialOrd + Display,
{
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(out_of(range))
    }
}

/// The refusal of what is no number in the range.
pub(super) fn out_of<T: Display>(range: &RangeInclusive<T>) -> Mismatch {
    Mismatch::new(expected_in(range))
}

/// What a number with a range must be.
pub(super) fn expected_in<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

/// Declares a section: its struct, its defaults, and its `Section` implementation, from one list of keys.
///
/// `(base)` names the `Base` that defaults may read. `within` bounds a number.
macro_rules! section {
    (
        $(#[doc = $section_about:literal])+
        [$name:literal] $section:ident($base:ident) {
            $(
                $(#[doc = $about:literal])+
                $key:ident: $type:ty = $default:expr $(, within $range:expr)?;
            )+
        }
    ) => {
        $(#[doc = $section_about])+
        #[derive(Debug, Clone)]
        pub(crate) struct $section {
            $( $(#[doc = $about])+ pub(crate) $key: $type, )+
        }

        impl $section {
            /// The section as it stands without a file, variables or flags.
            pub(crate) fn defaults($base: &$crate::config::Base) -> Self {
                // Sections whose defaults are the same in both modes do not read it.
                let _ = $base;
                Self { $( $key: $default, )+ }
            }
        }

        impl $crate::config::section::Section for $section {
            fn name(&self) -> &'static str {
                $name
            }

            fn about(&self) -> &'static [&'static str] {
                &[$($section_about),+]
            }

            fn keys(&self) -> Vec<$crate::config::section::Key> {
                use $crate::config::setting::Setting;
                vec![$({
                    let expected = <$type>::expected();
                    $( let expected = { drop(expected); $crate::config::section::expected_in::<$type>(&$range) }; )?
                    $crate::config::section::Key {
                        name: stringify!($key),
                        about: &[$($about),+],
                        expected,
                        is_secret: <$type>::IS_SECRET,
                    }
                }),+]
            }

            fn set(
                &mut self,
                key: &str,
                value: &$crate::config::value::Value,
            ) -> Option<Result<(), $crate::config::value::Mismatch>> {
                use $crate::config::setting::Setting;
                match key {
                    $( stringify!($key) => Some(
                        <$type>::read(value)
                            $( .and_then(|read| $crate::config::section::in_range(read, &$range))
                            .map_err(|_| $crate::config::section::out_of::<$type>(&$range)) )?
                            .map(|read| self.$key = read)
                    ), )+
                    _ => None,
                }
            }

            fn get(&self, key: &str) -> Option<String> {
                use $crate::config::setting::Setting;
                match key {
                    $( stringify!($key) => self.$key.show(), )+
                    _ => None,
                }
            }
        }
    };
}

pub(super) use section;
