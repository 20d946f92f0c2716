//! The store's answer to who owns what.

use tidings_access::{BoxFuture, Ownership, RoomKind, RoomTarget, UserId};
use tidings_store::{ExecutionId, OwnerId, Store, StoreError, WorkflowId};

/// Ownership as it is registered in the store.
pub(crate) struct StoreOwnership(pub(crate) Store);

impl Ownership for StoreOwnership {
    fn owns<'a>(&'a self, user: &'a UserId, room: RoomTarget<'a>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            self.registered(user, room).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "access to a room is denied because the store did not answer");
                false
            })
        })
    }
}

impl StoreOwnership {
    /// Asks for the room among the user's own: a foreign room and none at all are the same empty answer to the same
    /// question. Ids that the store cannot hold are nobody's.
    async fn registered(&self, user: &UserId, room: RoomTarget<'_>) -> Result<bool, StoreError> {
        let Ok(owner) = OwnerId::new(user.as_str()) else {
            return Ok(false);
        };
        match room.kind {
            RoomKind::Execution => match ExecutionId::new(room.id) {
                Ok(id) => Ok(!self.0.owned_executions(&owner, &[id]).await?.is_empty()),
                Err(_) => Ok(false),
            },
            RoomKind::Workflow => match WorkflowId::new(room.id) {
                Ok(id) => Ok(!self.0.owned_workflows(&owner, &[id]).await?.is_empty()),
                Err(_) => Ok(false),
            },
            RoomKind::User => Ok(false),
        }
    }
}
