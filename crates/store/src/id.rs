//! Ids, each a type of its own. Texts are checked once, here; inside, an id is known to be good.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::StoreError;

const TENANT_ID_BYTES_MAX: usize = 64;
const OWNER_ID_BYTES_MAX: usize = 200;
/// A room id has at most 256 bytes.
const WORKFLOW_ID_BYTES_MAX: usize = 256 - "workflow:".len();
const EXECUTION_ID_BYTES_MAX: usize = 256 - "execution:".len();
const NODE_ID_BYTES_MAX: usize = 256;

/// Defines an id that is a text given from outside.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $is_valid:expr, $refusal:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text and takes it as an id.
            pub fn new(text: &str) -> Result<$name, StoreError> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) { Ok($name(text.into())) } else { Err(StoreError::Invalid { what: $refusal }) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// An id that comes out of the database, where only checked ones go in.
            pub(crate) fn stored(text: String) -> $name {
                $name(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $name::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                $name::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

/// Defines an id that this store makes: a prefix and a version 7 UUID, which sorts by time.
macro_rules! made_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $refusal:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id.
            pub fn generate() -> $name {
                $name(Uuid::now_v7())
            }

            pub(crate) fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            pub(crate) fn stored(bytes: &[u8]) -> Result<$name, StoreError> {
                Uuid::from_slice(bytes).map($name).map_err(|error| StoreError::Corrupt(error.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            /// Takes exactly the form that [`fmt::Display`] gives: one id, one spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .and_then(|uuid| Uuid::try_parse(uuid).ok())
                    .map($name)
                    .filter(|id| id.to_string() == text)
                    .ok_or(StoreError::Invalid { what: $refusal })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let pattern = concat!("^", $prefix, "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$");
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
            }
        }

        impl ToSchema for $name {}
    };
}

text_id!(
    /// A tenant's id (its slug has the same form): 1 to 64 of `A-Z a-z 0-9 _ -`.
    TenantId,
    |text| (1..=TENANT_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
    "a tenant id is 1 to 64 letters, digits, _ or -"
);
text_id!(
    /// A user who owns workflows or executions: 1 to 200 bytes without control characters.
    OwnerId,
    |text| is_plain(text, OWNER_ID_BYTES_MAX),
    "an owner id is 1 to 200 bytes without control characters"
);
text_id!(
    /// A workflow's id, the application's own. `workflow:` and the id make a room id of at most 256 bytes.
    WorkflowId,
    |text| is_plain(text, WORKFLOW_ID_BYTES_MAX),
    "a workflow id is 1 to 247 bytes without control characters"
);
text_id!(
    /// An execution's id, the application's own. `execution:` and the id make a room id of at most 256 bytes.
    ExecutionId,
    |text| is_plain(text, EXECUTION_ID_BYTES_MAX),
    "an execution id is 1 to 246 bytes without control characters"
);
text_id!(
    /// A node's id within its workflow.
    NodeId,
    |text| is_plain(text, NODE_ID_BYTES_MAX),
    "a node id is 1 to 256 bytes without control characters"
);
made_id!(
    /// A lead's id: `lead_` and a version 7 UUID.
    LeadId,
    "lead_",
    "a lead id is lead_ and a UUID"
);
made_id!(
    /// A tenant key's id: `key_` and a version 7 UUID. It is not the key and may be shown.
    KeyId,
    "key_",
    "a key id is key_ and a UUID"
);
made_id!(
    /// A job's id: `job_` and a version 7 UUID.
    JobId,
    "job_",
    "a job id is job_ and a UUID"
);

/// Describes an id that is any text of at most so many bytes. JSON Schema counts characters and cannot count bytes.
macro_rules! plain_schema {
    ($($name:ident: $bytes_max:expr, $about:literal;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(format!("{} At most {} bytes of UTF-8.", $about, $bytes_max)))
                    .min_length(Some(1))
                    .max_length(Some($bytes_max))
                    .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

plain_schema! {
    OwnerId: OWNER_ID_BYTES_MAX, "A user who owns workflows or executions.";
    WorkflowId: WORKFLOW_ID_BYTES_MAX, "A workflow's id, the application's own.";
    ExecutionId: EXECUTION_ID_BYTES_MAX, "An execution's id, the application's own.";
    NodeId: NODE_ID_BYTES_MAX, "A node's id within its workflow.";
}

impl PartialSchema for TenantId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(format!("^[A-Za-z0-9_-]{{1,{TENANT_ID_BYTES_MAX}}}$")))
            .into()
    }
}

impl ToSchema for TenantId {}

fn is_plain(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_ids() {
        for good in ["a", "demo1", "A-b_9", &"x".repeat(64)] {
            assert_eq!(TenantId::new(good).unwrap().as_str(), good);
        }
        for wrong in ["", "a b", "a.b", "ø", "a\n", &"x".repeat(65)] {
            assert!(TenantId::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn opaque_ids() {
        for good in [
            "1",
            "123e4567-e89b-12d3-a456-426614174000",
            "a:b/c d",
            &"x".repeat(246),
        ] {
            assert_eq!(ExecutionId::new(good).unwrap().to_string(), good);
        }
        for wrong in ["", "a\u{0}", "a\u{9f}", &"x".repeat(247)] {
            assert!(ExecutionId::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn made_ids_round_trip_and_sort_by_time() {
        let ids: Vec<LeadId> = (0..1000).map(|_| LeadId::generate()).collect();
        assert!(ids.is_sorted());
        for id in &ids {
            assert_eq!(id.to_string().parse::<LeadId>().unwrap(), *id);
            assert_eq!(LeadId::stored(id.as_bytes()).unwrap(), *id);
        }
        let text = ids[0].to_string();
        assert!(text.starts_with("lead_"));
        for wrong in [
            "",
            "lead_",
            "lead_1",
            &text[5..],
            &text.to_uppercase(),
            &text.replace('-', ""),
            &format!("{text}0"),
        ] {
            assert!(wrong.parse::<LeadId>().is_err(), "{wrong:?}");
        }
        assert!(text.parse::<KeyId>().is_err());
    }
}
