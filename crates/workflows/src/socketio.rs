//! The same rooms for Socket.IO clients: the namespace `/workflows`.
//!
//! The token comes in the payload of CONNECT (`auth: {token}`), or as `Authorization: Bearer` with the handshake. A message is
//! an event named by its type, with its members as the argument (`subscribe`, `{"room_id":…}`), or the event `message` with the
//! whole message, as JSON or as a text of it. What the server says is an event named by its type, and the argument is what
//! other clients get as a message. Who asks for an acknowledgement gets the answer there, too.

use axum::http::{HeaderName, header};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tidings_access::Claims;
use tidings_transport::bearer_token;
use tidings_transport::socketio::{Acknowledge, Application, ConnectRequest, Event, Refusal, SocketHandle};
use tidings_wire::close_code::CloseCode;
use utoipa::ToSchema;

use crate::Workflows;
use crate::form::{Form, NAMESPACE};
use crate::handshake::verify;
use crate::messages::ClientMessage;
use crate::session::Session;

/// The event whose argument is a whole message.
const MESSAGE: &str = "message";

/// What happens on `/workflows`.
#[derive(Debug)]
pub struct Rooms(Workflows);

/// One client on `/workflows`.
pub struct RoomsSocket {
    handle: SocketHandle,
    state: State,
}

enum State {
    /// Its CONNECT is not answered yet.
    Welcome {
        claims: Box<Claims>,
        is_to_be_warned: bool,
    },
    Open(Box<Session>),
    /// It was refused behind the answer.
    Refused,
}

/// The payload of CONNECT. What is of another type is as good as absent.
#[derive(Default)]
struct Auth {
    token: Option<String>,
    is_to_be_warned: bool,
}

/// What programs are told of a refusal.
#[derive(Serialize, ToSchema)]
#[schema(as = RoomsRefusal)]
pub(crate) struct RefusalData {
    /// As in the table of close codes.
    code: &'static str,
}

impl Rooms {
    pub(crate) fn new(workflows: Workflows) -> Rooms {
        Rooms(workflows)
    }
}

impl Application for Rooms {
    type Socket = RoomsSocket;

    fn serves(&self, namespace: &str) -> bool {
        namespace == NAMESPACE
    }

    fn needs_header(&self, name: &HeaderName) -> bool {
        *name == header::AUTHORIZATION
    }

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<RoomsSocket, Refusal> {
        let auth = Auth::of(request.auth);
        let token = auth
            .token
            .or_else(|| bearer_token(request.headers).map(str::to_owned))
            .filter(|token| !token.is_empty());
        let claims = match verify(&self.0, token).await {
            Ok(claims) => claims,
            Err(code) => {
                if code == CloseCode::InternalError {
                    // The same token may do later. With its transport, so that the stock client comes back; after a refusal
                    // alone it would not.
                    request.handle.close(code).await;
                }
                return Err(refusal(code));
            }
        };
        Ok(RoomsSocket {
            handle: request.handle,
            state: State::Welcome {
                claims: Box::new(claims),
                is_to_be_warned: auth.is_to_be_warned,
            },
        })
    }

    async fn connected(&self, socket: &mut RoomsSocket) {
        let State::Welcome {
            claims,
            is_to_be_warned,
        } = std::mem::replace(&mut socket.state, State::Refused)
        else {
            return;
        };
        let (gateway, connection) = (self.0.0.clone(), socket.handle.connection.clone());
        match Session::open(gateway, *claims, is_to_be_warned, connection, Form::SocketIo).await {
            Ok(session) => socket.state = State::Open(Box::new(session)),
            Err(code) => socket.handle.close(code).await,
        }
    }

    async fn event(&self, socket: &mut RoomsSocket, event: Event) -> Result<(), CloseCode> {
        let State::Open(session) = &mut socket.state else {
            return Ok(());
        };
        let acknowledgement = event.ack.map(Acknowledge::id);
        let argument = event.args.first().map(|argument| &**argument);
        if event.name != MESSAGE {
            let message = ClientMessage::of_event(&event.name, argument);
            return session.take(message, acknowledgement).await;
        }
        // A text holds the message as other clients send it.
        let sent = argument.map_or("", RawValue::get);
        let text: Option<String> = serde_json::from_str(sent).ok();
        let message = ClientMessage::parse(text.as_deref().unwrap_or(sent));
        session.take(message, acknowledgement).await
    }

    async fn disconnected(&self, socket: RoomsSocket) {
        if let State::Open(session) = socket.state {
            session.leave().await;
        }
    }
}

impl Auth {
    fn of(payload: Option<&RawValue>) -> Auth {
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(borrow, default)]
            token: Option<&'a RawValue>,
            #[serde(borrow, default)]
            warn: Option<&'a RawValue>,
        }
        let payload: Option<Payload<'_>> =
            payload.and_then(|payload| serde_json::from_str(payload.get()).ok());
        payload.map_or_else(Auth::default, |Payload { token, warn }| Auth {
            token: token.and_then(|token| serde_json::from_str(token.get()).ok()),
            is_to_be_warned: warn.is_some_and(|warn| matches!(warn.get(), "1" | "true" | "\"1\"")),
        })
    }
}

/// By the codes of the table of close codes.
pub(crate) fn refusal(code: CloseCode) -> Refusal {
    Refusal {
        message: format!("authentication failed: {}", code.reason()),
        data: to_raw_value(&RefusalData { code: code.reason() }).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_itself() {
        let told = |payload: &str| {
            let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
            let Auth {
                token,
                is_to_be_warned,
            } = Auth::of(Some(&payload));
            (token, is_to_be_warned)
        };
        let token = Some("a".to_owned());
        assert_eq!(told(r#"{"token":"a"}"#), (token.clone(), false));
        assert_eq!(
            told(r#"{"token":"\u0061","warn":true,"more":[]}"#),
            (token.clone(), true)
        );
        assert_eq!(told(r#"{"token":"a","warn":1}"#), (token.clone(), true));
        assert_eq!(told(r#"{"token":"a","warn":"1"}"#), (token.clone(), true));
        assert_eq!(told(r#"{"token":"a","warn":0}"#), (token, false));
        assert_eq!(told(r#"{"token":7}"#), (None, false));
        assert_eq!(told("{}"), (None, false));
        assert_eq!(Auth::of(None).token, None);
    }
}
