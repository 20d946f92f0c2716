//! Answers of an operation.

use std::collections::BTreeMap;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use tidings_transport::{Problem, ProblemCode};
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, Header, Ref, RefOr, Response, ResponseBuilder};

use crate::schema::{object, string};

/// The media type of refusals.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An answer by its status.
pub(super) struct Answer {
    status: StatusCode,
    response: ResponseBuilder,
}

/// What an operation answers: the good answers, and these refusals.
pub(super) fn operation<const N: usize>(
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
    pub(super) fn empty(status: StatusCode, about: &str) -> Answer {
        let response = ResponseBuilder::new().description(about);
        Answer { status, response }
    }

    pub(super) fn json<T: ToSchema>(status: StatusCode, about: &str) -> Answer {
        let Answer { status, response } = Answer::empty(status, about);
        let content = Content::new(Some(Ref::from_schema_name(T::name())));
        let response = response.content("application/json", content);
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
                let about = match *name {
                    header::RETRY_AFTER => "When to try again, in seconds.",
                    header::SEC_WEBSOCKET_VERSION => "The version that the route speaks.",
                    _ => "What to use instead.",
                };
                answer.header(name, true, about)
            })
    }

    /// The lead's version.
    pub(super) fn entity_tag(self, is_always_there: bool) -> Answer {
        let about = if is_always_there {
            "The lead's version, for `If-Match` and `If-None-Match`."
        } else {
            "The lead's version, for `If-Match` and `If-None-Match`; not in the answer to a repeated request."
        };
        self.header(&header::ETAG, is_always_there, about)
    }

    pub(super) fn header(mut self, name: &HeaderName, is_always_there: bool, about: &str) -> Answer {
        let schema = match *name {
            header::RETRY_AFTER => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)),
            header::ETAG => string().pattern(Some(r#"^"[0-9]+"$"#)),
            _ => string(),
        };
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
    pub(super) fn link(mut self, name: &str, operation: &str, parameter: &str, value: &str) -> Answer {
        let link = LinkBuilder::new()
            .operation_id(operation)
            .parameter(parameter, value)
            .build();
        self.response = self.response.link(name, link);
        self
    }
}
