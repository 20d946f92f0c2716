//! One connection's conversation.

use std::sync::Arc;

use tidings_access::{Claims, TokenStamp};
use tidings_hub::{Connection, RoomName};
use tidings_transport::{Incoming, Limit, LiveToken, Protocol};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

use crate::frames::{self, RoomText};
use crate::gateway::Inner;
use crate::member::Member;
use crate::messages::{AskedRoom, ClientMessage};

/// What the gateway keeps for one connection.
pub(crate) struct Session {
    gateway: Arc<Inner>,
    member: Arc<Member>,
    _token: LiveToken<TokenStamp>,
}

/// Why a connection does not get into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// The user may not enter, or there is no such room.
    Denied,
    /// The connection is in as many rooms as it may be.
    TooManyRooms,
}

impl Session {
    /// Greets the connection and puts it into its user's room.
    pub(crate) async fn open(
        gateway: Arc<Inner>,
        claims: Claims,
        connection: Arc<Connection>,
    ) -> Result<Session, CloseCode> {
        let token = gateway.enter(&claims, &connection)?;
        let member = Arc::new(Member::new(claims, connection.clone()));
        let counters = gateway.transport.counters();
        gateway.directory.enter(&member).map_err(|_| {
            counters.reached(Limit::ConnectionsPerUser);
            CloseCode::RateLimited
        })?;
        let room = member.own_room();
        gateway.directory.join(&member, &room);
        let now = gateway.now();
        let opening = Frame::concat([
            frames::connected(connection.id(), now),
            frames::subscribed(RoomText::Name(room.as_str()), now),
        ]);
        let encoding = gateway.encodings.json;
        // From here on dropping the session undoes all of it.
        let session = Session {
            gateway,
            member,
            _token: token,
        };
        connection.join(room, encoding, Some(opening)).await;
        Ok(session)
    }

    async fn handle(&self, text: Option<&str>) {
        let connection = &self.member.connection;
        match text.map(ClientMessage::parse) {
            Some(Ok(ClientMessage::Ping)) => connection.send(frames::pong(self.gateway.now())).await,
            Some(Ok(ClientMessage::Subscribe(Some(room)))) => Box::pin(self.subscribe(room)).await,
            Some(Ok(ClientMessage::Unsubscribe(Some(room)))) => Box::pin(self.unsubscribe(room)).await,
            Some(Ok(ClientMessage::Subscribe(None) | ClientMessage::Unsubscribe(None))) => {
                connection.send(frames::missing_room_id()).await;
            }
            Some(Ok(ClientMessage::Unknown(kind))) => connection.send(frames::unknown_type(&kind)).await,
            Some(Err(_)) | None => connection.send(frames::invalid_json()).await,
        }
    }

    async fn subscribe(&self, asked: AskedRoom<'_>) {
        let Session { gateway, member, .. } = self;
        let sent = RoomText::Sent(asked.sent);
        let Some(room) = asked.name else {
            member.connection.send(frames::access_denied(sent)).await;
            return;
        };
        let _turn = member.turn().await;
        match self.admit(&room).await {
            Ok(()) => self.join(room, sent).await,
            Err(NoEntry::TooManyRooms) => member.connection.send(frames::too_many_rooms(sent)).await,
            Err(NoEntry::Denied) => {
                let denial = frames::access_denied(sent);
                if gateway.directory.part(member, &room) {
                    member.connection.leave(room, Some(denial)).await;
                } else {
                    member.connection.send(denial).await;
                }
            }
        }
    }

    /// Enters a room that the opening request names.
    pub(crate) async fn enter(&self, room: RoomName) -> Result<(), NoEntry> {
        let _turn = self.member.turn().await;
        self.admit(&room).await?;
        let name = room.clone();
        self.join(room, RoomText::Name(name.as_str())).await;
        Ok(())
    }

    /// Decides about a room and notes the membership. The caller holds the member's turn until the hub has been told.
    async fn admit(&self, room: &RoomName) -> Result<(), NoEntry> {
        let Session { gateway, member, .. } = self;
        let (is_in, rooms) = member.standing(room);
        if !is_in && rooms >= gateway.limits.rooms_per_connection_max {
            gateway.transport.counters().reached(Limit::RoomsPerConnection);
            return Err(NoEntry::TooManyRooms);
        }
        if !gateway.access.may_enter(&member.claims, room.as_str()).await {
            return Err(NoEntry::Denied);
        }
        gateway.directory.join(member, room);
        Ok(())
    }

    async fn join(&self, room: RoomName, named: RoomText<'_>) {
        let confirmation = frames::subscribed(named, self.gateway.now());
        let encoding = self.gateway.encodings.json;
        self.member
            .connection
            .join(room, encoding, Some(confirmation))
            .await;
    }

    async fn unsubscribe(&self, asked: AskedRoom<'_>) {
        let Session { gateway, member, .. } = self;
        let _turn = member.turn().await;
        let confirmation = frames::unsubscribed(RoomText::Sent(asked.sent), gateway.now());
        match asked.name {
            Some(room) if gateway.directory.part(member, &room) => {
                member.connection.leave(room, Some(confirmation)).await;
            }
            _ => member.connection.send(confirmation).await,
        }
    }
}

impl Protocol for Session {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        // Clients that send JSON as binary messages mean the same by it.
        match &message {
            Incoming::Text(text) => self.handle(Some(text)).await,
            Incoming::Binary(bytes) => self.handle(std::str::from_utf8(bytes).ok()).await,
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.gateway.directory.leave(&self.member);
    }
}
