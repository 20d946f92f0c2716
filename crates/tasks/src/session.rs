//! One client's connection.

use crate::encoding::welcome;
use crate::identity::VerifiedToken;
use crate::message::Message;
use crate::tasks::Inner;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tidings_access::{TokenStamp, UserId};
use tidings_hub::{Connection, RoomName};
use tidings_transport::{Incoming, LiveToken, Protocol, QuotaGuard};
use tidings_wire::close_code::CloseCode;

/// What a connection keeps, idle or not: handles only.
pub(crate) struct Session {
    gateway: Arc<Inner>,
    connection: Arc<Connection>,
    _place: QuotaGuard<UserId>,
    _token: Option<Box<LiveToken<TokenStamp>>>,
}

// Idle connections are what a server has most of.
const _: () = assert!(size_of::<Session>() <= 48);

impl Session {
    /// Welcomes the user and opens its room: the welcome is the first frame, every event after the join follows it.
    pub(crate) async fn open(
        gateway: Arc<Inner>,
        place: QuotaGuard<UserId>,
        token: Option<VerifiedToken>,
        connection: Arc<Connection>,
    ) -> Result<Session, CloseCode> {
        let token = token
            .map(|token| gateway.enter(token, &connection))
            .transpose()?
            .map(Box::new);
        let user = place.key();
        let room = RoomName::new(&format!("user:{user}"))
            .expect("Invariant: a user id has at most 200 bytes and no control characters");
        let welcome = welcome(user, gateway.now());
        connection
            .join(room, gateway.encodings.event, Some(welcome))
            .await;
        Ok(Session {
            gateway,
            connection,
            _place: place,
            _token: token,
        })
    }
}

impl Protocol for Session {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let message = match &message {
            Incoming::Text(text) => Message::read(text.as_bytes()),
            Incoming::Binary(bytes) => Message::read(bytes),
        };
        match message {
            Message::Ping => {
                self.gateway.counters.pings.fetch_add(1, Relaxed);
                self.connection.send(self.gateway.pong.clone()).await;
            }
            Message::Other => {
                self.gateway.counters.ignored.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }
}
