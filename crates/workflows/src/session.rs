//! One connection's conversation.

use std::sync::Arc;

use tidings_access::{Admission, Claims, Decision, OWN_ROOM, RoomKind, RoomTarget, TokenStamp};
use tidings_hub::{Connection, RoomName};
use tidings_store::ExecutionId;
use tidings_transport::{Deadline, Incoming, Limit, LiveToken, Protocol};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::time::Instant;

use crate::form::Form;
use crate::frames::{Frames, RoomText};
use crate::gateway::Inner;
use crate::member::{Member, Membership};
use crate::messages::{AskedRoom, ClientMessage, NotJson};
use crate::pace::{Excess, Pace};
use crate::snapshot::Snapshot;
use crate::warnings;

/// What the gateway keeps for one connection.
pub(crate) struct Session {
    gateway: Arc<Inner>,
    member: Arc<Member>,
    token: LiveToken<(TokenStamp, Form)>,
    /// When it is warned of its token's expiry, if it asked for that; perhaps long ago.
    warning: Option<Deadline>,
    /// What it was told of sending too fast.
    pace: Option<Box<Pace>>,
}

/// How often the turns of a member and an execution are tried for without one being held for the other.
const TURN_TRIES_MAX: u32 = 16;

/// Why a connection does not get into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// The user may not enter, or there is no such room.
    Denied,
    /// The connection is in as many rooms as it may be.
    TooManyRooms,
    /// The user's connections are in as many rooms as they may be together.
    TooManyRoomsOfUser,
}

impl Session {
    /// Greets the connection and puts it into its user's room.
    pub(crate) async fn open(
        gateway: Arc<Inner>,
        claims: Claims,
        is_to_be_warned: bool,
        connection: Arc<Connection>,
        form: Form,
    ) -> Result<Session, CloseCode> {
        let token = gateway.enter(&claims, &connection, form)?;
        let expiry_s = claims.exp.filter(|_| is_to_be_warned);
        let member = Arc::new(Member::new(claims, connection.clone(), form));
        let counters = gateway.transport.counters();
        gateway.directory.enter(&member).map_err(|_| {
            counters.reached(Limit::ConnectionsPerUser);
            CloseCode::RateLimited
        })?;
        let encoding = gateway.encodings.of(form);
        // From here on dropping the session undoes all of it.
        let mut session = Session {
            gateway,
            member,
            token,
            warning: None,
            pace: None,
        };
        let Session { gateway, member, .. } = &session;
        let room = member.own_room();
        let own = Admission {
            rule: OWN_ROOM,
            holds: None,
        };
        // One's own room does not count.
        let _ = gateway.directory.join(member, &room, own);
        let (now, frames) = (gateway.now(), member.frames());
        let opening = Frame::concat([
            frames.connected(connection.id(), now),
            frames.subscribed(RoomText::Name(room.as_str()), now),
        ]);
        connection.join(room, encoding, Some(opening)).await;
        // Behind the greeting, because it may be due at once.
        let warning = expiry_s.map(|expiry_s| gateway.warnings.enter(expiry_s, member));
        session.warning = warning;
        Ok(session)
    }

    /// Takes a message of the client, who may have asked for an acknowledgement with this id.
    pub(crate) async fn take(
        &mut self,
        message: Result<ClientMessage<'_>, NotJson>,
        acknowledgement: Option<u64>,
    ) -> Result<(), CloseCode> {
        let frames = self.member.frames().acknowledging(acknowledgement);
        if !self.gateway.message_rate.take(&self.member.user) {
            return Box::pin(self.exceed(frames)).await;
        }
        let answer = match message {
            Ok(ClientMessage::Ping) => frames.pong(self.gateway.now()),
            Ok(ClientMessage::Subscribe(Some(room), with_state)) => {
                Box::pin(self.subscribe(room, with_state, frames)).await;
                return Ok(());
            }
            Ok(ClientMessage::Unsubscribe(Some(room))) => {
                Box::pin(self.unsubscribe(room, frames)).await;
                return Ok(());
            }
            Ok(ClientMessage::Refresh(token)) => {
                return Box::pin(self.refresh(token.as_deref(), frames)).await;
            }
            Ok(ClientMessage::Subscribe(None, _) | ClientMessage::Unsubscribe(None)) => {
                frames.missing_room_id()
            }
            Ok(ClientMessage::Unknown(kind)) => frames.unknown_type(&kind),
            Err(NotJson) => frames.invalid_json(),
        };
        self.member.connection.send(answer).await;
        Ok(())
    }

    /// Leaves every room, of a connection that lives on without this session.
    pub(crate) async fn leave(self) {
        let _turn = self.member.turn().await;
        for membership in self.member.memberships() {
            self.member.connection.leave(membership.room, None).await;
        }
    }

    /// Rests the connection on another token of the same user. What is wrong with one that is refused is not told; the
    /// connection goes on with the one that it has.
    async fn refresh(&mut self, token: Option<&str>, frames: Frames) -> Result<(), CloseCode> {
        let (gateway, member) = (self.gateway.clone(), self.member.clone());
        let verified = match token {
            Some(token) => gateway.verify_user(token).await.ok(),
            None => None,
        };
        let Some(claims) = verified.filter(|claims| claims.sub == member.user) else {
            member.connection.send(frames.invalid_token()).await;
            return Ok(());
        };
        let _turn = member.turn().await;
        let revocations = gateway.authenticator.revocations();
        let stamp = revocations.stamp(&claims);
        if !self.token.renew(claims.exp, (stamp.clone(), member.form)) {
            // The old one has ended the connection.
            return Ok(());
        }
        // It may have been revoked since it was verified, and been looked for before it was in the book.
        if revocations.has(&stamp) {
            return Err(CloseCode::Forbidden);
        }
        let expiry_s = claims.exp.unwrap_or(i64::MAX);
        member.renew(claims);
        let confirmation = frames.refreshed(warnings::expiry(expiry_s));
        member.connection.send(confirmation).await;
        if let Some(warning) = self.warning.take() {
            gateway.warnings.forget(warning);
            self.warning = Some(gateway.warnings.enter(expiry_s, &member));
        }
        let rests_on_claims = |membership: &Membership| gateway.access.reads_claims(membership.rule);
        gateway.recheck_in_turn(&member, rests_on_claims).await;
        Ok(())
    }

    /// What becomes of a message that is one too many of its user's.
    async fn exceed(&mut self, frames: Frames) -> Result<(), CloseCode> {
        self.gateway.transport.counters().reached(Limit::MessagesPerUser);
        match Pace::exceeded(&mut self.pace, Instant::now()) {
            Excess::Told => {
                self.member.connection.send(frames.rate_limited()).await;
                Ok(())
            }
            Excess::Closed => Err(CloseCode::RateLimited),
        }
    }

    async fn subscribe(&self, asked: AskedRoom<'_>, with_state: bool, frames: Frames) {
        let Session { member, .. } = self;
        let sent = RoomText::Sent(asked.sent);
        let Some(room) = asked.name else {
            member.connection.send(frames.access_denied(sent)).await;
            return;
        };
        if let Some(id) = execution_of(&room).filter(|_| with_state) {
            return self.subscribe_to_execution(room, id, sent, frames).await;
        }
        let _turn = member.turn().await;
        match self.admit(&room).await {
            Ok(admission) if with_state => self.join_shown(room, admission, sent, None, frames).await,
            Ok(admission) => self.join(room, admission, sent, frames).await,
            Err(no_entry) => self.turn_away(room, sent, no_entry, frames).await,
        }
    }

    /// Enters an execution's room with its state, for which the turns of both are needed.
    ///
    /// While rules are asked, and while somebody else has the member's turn, the execution's is left to those who report on it: it
    /// is waited for without the member's, and the other way round.
    async fn subscribe_to_execution(
        &self,
        room: RoomName,
        id: ExecutionId,
        sent: RoomText<'_>,
        frames: Frames,
    ) {
        let Session { gateway, member, .. } = self;
        let mut tries = 0;
        loop {
            tries += 1;
            let turn = member.turn().await;
            let admission = match self.admit(&room).await {
                Ok(admission) => admission,
                Err(no_entry) => return self.turn_away(room, sent, no_entry, frames).await,
            };
            if let Some(_execution_turn) = gateway.execution_turns.try_of(&id) {
                return self.join_shown(room, admission, sent, Some(id), frames).await;
            }
            let rechecks = member.rechecks();
            drop(turn);
            let _execution_turn = gateway.execution_turns.of(&id).await;
            let turn = if tries < TURN_TRIES_MAX {
                member.try_turn()
            } else {
                Some(member.turn().await)
            };
            if turn.is_some() && member.rechecks() == rechecks {
                return self.join_shown(room, admission, sent, Some(id), frames).await;
            }
            if turn.is_some() && tries >= TURN_TRIES_MAX {
                return match self.admit(&room).await {
                    Ok(admission) => self.join_shown(room, admission, sent, Some(id), frames).await,
                    Err(no_entry) => self.turn_away(room, sent, no_entry, frames).await,
                };
            }
        }
    }

    /// Tells why not. Who may not enter is also taken out, should he be in.
    async fn turn_away(&self, room: RoomName, sent: RoomText<'_>, no_entry: NoEntry, frames: Frames) {
        let Session { gateway, member, .. } = self;
        if no_entry != NoEntry::Denied {
            member.connection.send(frames.too_many_rooms(sent)).await;
            return;
        }
        let denial = frames.access_denied(sent);
        if gateway.directory.part(member, &room) {
            member.connection.leave(room, Some(denial)).await;
        } else {
            member.connection.send(denial).await;
        }
    }

    /// Enters a room that the opening request names.
    pub(crate) async fn enter(&self, room: RoomName) -> Result<(), NoEntry> {
        let Session { gateway, member, .. } = self;
        let _turn = member.turn().await;
        let admission = self.admit(&room).await?;
        gateway
            .directory
            .join(member, &room, admission)
            .map_err(|_| self.too_many_rooms_of_user())?;
        let confirmation = member
            .frames()
            .subscribed(RoomText::Name(room.as_str()), gateway.now());
        let encoding = gateway.encodings.of(member.form);
        member.connection.join(room, encoding, Some(confirmation)).await;
        Ok(())
    }

    /// Decides about a room. The caller holds the member's turn until the membership is noted and the hub has been told.
    async fn admit(&self, room: &RoomName) -> Result<Admission, NoEntry> {
        let Session { gateway, member, .. } = self;
        let (is_in, rooms) = member.standing(room);
        if !is_in && rooms >= gateway.limits.rooms_per_connection_max {
            gateway.transport.counters().reached(Limit::RoomsPerConnection);
            return Err(NoEntry::TooManyRooms);
        }
        // Asked before the rules are, so that the answer does not tell what they would have said.
        if !is_in && gateway.directory.is_full(&member.user) && *room != member.own_room() {
            return Err(self.too_many_rooms_of_user());
        }
        match gateway.access.decide(&member.claims(), room.as_str()).await {
            Decision::Allowed(admission) => Ok(admission),
            Decision::Denied { .. } => Err(NoEntry::Denied),
        }
    }

    fn too_many_rooms_of_user(&self) -> NoEntry {
        self.gateway.transport.counters().reached(Limit::RoomsPerUser);
        NoEntry::TooManyRoomsOfUser
    }

    async fn join(&self, room: RoomName, admission: Admission, named: RoomText<'_>, frames: Frames) {
        let Session { gateway, member, .. } = self;
        if gateway.directory.join(member, &room, admission).is_err() {
            let no_entry = self.too_many_rooms_of_user();
            return self.turn_away(room, named, no_entry, frames).await;
        }
        let confirmation = frames.subscribed(named, gateway.now());
        let encoding = gateway.encodings.of(member.form);
        member.connection.join(room, encoding, Some(confirmation)).await;
    }

    /// Joins, in the turns of both, with the confirmation, the execution's state, and a second confirmation behind which live updates follow: in one
    /// piece, at the point of the room's order where it is the state.
    async fn join_shown(
        &self,
        room: RoomName,
        admission: Admission,
        named: RoomText<'_>,
        execution: Option<ExecutionId>,
        frames: Frames,
    ) {
        let Session { gateway, member, .. } = self;
        if gateway.directory.join(member, &room, admission).is_err() {
            let no_entry = self.too_many_rooms_of_user();
            return self.turn_away(room, named, no_entry, frames).await;
        }
        let taken = match &execution {
            Some(id) => gateway.snapshot(id, member.form).await,
            None => Ok(Snapshot::default()),
        };
        let now = gateway.now();
        let mut shown = vec![frames.unacknowledged().subscribed(named, now)];
        match taken {
            Ok(Snapshot {
                frames: state,
                omitted_nodes,
            }) => {
                shown.extend(state);
                shown.push(frames.snapshot_taken(named, omitted_nodes, now));
            }
            Err(error) => {
                tracing::warn!(%error, "an execution's state was not shown because the store did not answer");
                shown.push(frames.no_snapshot(named));
            }
        }
        let encoding = gateway.encodings.of(member.form);
        member
            .connection
            .join(room, encoding, Some(Frame::concat(shown)))
            .await;
        // The room's next event must find the member there.
        member.connection.settled().await;
    }

    async fn unsubscribe(&self, asked: AskedRoom<'_>, frames: Frames) {
        let Session { gateway, member, .. } = self;
        let _turn = member.turn().await;
        let confirmation = frames.unsubscribed(RoomText::Sent(asked.sent), gateway.now());
        match asked.name {
            Some(room) if gateway.directory.part(member, &room) => {
                member.connection.leave(room, Some(confirmation)).await;
            }
            _ => member.connection.send(confirmation).await,
        }
    }
}

/// The execution whose room it is.
fn execution_of(room: &RoomName) -> Option<ExecutionId> {
    let target = RoomTarget::parse(room.as_str()).filter(|target| target.kind == RoomKind::Execution)?;
    ExecutionId::new(target.id).ok()
}

impl Protocol for Session {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        // Clients that send JSON as binary messages mean the same by it.
        let text = match &message {
            Incoming::Text(text) => Some(&**text),
            Incoming::Binary(bytes) => std::str::from_utf8(bytes).ok(),
        };
        self.take(text.map_or(Err(NotJson), ClientMessage::parse), None)
            .await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(warning) = self.warning {
            self.gateway.warnings.forget(warning);
        }
        self.gateway.directory.leave(&self.member);
    }
}
