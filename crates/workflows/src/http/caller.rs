//! Who calls: an operator, the application's backend, or a user.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tidings_access::{Claims, ServiceScope, TokenError};
use tidings_transport::{Problem, ProblemCode, bearer_token};

use crate::Workflows;
use crate::handshake::refusal;

/// Whoever shows a good token.
pub(super) enum Caller {
    Operator,
    Service,
    User(Box<Claims>),
}

/// The application's backend, or an operator, who may all it may.
pub(super) struct Backend;

impl FromRequestParts<Workflows> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, workflows: &Workflows) -> Result<Caller, Problem> {
        let token = bearer_token(&parts.headers).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Problem::new(ProblemCode::MissingToken))?;
        let gateway = &workflows.0;
        let refused = |error| Problem::new(ProblemCode::from(refusal(error)));
        match gateway.authenticator.verify_service_at(token, gateway.now_s()) {
            Ok(claims) if claims.scope.includes(ServiceScope::Operator) => Ok(Caller::Operator),
            Ok(_) => Ok(Caller::Service),
            Err(error @ (TokenError::Expired | TokenError::Revoked)) => Err(refused(error)),
            Err(_) => {
                let claims = gateway.verify_user(token).await.map_err(refused)?;
                Ok(Caller::User(Box::new(claims)))
            }
        }
    }
}

impl FromRequestParts<Workflows> for Backend {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, workflows: &Workflows) -> Result<Backend, Problem> {
        match Caller::from_request_parts(parts, workflows).await? {
            Caller::Operator | Caller::Service => Ok(Backend),
            Caller::User(_) => Err(Problem::new(ProblemCode::Forbidden)
                .detail("the route is for the application's backend: a service token is needed")),
        }
    }
}
