//! Content types, and which of HTTP's content modes a request is in.

/// How an event is put into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A JSON array of events.
    Batch,
    /// One event as JSON.
    Structured,
    /// Attributes in `ce-*` headers, the body is the data.
    Binary,
    /// No `CloudEvent`.
    Bare,
}

impl Mode {
    /// The mode by the content type and [`has_required_headers`].
    pub fn detect(content_type: Option<&str>, has_required_headers: bool) -> Self {
        let content_type = content_type.unwrap_or_default().trim_start();
        // The batch's type first: it begins with the other.
        if starts_with(content_type, "application/cloudevents-batch") {
            Self::Batch
        } else if starts_with(content_type, "application/cloudevents") {
            Self::Structured
        } else if has_required_headers {
            Self::Binary
        } else {
            Self::Bare
        }
    }
}

/// Whether the four headers without which there is no binary mode are among these names.
pub fn has_required_headers<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    const REQUIRED: [&str; 4] = ["ce-id", "ce-source", "ce-specversion", "ce-type"];
    has_all(names, str::eq_ignore_ascii_case, REQUIRED)
}

/// The same of a Kafka record's headers, whose names are told apart by their case.
pub fn has_required_record_headers<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    const REQUIRED: [&str; 4] = ["ce_id", "ce_source", "ce_specversion", "ce_type"];
    has_all(names, |required, name| required == name, REQUIRED)
}

fn has_all<'a>(
    names: impl IntoIterator<Item = &'a str>,
    is_same: impl Fn(&str, &str) -> bool,
    required: [&str; 4],
) -> bool {
    let mut found = [false; 4];
    for name in names {
        for (required, found) in required.iter().zip(&mut found) {
            *found |= is_same(required, name);
        }
    }
    found == [true; 4]
}

/// Whether a media type is JSON: `*/json` or `*/*+json`, parameters aside.
pub fn is_json(media_type: &str) -> bool {
    // What most events say.
    if media_type == "application/json" {
        return true;
    }
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let Some((_, subtype)) = essence.split_once('/') else {
        return false;
    };
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    suffix.eq_ignore_ascii_case("json")
}

/// Whether a media type is `text/*`.
pub(super) fn is_text(media_type: &str) -> bool {
    starts_with(media_type.trim_start(), "text/")
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
