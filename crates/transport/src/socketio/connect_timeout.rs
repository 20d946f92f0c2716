//! Clients that open a session and enter no namespace.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tidings_hub::Connection;
use tidings_wire::close_code::CloseCode;
use tokio::task::AbortHandle;

use crate::Transport;
use crate::counters::Limit;

/// Closes a connection after a while, unless it is dropped before.
pub(super) struct ConnectTimeout(AbortHandle);

impl ConnectTimeout {
    pub(super) fn start(connection: &Arc<Connection>, after: Duration, transport: Transport) -> Self {
        // Weak, because a reference would keep the descriptor of a connection that is gone.
        let connection = Arc::downgrade(connection);
        Self(tokio::spawn(close_after(connection, after, transport)).abort_handle())
    }
}

impl Drop for ConnectTimeout {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn close_after(connection: Weak<Connection>, after: Duration, transport: Transport) {
    tokio::time::sleep(after).await;
    if let Some(connection) = connection.upgrade() {
        transport.counters().reached(Limit::ConnectTimeout);
        connection.close(CloseCode::ProtocolError);
    }
}
