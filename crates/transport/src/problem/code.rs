//! The one table of problem codes.

use axum::http::StatusCode;
use tidings_wire::close_code::CloseCode;

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// Why a request was refused; stable, clients compare it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of the table.
            pub const ALL: &[ProblemCode] = &[$(ProblemCode::$variant),*];

            /// The code in the body.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The answer's status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it means, for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problem_codes! {
    /// No tenant key.
    MissingApiKey = "missing_api_key", UNAUTHORIZED, "A tenant key is needed";
    /// A tenant key that does not exist, or keys of different tenants.
    InvalidApiKey = "invalid_api_key", UNAUTHORIZED, "The tenant key is not good";
    /// A tenant key past its time.
    ExpiredApiKey = "expired_api_key", UNAUTHORIZED, "The tenant key has expired";
    /// A tenant key that was revoked.
    RevokedApiKey = "revoked_api_key", UNAUTHORIZED, "The tenant key was revoked";
    /// The key's tenant is suspended.
    SuspendedTenant = "suspended_tenant", FORBIDDEN, "The tenant is suspended";
    /// No user id, and no token that says who it is.
    MissingUserId = "missing_user_id", BAD_REQUEST, "A user id is needed";
    /// A user id that is none.
    InvalidUserId = "invalid_user_id", BAD_REQUEST, "The user id is not well-formed";
    /// No token.
    MissingToken = "missing_token", UNAUTHORIZED, "A token is needed";
    /// A token that does not verify.
    InvalidToken = "invalid_token", UNAUTHORIZED, "The token is not good here";
    /// Known, but not allowed.
    Forbidden = "forbidden", FORBIDDEN, "Not allowed";
    /// Nothing of that name, or nothing of yours.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The body is not what it must be.
    InvalidBody = "invalid_body", BAD_REQUEST, "The body is not well-formed";
    /// An event that can never be delivered.
    UndeliverableEvent = "undeliverable_event", UNPROCESSABLE_ENTITY, "The event cannot be delivered";
    /// A parameter is not what it must be.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A parameter is not well-formed";
    /// A state cannot follow the present one.
    IllegalTransition = "illegal_transition", CONFLICT, "The transition is not legal";
    /// It contradicts what is there.
    Conflict = "conflict", CONFLICT, "The request contradicts the present state";
    /// What is there is of another version than the request expects.
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "It was changed meanwhile";
    /// The request's target is over the limit.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The request's target is too long";
    /// The body is over the limit.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is of a type that is not understood.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body's type is not understood";
    /// The route speaks WebSocket, version 13.
    UpgradeRequired = "upgrade_required", UPGRADE_REQUIRED, "The route needs a WebSocket upgrade";
    /// The upgrade request is malformed.
    BadUpgrade = "bad_upgrade", BAD_REQUEST, "The WebSocket upgrade is not well-formed";
    /// The route has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The route has no such method";
    /// The body did not come in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body did not come in time";
    /// Too many requests.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// The server has more to do than it can.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The server has more to do than it can";
    /// The server goes down.
    ShuttingDown = "shutting_down", SERVICE_UNAVAILABLE, "The server is shutting down";
    /// The store does not answer.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store does not answer";
    /// The bus does not take events.
    BusUnavailable = "bus_unavailable", SERVICE_UNAVAILABLE, "The bus does not take events";
    /// Our fault.
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, "The server failed";
}

/// What a close code is where a refusal is still an HTTP answer.
impl From<CloseCode> for ProblemCode {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::ShuttingDown => Self::ShuttingDown,
            CloseCode::MissingUserId => Self::MissingUserId,
            CloseCode::InvalidUserId => Self::InvalidUserId,
            CloseCode::BadRequest
            | CloseCode::ProtocolError
            | CloseCode::InvalidUtf8
            | CloseCode::MessageTooBig => Self::InvalidParameter,
            CloseCode::MissingToken => Self::MissingToken,
            CloseCode::InvalidToken | CloseCode::TokenExpired => Self::InvalidToken,
            CloseCode::Forbidden | CloseCode::PolicyViolation => Self::Forbidden,
            CloseCode::RateLimited => Self::RateLimited,
            CloseCode::Overloaded | CloseCode::SlowConsumer => Self::Overloaded,
            CloseCode::Normal | CloseCode::InternalError | CloseCode::PingTimeout => Self::InternalError,
        }
    }
}
