//! One session while it polls: who waits for what, and how it ends or moves to a WebSocket.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tidings_hub::Connection;
use tokio::sync::oneshot;

use super::sid::Sid;
use super::table::Table;
use crate::QuotaGuard;
use crate::message_rate::{Allowance, MessageRate};

/// A session that polls, or moves from polling to a WebSocket.
pub(super) struct Session<P> {
    pub(super) sid: Sid,
    pub(super) connection: Arc<Connection>,
    pub(super) opened: Instant,
    /// The application's side. Held for a whole POST, so that packets are handled in their order.
    pub(super) application: tokio::sync::Mutex<Option<P>>,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// The GET that waits. One that was answered or given up has closed its end.
    poll: Option<oneshot::Sender<PollEnd>>,
    posting: bool,
    allowance: Allowance,
    closing_since: Option<Instant>,
    place: Option<QuotaGuard<IpAddr>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Polling,
    /// A WebSocket has come and not yet probed.
    Claimed,
    /// The WebSocket has probed: the client is about to move.
    Probed,
    Moved,
    Ended,
}

/// Why a waiting GET is answered although no frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollEnd {
    /// The server closes the session: packet `1`.
    Close,
    /// The client closes, or moves: packet `6`.
    Noop,
    /// The session has moved to its WebSocket: refused.
    Moved,
}

/// A GET's turn.
pub(super) struct Poll {
    pub(super) end: oneshot::Receiver<PollEnd>,
    /// The session is about to move: wait only a little.
    pub(super) is_moving: bool,
}

/// Why a GET or POST has no turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// Another one is under way: the session ends.
    Overlap,
    /// It has moved to its WebSocket.
    Moved,
    /// It has ended.
    Ended,
}

/// What goes over to the WebSocket when a session moves.
pub(super) struct Moved<P> {
    /// `None`: the hub is closing the session, and the application's side is gone already.
    pub(super) application: Option<P>,
    pub(super) place: Option<QuotaGuard<IpAddr>>,
}

impl<P> Session<P> {
    pub(super) fn new(
        sid: Sid,
        connection: Arc<Connection>,
        application: P,
        place: Option<QuotaGuard<IpAddr>>,
        allowance: Allowance,
    ) -> Self {
        let state = State {
            stage: Stage::Polling,
            poll: None,
            posting: false,
            allowance,
            closing_since: None,
            place,
        };
        Self {
            sid,
            connection,
            opened: Instant::now(),
            application: tokio::sync::Mutex::new(Some(application)),
            state: Mutex::new(state),
        }
    }

    /// Begins a GET.
    pub(super) fn begin_poll(&self) -> Result<Poll, NoTurn> {
        let mut state = self.state.lock();
        state.check_polls()?;
        if state.poll.as_ref().is_some_and(|poll| !poll.is_closed()) {
            return Err(NoTurn::Overlap);
        }
        let (poll, end) = oneshot::channel();
        state.poll = Some(poll);
        Ok(Poll {
            end,
            is_moving: state.stage == Stage::Probed,
        })
    }

    /// Begins a POST; [`Self::end_post`] ends it.
    pub(super) fn begin_post(&self) -> Result<(), NoTurn> {
        let mut state = self.state.lock();
        state.check_polls()?;
        if std::mem::replace(&mut state.posting, true) {
            return Err(NoTurn::Overlap);
        }
        Ok(())
    }

    pub(super) fn end_post(&self) {
        self.state.lock().posting = false;
    }

    /// Whether the client may send so many messages now.
    pub(super) fn admit(&self, rate: &MessageRate, messages: u64) -> bool {
        rate.admit(&mut self.state.lock().allowance, messages)
    }

    /// What its client's quotas count by, if it is known.
    pub(super) fn network(&self) -> Option<IpAddr> {
        self.state.lock().place.as_ref().map(|place| *place.key())
    }

    /// A WebSocket wants the session. There is one at a time.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claim<P>> {
        let mut state = self.state.lock();
        if state.stage != Stage::Polling {
            return None;
        }
        state.stage = Stage::Claimed;
        Some(Claim(self.clone()))
    }

    /// Ends the session, once. Returns the GET that waits; the outer `None` says that it had ended or moved before.
    #[expect(
        clippy::option_option,
        reason = "whether it ended now, and whether a GET waited"
    )]
    pub(super) fn finish(&self) -> Option<Option<oneshot::Sender<PollEnd>>> {
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Ended | Stage::Moved) {
            return None;
        }
        state.stage = Stage::Ended;
        let place = state.place.take();
        let poll = state.poll.take().filter(|poll| !poll.is_closed());
        drop(state);
        drop(place);
        Some(poll)
    }

    /// Lets go of the application's side, unless a POST is just using it; then it goes with the session.
    pub(super) fn discard(&self) {
        if let Ok(mut application) = self.application.try_lock() {
            *application = None;
        }
    }

    /// How long it has been known that the hub closes this session.
    pub(super) fn closing_for(&self) -> Duration {
        self.state
            .lock()
            .closing_since
            .get_or_insert_with(Instant::now)
            .elapsed()
    }
}

impl State {
    fn check_polls(&self) -> Result<(), NoTurn> {
        match self.stage {
            Stage::Polling | Stage::Claimed | Stage::Probed => Ok(()),
            Stage::Moved => Err(NoTurn::Moved),
            Stage::Ended => Err(NoTurn::Ended),
        }
    }
}

/// A WebSocket's hold on a session it wants to move to. Dropped before the move, the session polls on.
pub(super) struct Claim<P>(Arc<Session<P>>);

impl<P> Claim<P> {
    pub(super) fn session(&self) -> &Session<P> {
        &self.0
    }

    /// The WebSocket has probed. Returns the GET that waited before: it is to be ended once the probe is answered, so
    /// that the client can stop polling.
    pub(super) fn probed(&self) -> Option<oneshot::Sender<PollEnd>> {
        let mut state = self.0.state.lock();
        if state.stage == Stage::Claimed {
            state.stage = Stage::Probed;
        }
        state.poll.take()
    }

    /// Completes the move. `None`: the session ended meanwhile.
    pub(super) async fn complete(self, table: &Table<P>) -> Option<Moved<P>> {
        let (poll, place) = {
            let mut state = self.0.state.lock();
            if state.stage != Stage::Probed {
                return None;
            }
            state.stage = Stage::Moved;
            // Under the lock: whoever ends the session next must find it here.
            table.insert_websocket(self.0.sid);
            (state.poll.take(), state.place.take())
        };
        if let Some(poll) = poll {
            // A GET that is no longer there needs no answer.
            let _ = poll.send(PollEnd::Moved);
        }
        // A POST that came before the move is finished first.
        let application = self.0.application.lock().await.take();
        Some(Moved { application, place })
    }
}

impl<P> Drop for Claim<P> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if matches!(state.stage, Stage::Claimed | Stage::Probed) {
            state.stage = Stage::Polling;
        }
    }
}
