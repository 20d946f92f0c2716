//! What a request asks for, in the order in which clients expect to be refused.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tidings_wire::close_code::CloseCode;
use tidings_wire::engineio::encode_payload;

use super::answer::{self, Refusal};
use super::polling;
use super::query::Parameters;
use super::server::EngineServer;
use super::session::{PollEnd, Session};
use super::sid::Sid;
use super::table::Found;
use super::websocket;
use super::{Application, Handshake};
use crate::cors::{self, Cors};
use crate::counters::RefusedBefore;
use crate::{PeerAddress, Problem, ProblemCode, WebSocketUpgrade};

/// What a preflight is told: the methods that the reference server names.
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

/// Why a request gets no session: the client's mistake, or a lack of ours.
enum Refused {
    Mistake(Refusal),
    Lack(Problem),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Mistake(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Mistake(refusal) => refusal.into_response(),
            Self::Lack(problem) => problem.into_response(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Polling,
    WebSocket,
}

pub(super) fn of<A: Application>(server: &EngineServer<A>) -> Router {
    let path = server.options().path.trim_end_matches('/');
    let routes = Router::new().route(&format!("{path}/"), any(serve::<A>));
    let routes = if path.is_empty() {
        routes
    } else {
        routes.route(path, any(serve::<A>))
    };
    routes.with_state(server.clone())
}

/// What a request comes to.
enum Answer<A: Application> {
    Ready(Response),
    /// A GET that waits for what its session has to send.
    Poll(Arc<Session<A::Session>>),
}

fn serve<A: Application>(
    State(server): State<EngineServer<A>>,
    request: Request,
) -> impl Future<Output = Response> + Send {
    let cors = Cors::of(server.transport().origins(), request.headers());
    // Boxed, and gone before a GET waits: most sessions wait most of the time. The request goes too, because it points
    // into the buffer it was read into, and hyper would need a second one.
    let answered = Box::pin(answer(server.clone(), request));
    async move {
        let mut response = match answered.await {
            Ok(Answer::Ready(response)) => response,
            Ok(Answer::Poll(session)) => polling::poll(&server, &session).await.into_response(),
            Err(refused) => refused.into_response(),
        };
        cors.apply(response.headers_mut());
        response
    }
}

async fn answer<A: Application>(server: EngineServer<A>, request: Request) -> Result<Answer<A>, Refused> {
    let server = &server;
    let permitted = server.transport().origins().permits(request.headers());
    if request.method() == Method::OPTIONS && permitted {
        return Ok(Answer::Ready(cors::preflight(request.headers(), METHODS)));
    }
    let parameters = Parameters::of(request.uri());
    let via = match parameters.transport.as_deref() {
        Some("polling") => Via::Polling,
        Some("websocket") => Via::WebSocket,
        _ => return Err(Refusal::TransportUnknown.into()),
    };
    if !permitted {
        server
            .transport()
            .counters()
            .refused_before(RefusedBefore::Origin);
        return Err(Refusal::Forbidden.into());
    }
    match (&parameters.sid, via) {
        (Some(sid), via) => {
            let sid = Sid::parse(sid).ok_or(Refusal::SessionUnknown)?;
            // Every request of a session says the version that the session was opened with.
            if !parameters.is_version_4() && !matches!(server.table().find(sid), Found::Nothing) {
                return Err(Refusal::BadRequest.into());
            }
            match via {
                Via::Polling => with_session(server, sid, request).await.map_err(Refused::from),
                Via::WebSocket => Ok(Answer::Ready(upgrade(server, sid, request).await?)),
            }
        }
        (None, via) => handshake(server, &parameters, via, request)
            .await
            .map(Answer::Ready),
    }
}

/// A GET or POST of a polling session.
async fn with_session<A: Application>(
    server: &EngineServer<A>,
    sid: Sid,
    request: Request,
) -> Result<Answer<A>, Refusal> {
    let is_get = request.method() == Method::GET;
    let session = match server.table().find(sid) {
        Found::Polling(session) => session,
        Found::WebSocket => return Err(Refusal::BadRequest),
        Found::Nothing if is_get => return polling::late(server, sid).map(Answer::Ready),
        Found::Nothing => return Err(Refusal::SessionUnknown),
    };
    // The hub's timer is coarse: a client that comes too late is told so to the millisecond.
    if session.connection.is_silent_too_long() {
        server.end(&session, PollEnd::Close, CloseCode::PingTimeout);
        return Err(Refusal::SessionUnknown);
    }
    match *request.method() {
        Method::GET if is_upgrade(request.headers()) => Err(Refusal::BadRequest),
        Method::GET => Ok(Answer::Poll(session)),
        Method::POST => polling::post(server, &session, request).await.map(Answer::Ready),
        _ => Err(Refusal::BadRequest),
    }
}

/// A WebSocket for a session that polls.
async fn upgrade<A: Application>(
    server: &EngineServer<A>,
    sid: Sid,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let claim = match server.table().find(sid) {
        Found::Polling(session) => session.claim(),
        Found::WebSocket => None,
        Found::Nothing => return Err(Refusal::SessionUnknown),
    };
    let websocket = websocket_of(request).await?;
    let Some(claim) = claim else {
        // The session has its WebSocket. Clients expect the second one to open and to close.
        return Ok(websocket.refuse(server.transport(), CloseCode::BadRequest));
    };
    // It costs what a handshake costs. A client that is refused polls on.
    if let Err(problem) = server.transport().admit_rate(websocket.peer()) {
        return Ok(problem.into_response());
    }
    let taker = server.clone();
    Ok(
        websocket.raw(server.transport(), move |stream, early, agreement| {
            websocket::take_over(taker, claim, stream, early, agreement)
        }),
    )
}

/// A new session.
async fn handshake<A: Application>(
    server: &EngineServer<A>,
    parameters: &Parameters,
    via: Via,
    request: Request,
) -> Result<Response, Refused> {
    if request.method() != Method::GET {
        return Err(Refusal::BadHandshakeMethod.into());
    }
    if (via == Via::WebSocket) != is_upgrade(request.headers()) {
        return Err(Refusal::BadRequest.into());
    }
    if !parameters.is_version_4() {
        return Err(Refusal::UnsupportedVersion.into());
    }
    let transport = server.transport();
    let peer = request.extensions().get::<PeerAddress>().copied();
    transport.admit_handshake(peer).map_err(Refused::Lack)?;
    let place = match peer.map(|peer| transport.enter_address(peer)) {
        None => None,
        Some(Some(place)) => Some(place),
        Some(None) => {
            transport.counters().refused_before(RefusedBefore::AddressQuota);
            if via == Via::WebSocket {
                let websocket = websocket_of(request).await?;
                return Ok(websocket.turn_away(transport, CloseCode::RateLimited));
            }
            return Err(Refused::Lack(Problem::new(ProblemCode::RateLimited)));
        }
    };
    let sid = Sid::generate().map_err(|_| Refusal::BadRequest)?;
    let headers = request.headers().clone();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if via == Via::WebSocket {
        let websocket = websocket_of(request).await?;
        let starter = server.clone();
        return Ok(
            websocket.raw(transport, move |stream, early, agreement| async move {
                let handshake = Handshake {
                    headers: &headers,
                    query: &query,
                    peer,
                };
                websocket::start(starter, sid, place, handshake, stream, early, agreement).await;
            }),
        );
    }
    let connection = server
        .connect(None, None)
        .map_err(|_| Refused::Lack(Problem::new(ProblemCode::Overloaded)))?;
    let handshake = Handshake {
        headers: &headers,
        query: &query,
        peer,
    };
    let application = server.application().open(connection.clone(), &handshake);
    server.enter(sid, connection, application, place);
    let open = websocket::open_packet(server, sid, &["websocket"]);
    Ok(answer::packets(encode_payload([&open])))
}

async fn websocket_of(request: Request) -> Result<WebSocketUpgrade, Refusal> {
    let (mut parts, _body) = request.into_parts();
    WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| Refusal::BadRequest)
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
