//! How a lead came in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::StoreError;

const SOURCE_CHARACTERS_MAX: usize = 64;

/// How a lead came in: one of the constants, or a form's own word of 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct LeadSource(Cow<'static, str>);

impl LeadSource {
    /// By voice command.
    pub const VOICE: LeadSource = LeadSource(Cow::Borrowed("voice"));
    /// By HTTP.
    pub const HTTP: LeadSource = LeadSource(Cow::Borrowed("http"));
    /// By a form that does not name itself.
    pub const FORM: LeadSource = LeadSource(Cow::Borrowed("form"));
    /// By a bulk import.
    pub const IMPORT: LeadSource = LeadSource(Cow::Borrowed("import"));
    /// By this program itself.
    pub const SYSTEM: LeadSource = LeadSource(Cow::Borrowed("system"));

    /// Checks a text and takes it as a source.
    pub fn new(text: &str) -> Result<LeadSource, StoreError> {
        if !(1..=SOURCE_CHARACTERS_MAX).contains(&text.chars().count()) || text.chars().any(char::is_control)
        {
            return Err(StoreError::Invalid {
                what: "a lead's source is 1 to 64 characters, none of them a control character",
            });
        }
        Ok(LeadSource(Cow::Owned(text.to_owned())))
    }

    /// The source as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn stored(text: String) -> LeadSource {
        LeadSource(Cow::Owned(text))
    }
}

impl PartialSchema for LeadSource {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "How a lead came in: `voice`, `http`, `form`, `import`, `system`, or a form's own word.",
            ))
            .min_length(Some(1))
            .max_length(Some(SOURCE_CHARACTERS_MAX))
            .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
            .into()
    }
}

impl ToSchema for LeadSource {}

impl fmt::Display for LeadSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for LeadSource {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        LeadSource::new(text)
    }
}
