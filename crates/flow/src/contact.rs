//! Whether an email address or a phone number can be one. Whether it exists, only a message can tell.

use std::ops::RangeInclusive;

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder};

use tidings_transport::openapi::schema;

/// What [`email`] takes, for people.
pub(crate) const EMAIL: &str = "an email address";
/// What [`phone`] takes, for people.
pub(crate) const PHONE: &str = "a phone number of 5 to 15 digits";

const EMAIL_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
const PHONE_CHARACTERS_MAX: usize = 40;
const PHONE_DIGITS: RangeInclusive<usize> = 5..=15;

/// The address without white space around it, if it has the form of one.
pub(crate) fn email(text: &str) -> Option<&str> {
    if text.len() > EMAIL_BYTES_MAX {
        return None;
    }
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let is_good = is_local(local) && is_domain(domain);
    is_good.then_some(text)
}

fn is_local(local: &str) -> bool {
    let is_letter = |character: char| {
        character.is_alphanumeric()
            || (character.is_ascii_punctuation() && !"\"(),:;<>@[\\]".contains(character))
    };
    local.len() <= LOCAL_BYTES_MAX
        && local
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(is_letter))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_alphanumeric() || character == '-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// The number as it was written, without white space around it, if it has the form of one: digits with the usual
/// signs between them, a `+` only in front.
pub(crate) fn phone(text: &str) -> Option<&str> {
    if text.chars().count() > PHONE_CHARACTERS_MAX {
        return None;
    }
    let text = text.trim();
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let is_good = rest
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b" -.()/".contains(&byte));
    (is_good && PHONE_DIGITS.contains(&digits)).then_some(text)
}

/// What [`email`] takes, as a schema. Letters beyond ASCII are taken as well.
pub(crate) fn email_schema() -> ObjectBuilder {
    schema::format(KnownFormat::Email).max_length(Some(EMAIL_BYTES_MAX))
}

/// What [`phone`] takes, as a schema.
pub(crate) fn phone_schema() -> ObjectBuilder {
    let (least, most) = (PHONE_DIGITS.start(), PHONE_DIGITS.end());
    let space = schema::SPACE;
    let pattern = format!(r"^{space}\+?([- .()/]*[0-9]){{{least},{most}}}[- .()/]*{space}$");
    schema::string()
        .max_length(Some(PHONE_CHARACTERS_MAX))
        .pattern(Some(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses() {
        for good in [
            "john@example.com",
            "a.b+c@x-y.co.uk",
            "o'neil@bücher.example",
            " j@d.dk ",
        ] {
            assert_eq!(email(good), Some(good.trim()), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let spaces = format!("john@example.com{}", " ".repeat(EMAIL_BYTES_MAX));
        for wrong in [
            "",
            "@",
            "john",
            "john@",
            "@example.com",
            "john@example",
            "a b@example.com",
            "a@b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@-x.com",
            "a@x..com",
            "a@x.com\n b",
            "<a@x.com>",
            &long,
            &spaces,
        ] {
            assert_eq!(email(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn phone_numbers() {
        for good in ["+45 12 34 56 78", "(030) 123-456", "0041.79/1234567", "12345"] {
            assert_eq!(phone(good), Some(good));
        }
        let spaces = format!("12345{}", " ".repeat(PHONE_CHARACTERS_MAX));
        for wrong in [
            "",
            "+",
            &spaces,
            "1234",
            "1234567890123456",
            "+45 12+34 56",
            "call me",
            "12345x",
            "123\n45",
        ] {
            assert_eq!(phone(wrong), None, "{wrong}");
        }
    }
}
