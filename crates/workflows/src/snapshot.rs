//! The present state of an execution, for who enters its room late.

use tidings_access::{Decision, RoomKind, RoomTarget};
use tidings_hub::RoomName;
use tidings_store::{ExecutionId, NodeId, StoreError};
use tidings_wire::websocket::Frame;

use crate::encoding;
use crate::form::Form;
use crate::gateway::Inner;
use crate::member::Member;
use crate::updates;

/// Nodes read from the store at one time.
const NODES_AT_ONCE: u32 = 500;

/// An execution as its updates would have told it.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// One `execution_update`, then one `node_update` for each node, by their ids.
    pub(crate) frames: Vec<Frame>,
    /// Nodes that did not fit.
    pub(crate) omitted_nodes: u64,
}

impl Inner {
    /// The execution that a member is to be shown when it enters the room: none if it may not enter, so that nobody else makes
    /// those wait who report on it.
    pub(crate) async fn execution_to_show(&self, member: &Member, room: &RoomName) -> Option<ExecutionId> {
        let target = RoomTarget::parse(room.as_str()).filter(|target| target.kind == RoomKind::Execution)?;
        let id = ExecutionId::new(target.id).ok()?;
        match self.access.decide(&member.claims(), room.as_str()).await {
            Decision::Allowed(_) => Some(id),
            Decision::Denied { .. } => None,
        }
    }

    /// How an execution stands. Nothing if the store does not know it. The caller holds the execution's turn until the frames
    /// are on their way: what is reported before is in them, what is reported later comes behind.
    pub(crate) async fn snapshot(&self, id: &ExecutionId, form: Form) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::default();
        let Some(execution) = self.store.execution(id).await? else {
            return Ok(snapshot);
        };
        let now = self.now();
        let mut room_bytes = self.limits.snapshot_bytes_max;
        let mut after: Option<NodeId> = None;
        snapshot
            .frames
            .push(encoding::frame(form, &updates::execution(&execution, now)));
        loop {
            let nodes = self.store.nodes(id, after.as_ref(), NODES_AT_ONCE).await?;
            let is_last = nodes.len() < NODES_AT_ONCE as usize;
            for node in &nodes {
                let frame = encoding::frame(form, &updates::node(node, now));
                match room_bytes.checked_sub(frame.as_bytes().len()) {
                    Some(rest) if snapshot.omitted_nodes == 0 => {
                        room_bytes = rest;
                        snapshot.frames.push(frame);
                    }
                    _ => snapshot.omitted_nodes += 1,
                }
            }
            match nodes.last() {
                Some(last) if !is_last => after = Some(last.node_id.clone()),
                _ => return Ok(snapshot),
            }
        }
    }
}
