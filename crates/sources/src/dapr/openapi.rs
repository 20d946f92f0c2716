//! The OpenAPI document of Dapr's routes: what it says besides the operations, and what they answer.

use super::DaprSource;
use super::answer::{API_TOKEN, Answer as DeliveryAnswer};
use super::bulk::Answer as BulkAnswer;
use super::settings::{DaprSettings, Subscription};
use axum::http::StatusCode;
use tidings_transport::openapi::schema::object;
use tidings_transport::openapi::{Answer, collect, components, tag};
use tidings_transport::{ProblemCode, answers};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

const ABOUT: &str = "\
What a Dapr sidecar asks and posts. It must show `dapr-api-token` where one is configured, as it is in production unless these \
routes have a private listener of their own.";

const REFUSALS: &[ProblemCode] = &[
    ProblemCode::MissingToken,
    ProblemCode::InvalidToken,
    ProblemCode::UriTooLong,
];

answers! {
    /// `GET /dapr/config`
    Configured = [Answer::content(StatusCode::OK, "Nothing.", "application/json", object())], REFUSALS;
    /// `GET /dapr/subscribe`
    Subscribed = [Answer::content(
        StatusCode::OK,
        "The subscriptions.",
        "application/json",
        ArrayBuilder::new().items(Ref::from_schema_name(Subscription::name())),
    )], REFUSALS;
    /// `GET /healthz`
    Probed = [
        Answer::empty(StatusCode::OK, "Events are taken."),
        Answer::empty(StatusCode::SERVICE_UNAVAILABLE, "The bus takes none."),
    ], &[ProblemCode::UriTooLong];
    /// `POST /task-updates`
    Delivered = [
        Answer::content(
            StatusCode::OK,
            "What became of it: of a bulk envelope, of each of its entries.",
            "application/json",
            AnyOfBuilder::new()
                .item(Ref::from_schema_name(DeliveryAnswer::name()))
                .item(Ref::from_schema_name(BulkAnswer::name())),
        ),
        Answer::json::<DeliveryAnswer>(
            StatusCode::NOT_FOUND,
            "It is over the limit, and with bulk subscription Dapr is told to drop it like this.",
        ),
    ], REFUSALS;
}

/// The OpenAPI document of the routes under these settings.
pub fn openapi(settings: &DaprSettings) -> OpenApi {
    documented_routes(settings, |routes| routes).into_openapi()
}

/// Routes and document come from one list. `guarded` is put before all but the probe.
pub(super) fn documented_routes(
    settings: &DaprSettings,
    guarded: impl FnOnce(OpenApiRouter<DaprSource>) -> OpenApiRouter<DaprSource>,
) -> OpenApiRouter<DaprSource> {
    let routes = OpenApiRouter::with_openapi(without_operations())
        .routes(routes!(super::config))
        .routes(routes!(super::subscribe))
        .routes(at(&settings.route, routes!(super::deliver)));
    guarded(routes).routes(routes!(super::healthz))
}

/// The route that takes deliveries, at its path. A request without a body is no event, and answered as such.
fn at(
    path: &str,
    (schemas, paths, methods): UtoipaMethodRouter<DaprSource>,
) -> UtoipaMethodRouter<DaprSource> {
    let mut moved = Paths::new();
    let mut paths = paths;
    for item in paths.paths.values_mut() {
        let body = item
            .post
            .as_mut()
            .and_then(|delivery| delivery.request_body.as_mut());
        if let Some(RefOr::T(body)) = body {
            body.required = Some(Required::False);
        }
    }
    moved
        .paths
        .extend(paths.paths.into_values().map(|item| (path.to_owned(), item)));
    (schemas, moved, methods)
}

fn without_operations() -> OpenApi {
    let mut info = Info::new("Tidings: Dapr", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut components = components();
    let value = ApiKeyValue::with_description(
        API_TOKEN,
        "What `tasks.dapr.api_token` says, if it says anything.",
    );
    components.add_security_scheme("daprApiToken", SecurityScheme::ApiKey(ApiKey::Header(value)));
    collect::<Subscription<'_>>(&mut components);
    collect::<DeliveryAnswer>(&mut components);
    collect::<BulkAnswer<'_>>(&mut components);
    OpenApiBuilder::new()
        .info(info)
        .paths(Paths::new())
        .components(Some(components))
        .tags(Some([tag("dapr", "What a Dapr sidecar asks and posts.")]))
        .build()
}
