//! The connections there are, by key, so that a key that is good no longer takes its connections with it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_hub::{Connection, ConnectionId};
use tidings_store::{Clock, KeyId, Store, TenantId};
use tidings_transport::QuotaGuard;
use tidings_transport::socketio::SocketHandle;
use tidings_wire::close_code::CloseCode;

/// A live connection, as it is told to leave.
#[derive(Clone, Debug)]
pub(crate) enum LiveHandle {
    Socket(SocketHandle),
    Plain(Arc<Connection>),
}

/// The live connections of this gateway.
#[derive(Default)]
pub(crate) struct LiveConnections(Mutex<HashMap<KeyId, HashMap<ConnectionId, LiveHandle>>>);

/// Keeps a connection in the books; dropped with the connection.
pub(crate) struct LiveConnection {
    all: Arc<LiveConnections>,
    key: KeyId,
    id: ConnectionId,
    _place: QuotaGuard<TenantId>,
}

impl LiveConnections {
    /// `place` is the connection's among its tenant's.
    pub(crate) fn enter(
        self: &Arc<Self>,
        key: KeyId,
        handle: LiveHandle,
        place: QuotaGuard<TenantId>,
    ) -> LiveConnection {
        let id = handle.connection().id();
        self.0.lock().entry(key).or_default().insert(id, handle);
        LiveConnection {
            all: self.clone(),
            key,
            id,
            _place: place,
        }
    }

    /// Looks all keys up at once and ends the connections of those that are good no longer. Whether the store answered.
    pub(crate) async fn end_refused(&self, store: &Store, clock: &Clock) -> bool {
        let keys: Vec<KeyId> = self.0.lock().keys().copied().collect();
        match store.refused_keys(&keys, clock.now()).await {
            Ok(refused) => {
                for key in refused {
                    self.end(key).await;
                }
                true
            }
            // Nobody is cut because the store is away; commands fail by themselves meanwhile.
            Err(error) => {
                tracing::warn!(%error, "live keys could not be checked");
                false
            }
        }
    }

    async fn end(&self, key: KeyId) {
        let handles: Vec<LiveHandle> = self
            .0
            .lock()
            .get(&key)
            .into_iter()
            .flat_map(HashMap::values)
            .cloned()
            .collect();
        for handle in handles {
            if handle.connection().is_closing() {
                continue;
            }
            match handle {
                LiveHandle::Socket(socket) => socket.close(CloseCode::Forbidden).await,
                LiveHandle::Plain(connection) => connection.close(CloseCode::Forbidden),
            }
        }
    }
}

impl LiveHandle {
    fn connection(&self) -> &Arc<Connection> {
        match self {
            LiveHandle::Socket(socket) => &socket.connection,
            LiveHandle::Plain(connection) => connection,
        }
    }
}

impl Drop for LiveConnection {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        if let Some(connections) = all.get_mut(&self.key) {
            connections.remove(&self.id);
            if connections.is_empty() {
                all.remove(&self.key);
            }
        }
    }
}
