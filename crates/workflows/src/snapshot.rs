//! The present state of an execution, for who enters its room late.

use tidings_store::{ExecutionId, NodeId, StoreError};
use tidings_wire::websocket::Frame;

use crate::encoding;
use crate::form::Form;
use crate::gateway::Inner;
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
            for node in &nodes {
                let frame = encoding::frame(form, &updates::node(node, now));
                let Some(rest) = room_bytes.checked_sub(frame.as_bytes().len()) else {
                    snapshot.omitted_nodes = self.store.nodes_count(id, after.as_ref()).await?;
                    return Ok(snapshot);
                };
                room_bytes = rest;
                snapshot.frames.push(frame);
                after = Some(node.node_id.clone());
            }
            if nodes.len() < NODES_AT_ONCE as usize {
                return Ok(snapshot);
            }
        }
    }
}
