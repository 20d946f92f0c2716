//! Why something is no `CloudEvent`.

/// What is wrong. Names a publisher's attribute where that helps, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The structured form is not one JSON object.
    #[error("event is not a JSON object")]
    NotAnObject,
    /// The batch is not one JSON array.
    #[error("batch is not a JSON array")]
    NotAnArray,
    /// More events in a batch than [`super::BATCH_EVENTS_MAX`].
    #[error("batch has too many events")]
    TooManyEvents,
    /// More attributes than any publisher needs.
    #[error("event has too many attributes")]
    TooManyAttributes,
    /// A name with other characters than a-z and 0-9.
    #[error("attribute name `{0}` is not made of a-z and 0-9")]
    InvalidName(String),
    /// The same attribute twice.
    #[error("attribute `{0}` is given twice")]
    Duplicate(String),
    /// A required attribute is absent, null or empty.
    #[error("required attribute `{0}` is missing or empty")]
    Missing(&'static str),
    /// A value of the wrong type or form.
    #[error("attribute `{0}` has an invalid value")]
    InvalidValue(String),
    /// A `specversion` other than 1.0.
    #[error("specversion is not 1.0")]
    UnsupportedVersion,
    /// `data` beside `data_base64`.
    #[error("both data and data_base64 are given")]
    DataTwice,
    /// `data_base64` that is no string of base64.
    #[error("data_base64 is not base64")]
    InvalidBase64,
    /// A body that is not the JSON its content type says.
    #[error("data is not JSON, as its content type says")]
    InvalidJson,
    /// `ce-datacontenttype`, which `Content-Type` stands for.
    #[error("header ce-datacontenttype is not allowed, Content-Type stands for it")]
    ContentTypeHeader,
}

impl Error {
    /// Bytes of a publisher's name that an error repeats.
    const NAME_BYTES_MAX: usize = 64;

    pub(super) fn invalid_name(name: &str) -> Self {
        Self::InvalidName(name[..name.floor_char_boundary(Self::NAME_BYTES_MAX)].to_owned())
    }

    pub(super) fn invalid_value(name: &str) -> Self {
        Self::InvalidValue(name[..name.floor_char_boundary(Self::NAME_BYTES_MAX)].to_owned())
    }
}
