//! Answers of an operation.

use std::collections::BTreeMap;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, Header, Ref, RefOr, Response, ResponseBuilder};

use super::schema::{object, string};
use crate::{Problem, ProblemCode};

/// The media type of refusals.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An answer by its status.
pub struct Answer {
    status: StatusCode,
    response: ResponseBuilder,
}

/// What an operation answers: the good answers, and these refusals.
pub fn operation<const N: usize>(
    answers: [Answer; N],
    refusals: &[&[ProblemCode]],
) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<StatusCode, Vec<ProblemCode>> = BTreeMap::new();
    for code in refusals.iter().copied().flatten() {
        by_status.entry(code.status()).or_default().push(*code);
    }
    let refusals = by_status
        .into_iter()
        .map(|(status, codes)| Answer::problem(status, &codes));
    answers
        .into_iter()
        .chain(refusals)
        .map(|answer| (answer.status.as_str().to_owned(), answer.response.into()))
        .collect()
}

impl Answer {
    /// Without a body.
    pub fn empty(status: StatusCode, about: &str) -> Answer {
        let response = ResponseBuilder::new().description(about);
        Answer { status, response }
    }

    /// With a body in JSON: a type whose schema is among the components.
    pub fn json<T: ToSchema>(status: StatusCode, about: &str) -> Answer {
        Answer::content(
            status,
            about,
            "application/json",
            Ref::from_schema_name(T::name()),
        )
    }

    /// With a body of this media type and schema.
    pub fn content(
        status: StatusCode,
        about: &str,
        media_type: &str,
        schema: impl Into<RefOr<Schema>>,
    ) -> Answer {
        let Answer { status, response } = Answer::empty(status, about);
        let response = response.content(media_type, Content::new(Some(schema)));
        Answer { status, response }
    }

    /// A problem with one of these codes, which have this status.
    fn problem(status: StatusCode, codes: &[ProblemCode]) -> Answer {
        let about: Vec<_> = codes
            .iter()
            .map(|code| format!("`{}`: {}.", code.as_str(), code.title()))
            .collect();
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .enum_values(Some([status.as_u16()]));
        let words = string().enum_values(Some(codes.iter().map(|code| code.as_str())));
        let schema = AllOfBuilder::new()
            .item(Ref::from_schema_name(Problem::name()))
            .item(object().property("status", number).property("code", words));
        let answer = Answer {
            status,
            response: ResponseBuilder::new()
                .description(about.join(" "))
                .content(PROBLEM, Content::new(Some(schema))),
        };
        // Those of one status bring the same headers.
        let headers = codes.first().map(|code| Problem::new(*code).into_response());
        headers
            .iter()
            .flat_map(|response| response.headers().keys())
            .filter(|name| ![header::CONTENT_TYPE, header::CONNECTION].contains(name))
            .fold(answer, |answer, name| {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
                match *name {
                    header::RETRY_AFTER => {
                        answer.header_of(name, seconds, true, "When to try again, in seconds.")
                    }
                    header::SEC_WEBSOCKET_VERSION => {
                        answer.header(name, true, "The version that the route speaks.")
                    }
                    header::WWW_AUTHENTICATE => answer.header(name, true, "What to show."),
                    _ => answer.header(name, true, "What to use instead."),
                }
            })
    }

    /// With a header whose value is text.
    #[must_use]
    pub fn header(self, name: &HeaderName, is_always_there: bool, about: &str) -> Answer {
        self.header_of(name, string(), is_always_there, about)
    }

    /// With a header whose value has this schema.
    #[must_use]
    pub fn header_of(
        mut self,
        name: &HeaderName,
        schema: ObjectBuilder,
        is_always_there: bool,
        about: &str,
    ) -> Answer {
        let mut header: Header = HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(about))
            .build();
        // utoipa's header has no such field.
        header.extensions = is_always_there.then(|| [("required", true)].into_iter().collect());
        self.response = self.response.header(name.as_str(), header);
        self
    }

    /// What can be done next: an operation, of which this parameter is known from the answer.
    #[must_use]
    pub fn link(mut self, name: &str, operation: &str, parameter: &str, value: &str) -> Answer {
        let link = LinkBuilder::new()
            .operation_id(operation)
            .parameter(parameter, value)
            .build();
        self.response = self.response.link(name, link);
        self
    }
}
