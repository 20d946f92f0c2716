//! What the OpenAPI documents of the gateways have in common: answers by status, refusals by the codes of problems, schemas.
//!
//! A gateway names each operation beside its handler (`#[utoipa::path]`), describes what it takes beside what reads it, and
//! lists what it answers with [`answers`](crate::answers!). [`merged`] makes one document of those that share a listener.

mod answer;
mod merging;
mod sharing;

pub mod schema;

use crate::{Problem, ProblemCode};
use utoipa::ToSchema;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{Components, RefOr, Required};

pub use answer::{Answer, operation};
pub use merging::merged;

/// The security scheme of a token in `Authorization: Bearer`.
pub const BEARER_TOKEN: &str = "bearerToken";
/// The security scheme of a token in the query, where a client cannot set headers.
pub const QUERY_TOKEN: &str = "queryToken";
/// The security scheme of a token in the payload of a Socket.IO CONNECT.
pub const CONNECT_TOKEN: &str = "connectToken";

/// What stands before a WebSocket: what is no good handshake, and what the server has no room for.
pub const UPGRADE: &[ProblemCode] = &[
    ProblemCode::BadUpgrade,
    ProblemCode::UpgradeRequired,
    ProblemCode::UriTooLong,
    ProblemCode::RateLimited,
    ProblemCode::Overloaded,
    ProblemCode::ShuttingDown,
];
/// The same of an event stream, whose refusals are all answers.
pub const STREAM: &[ProblemCode] = &[
    ProblemCode::UriTooLong,
    ProblemCode::Forbidden,
    ProblemCode::RateLimited,
    ProblemCode::Overloaded,
    ProblemCode::ShuttingDown,
];
/// What [`JsonBody`](crate::JsonBody) refuses.
pub const BODY: &[ProblemCode] = &[
    ProblemCode::InvalidBody,
    ProblemCode::RequestTimeout,
    ProblemCode::PayloadTooLarge,
    ProblemCode::UnsupportedMediaType,
];

/// Declares types that say what operations answer, for `responses(…)`: the good answers, then lists of problem codes.
#[macro_export]
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident = $answer:expr, $($refusals:expr),+;)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> ::std::collections::BTreeMap<
                ::std::string::String,
                ::utoipa::openapi::RefOr<::utoipa::openapi::Response>,
            > {
                $crate::openapi::operation($answer, &[$($refusals),+])
            }
        }
    )*};
}

/// Declares types of one value, a text that is always the same: what a message's `type` is.
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name;

        #[allow(dead_code)] // not everybody who says it also asks for it
        impl $name {
            /// The text.
            pub(crate) const TEXT: &'static str = $text;
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str($text)
            }
        }

        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                $crate::openapi::schema::word($text).into()
            }
        }

        impl ::utoipa::ToSchema for $name {}
    )*};
}

/// Components with the schema of problems.
pub fn components() -> Components {
    let mut components = Components::new();
    collect::<Problem>(&mut components);
    components
}

/// Adds a schema with those that it refers to.
pub fn collect<T: ToSchema>(components: &mut Components) {
    let mut schemas: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

/// Adds [`BEARER_TOKEN`] and [`QUERY_TOKEN`].
pub fn add_tokens(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token: a user's, an operator's or a service's."));
    components.add_security_scheme(BEARER_TOKEN, SecurityScheme::Http(bearer.build()));
    let about = "A user's token, for clients that cannot set headers.";
    let query = ApiKeyValue::with_description("token", about);
    components.add_security_scheme(QUERY_TOKEN, SecurityScheme::ApiKey(ApiKey::Query(query)));
}

/// A tag with its description.
pub fn tag(name: &str, about: &str) -> Tag {
    TagBuilder::new().name(name).description(Some(about)).build()
}

/// A parameter that may be left out.
pub fn parameter(
    place: ParameterIn,
    name: &str,
    schema: impl Into<RefOr<Schema>>,
    about: &str,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
}
