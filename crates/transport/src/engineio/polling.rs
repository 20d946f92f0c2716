//! Long polling: GETs take what waits, POSTs bring packets.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tidings_hub::RelayFrames;
use tidings_wire::close_code::CloseCode;
use tidings_wire::engineio::{Error, Limits, Packet, decode_payload, encode_payload};
use tokio::time::{sleep, timeout};

use super::answer::{self, Refusal};
use super::session::{NoTurn, PollEnd, Session};
use super::sid::Sid;
use super::{Application, EngineServer};
use crate::counters::Limit;
use crate::{Incoming, Protocol};

/// How long a GET waits while the session moves to its WebSocket. It gives the move time to be completed, after which
/// polling is refused, and lets a client whose move hangs go on polling.
const MOVING_WAIT: Duration = Duration::from_millis(100);

/// A body over the limit is read up to so many times the limit, so that its sender gets to read the answer.
const DISCARD_FACTOR: usize = 4;

/// Ends a session whose GET or POST is given up by its client: packets may be lost with it.
struct Abandoned<'a, A: Application> {
    server: &'a EngineServer<A>,
    session: &'a Session<A::Session>,
    armed: bool,
}

impl<A: Application> Drop for Abandoned<'_, A> {
    fn drop(&mut self) {
        if self.armed {
            self.server.end(self.session, PollEnd::Close, CloseCode::Normal);
        }
    }
}

/// A GET: waits until there is something to send.
pub(super) async fn poll<A: Application>(
    server: &EngineServer<A>,
    session: &Arc<Session<A::Session>>,
) -> Result<Response, Refusal> {
    let turn = match session.begin_poll() {
        Ok(turn) => turn,
        Err(NoTurn::Ended) => return late(server, session.sid),
        Err(no_turn) => return Err(refuse(server, session, &no_turn)),
    };
    let relay = session.connection.relay().ok_or(Refusal::BadRequest)?;
    let mut abandoned = Abandoned {
        server,
        session,
        armed: true,
    };
    let moving = async {
        if turn.is_moving {
            sleep(MOVING_WAIT).await;
        } else {
            pending::<()>().await;
        }
    };
    let answer = tokio::select! {
        biased;
        // Dropped without a word: the WebSocket failed while it was probed, and polling goes on.
        end = turn.end => Err(end.unwrap_or(PollEnd::Noop)),
        taken = relay.next() => Ok(taken),
        () = moving => Err(PollEnd::Noop),
    };
    let response = match answer {
        Ok(taken) => Ok(answer::packets(payload(server, session, taken).await)),
        Err(PollEnd::Close) => Ok(answer::packets(Bytes::from_static(b"1"))),
        Err(PollEnd::Noop) => Ok(answer::packets(Bytes::from_static(b"6"))),
        Err(PollEnd::Moved) => Err(Refusal::BadRequest),
    };
    abandoned.armed = false;
    response
}

/// What was taken, and what came right behind it. The end of the session is told once, by a GET of its own: the stock
/// client handles what stands before a close packet in one payload only after the close.
async fn payload<A: Application>(
    server: &EngineServer<A>,
    session: &Arc<Session<A::Session>>,
    taken: RelayFrames,
) -> Bytes {
    let is_closed = taken.closed.is_some();
    let mut frames = taken.frames;
    if let (false, Some(relay)) = (is_closed, session.connection.relay()) {
        // The shard hands frames over one by one; letting it run collects those of one POST or one event.
        tokio::task::yield_now().await;
        frames.append(&mut relay.take().frames);
    }
    // The relay stays closed for the next GET to see.
    if is_closed && frames.is_empty() {
        frames.push(Packet::Close.to_frame());
        server.end(session, PollEnd::Close, CloseCode::Normal);
    }
    encode_payload(&frames)
}

/// A GET of a session that is no more: answered once if the client closed it a moment ago by a POST that came first.
pub(super) fn late<A: Application>(server: &EngineServer<A>, sid: Sid) -> Result<Response, Refusal> {
    if server.table().exhume(sid) {
        Ok(answer::packets(Bytes::from_static(b"6")))
    } else {
        Err(Refusal::SessionUnknown)
    }
}

/// A POST: its packets are handled in order, and what they bring about is queued before it is answered.
pub(super) async fn post<A: Application>(
    server: &EngineServer<A>,
    session: &Arc<Session<A::Session>>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    session
        .begin_post()
        .map_err(|no_turn| refuse(server, session, &no_turn))?;
    let mut abandoned = Abandoned {
        server,
        session,
        armed: true,
    };
    let result = receive(server, session, request).await;
    abandoned.armed = false;
    session.end_post();
    result.map_err(|Broken| {
        server.end(session, PollEnd::Close, CloseCode::ProtocolError);
        Refusal::BadRequest
    })
}

/// A POST that ends the session: no Engine.IO payload, or none that came whole.
struct Broken;

async fn receive<A: Application>(
    server: &EngineServer<A>,
    session: &Arc<Session<A::Session>>,
    request: Request<Body>,
) -> Result<Response, Broken> {
    if is_binary(request.headers()) {
        return Err(Broken);
    }
    let (options, transport) = (server.options(), server.transport());
    let body = read(request.into_body(), options.payload_bytes_max);
    let read = timeout(transport.limits().body_timeout, body)
        .await
        .unwrap_or_else(|_| {
            transport.counters().reached(Limit::BodyTimeout);
            Err(Broken)
        });
    let Some(body) = read? else {
        transport.counters().reached(Limit::MessageBytes);
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let text = std::str::from_utf8(&body).map_err(|_| Broken)?;
    let limits = Limits {
        packets_max: options.payload_packets_max,
    };
    let packets = decode_payload(text, limits).map_err(|error| {
        if error == Error::TooManyPackets {
            transport.counters().reached(Limit::PayloadPackets);
        }
        Broken
    })?;
    session.connection.touch();
    transport.counters().received(body.len(), packets.len());
    if !session.admit(transport.message_rate(), packets.len() as u64) {
        Box::pin(close(session, transport.flooded(session.network()))).await;
        return Ok(answer::accepted());
    }
    // Boxed, because the application's future may be large.
    Box::pin(handle(server, session, packets)).await
}

async fn handle<A: Application>(
    server: &EngineServer<A>,
    session: &Arc<Session<A::Session>>,
    packets: Vec<Packet<'_>>,
) -> Result<Response, Broken> {
    let mut application = session.application.lock().await;
    for packet in packets {
        // A session that ended or moved while this POST was read takes no more.
        let Some(application) = application.as_mut() else {
            return Err(Broken);
        };
        if session.connection.is_closing() {
            break;
        }
        let message = match packet {
            Packet::Text(text) => Incoming::Text(text.into()),
            Packet::Binary(bytes) => Incoming::Binary(bytes),
            Packet::Close => {
                server.end(session, PollEnd::Noop, CloseCode::Normal);
                break;
            }
            Packet::Ping(_) => return Err(Broken),
            Packet::Pong(_) | Packet::Open(_) | Packet::Upgrade | Packet::Noop => continue,
        };
        if let Err(code) = application.receive(message).await {
            application.closing(code).await;
            session.connection.close(code);
            break;
        }
    }
    Ok(answer::accepted())
}

/// Closes a session for what its client did, with the application's last word.
async fn close<P: Protocol>(session: &Session<P>, code: CloseCode) {
    if let Some(application) = session.application.lock().await.as_mut() {
        application.closing(code).await;
    }
    session.connection.close(code);
}

/// The whole body; `None` when it is over the limit.
async fn read(mut body: Body, bytes_max: usize) -> Result<Option<Bytes>, Broken> {
    let mut collected = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Broken)?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= bytes_max {
            collected.extend_from_slice(&data);
        } else if length > bytes_max.saturating_mul(DISCARD_FACTOR) {
            break;
        } else {
            collected = BytesMut::new();
        }
    }
    Ok((length <= bytes_max).then(|| collected.freeze()))
}

fn is_binary(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/octet-stream")
}

fn refuse<A: Application>(
    server: &EngineServer<A>,
    session: &Session<A::Session>,
    no_turn: &NoTurn,
) -> Refusal {
    match no_turn {
        NoTurn::Overlap => {
            server.end(session, PollEnd::Close, CloseCode::ProtocolError);
            Refusal::BadRequest
        }
        NoTurn::Moved => Refusal::BadRequest,
        NoTurn::Ended => Refusal::SessionUnknown,
    }
}
