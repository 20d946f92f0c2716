//! Which of the rooms with members a user may see.

use std::collections::BTreeSet;
use std::time::Duration;

use thiserror::Error;
use tidings_access::{ClaimRule, Claims, RegistryRule, RoomKind, RoomTarget};
use tidings_hub::RoomName;
use tidings_store::{ExecutionId, OwnerId, StoreError, WorkflowId};
use tidings_transport::Limit;

use crate::gateway::Inner;

/// How long somebody waits for his turn to have a list put together.
const PLACE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no list.
#[derive(Debug, Error)]
pub(crate) enum NoList {
    #[error("the user asks for too much")]
    RateLimited,
    #[error("too many lists are asked for")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Inner {
    /// The rooms that the user is in, and those with other members that the registry or the claims would let him into. The
    /// application is not asked about rooms for a list of them (rules `sql` and `http`): these are seen by who is in them.
    pub(crate) async fn visible_rooms(&self, claims: &Claims) -> Result<BTreeSet<RoomName>, NoList> {
        // Each looks at all rooms there are.
        if !self.message_rate.take(&claims.sub) {
            self.transport.counters().reached(Limit::MessagesPerUser);
            return Err(NoList::RateLimited);
        }
        let waiting = tokio::time::timeout(PLACE_TIMEOUT, self.listings.acquire());
        let _place = waiting.await.map_err(|_| NoList::Overloaded)?;
        let mut visible = self.directory.rooms_of(&claims.sub);
        let (by_claim, by_registry) = (
            self.access.has_rule(ClaimRule::NAME) && !claims.rooms.is_empty(),
            self.access.has_rule(RegistryRule::<()>::NAME),
        );
        if !by_claim && !by_registry {
            return Ok(visible);
        }
        for part in self.directory.parts_of_rooms() {
            let mut rest = Vec::new();
            for room in part {
                let target = RoomTarget::parse(room.as_str());
                let Some(target) = target.filter(|target| target.kind != RoomKind::User) else {
                    continue;
                };
                if by_claim && ClaimRule::opens(claims, target) {
                    visible.insert(room);
                } else if by_registry && !visible.contains(&room) {
                    rest.push(room);
                }
            }
            visible.extend(self.registered_to(claims, &rest).await?);
        }
        Ok(visible)
    }

    /// Those of the rooms that the user owns in the store.
    async fn registered_to(&self, claims: &Claims, rooms: &[RoomName]) -> Result<Vec<RoomName>, StoreError> {
        let Ok(owner) = OwnerId::new(claims.sub.as_str()) else {
            return Ok(Vec::new());
        };
        let targets = || rooms.iter().filter_map(|room| RoomTarget::parse(room.as_str()));
        let of = |kind| targets().filter(move |target| target.kind == kind);
        let executions: Vec<_> = of(RoomKind::Execution)
            .filter_map(|target| ExecutionId::new(target.id).ok())
            .collect();
        let workflows: Vec<_> = of(RoomKind::Workflow)
            .filter_map(|target| WorkflowId::new(target.id).ok())
            .collect();
        let mut names = Vec::new();
        if !executions.is_empty() {
            let found = self.store.owned_executions(&owner, &executions).await?;
            names.extend(found.iter().map(|id| format!("execution:{id}")));
        }
        if !workflows.is_empty() {
            let found = self.store.owned_workflows(&owner, &workflows).await?;
            names.extend(found.iter().map(|id| format!("workflow:{id}")));
        }
        Ok(names.iter().filter_map(|name| RoomName::new(name).ok()).collect())
    }
}
