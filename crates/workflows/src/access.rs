//! The store's answer to who owns what.

use std::sync::Arc;
use std::time::Duration;

use tidings_access::{
    BoxFuture, Ownership, RegistryRule, RoomKind, RoomRule, RoomTarget, Unanswered, UserId,
};
use tidings_store::{ExecutionId, OwnerId, Store, StoreError, WorkflowId};

/// The rule `registry`: executions and workflows are open to those who own them in the store. Its answers hold for so long;
/// `None`: until the gateway is told of another owner.
pub fn registry_rule(store: Store, holds: Option<Duration>) -> Arc<dyn RoomRule> {
    Arc::new(RegistryRule::new(StoreOwnership(store), holds))
}

/// Ownership as it is registered in the store.
pub(crate) struct StoreOwnership(Store);

impl Ownership for StoreOwnership {
    fn owns<'a>(&'a self, user: &'a UserId, room: RoomTarget<'a>) -> BoxFuture<'a, Result<bool, Unanswered>> {
        Box::pin(async move {
            self.registered(user, room).await.map_err(|error| {
                tracing::warn!(%error, "the store did not answer who owns a room");
                Unanswered
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
