//! The events of this gateway: what is told about workflows, executions and nodes, and to which room.

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use tidings_access::UserId;
use tidings_hub::{Event, EventId, Gateway, Gateways, RoomName};
use tidings_store::{Execution, ExecutionStatus, Node, NodeStatus, Workflow, WorkflowChange, WorkflowId};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

/// The kinds of this gateway's events.
pub(crate) const EXECUTION_UPDATE: &str = "execution_update";
pub(crate) const NODE_UPDATE: &str = "node_update";
pub(crate) const WORKFLOW_UPDATE: &str = "workflow_update";
pub(crate) const NOTIFICATION: &str = "notification";
/// The name of the first two.
pub(crate) const STATUS_CHANGED: &str = "status_changed";

/// How an execution stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionUpdate<'a> {
    execution_id: &'a str,
    status: ExecutionStatus,
    /// 0 to 100; never falls.
    #[serde(serialize_with = "whole_if_whole")]
    #[schema(minimum = 0, maximum = 100)]
    progress_percentage: f64,
    /// Nodes that have completed; skipped ones are not among them.
    #[schema(format = Int64)]
    completed_nodes: u32,
    /// How many there are; 0 as long as nobody said.
    #[schema(format = Int64)]
    total_nodes: u32,
    /// The node that was last reported to run.
    #[schema(required = true)]
    current_node: Option<&'a str>,
}

/// How a node stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeUpdate<'a> {
    execution_id: &'a str,
    node_execution_id: &'a str,
    node_id: &'a str,
    node_name: &'a str,
    status: NodeStatus,
    /// What was said with the status.
    #[schema(required = true)]
    message: Option<&'a str>,
}

/// A workflow that was changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkflowUpdate<'a> {
    workflow_id: &'a str,
    #[schema(required = true)]
    name: Option<&'a str>,
    /// Whatever the application keeps with it.
    #[schema(value_type = Value, required = true)]
    data: Option<&'a RawValue>,
}

/// An execution that has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionEnd<'a> {
    execution_id: &'a str,
    workflow_id: &'a str,
    status: ExecutionStatus,
    /// What was said with its end.
    #[schema(required = true)]
    message: Option<&'a str>,
}

pub(crate) fn execution(execution: &Execution, now: Timestamp) -> Event {
    let data = ExecutionUpdate {
        execution_id: execution.id.as_str(),
        status: execution.status,
        progress_percentage: execution.progress_percentage,
        completed_nodes: execution.completed_nodes,
        total_nodes: execution.total_nodes,
        current_node: execution.current_node.as_deref(),
    };
    let room = room("execution", execution.id.as_str());
    event(room, EXECUTION_UPDATE, STATUS_CHANGED, json(&data), now)
}

pub(crate) fn node(node: &Node, now: Timestamp) -> Event {
    let data = NodeUpdate {
        execution_id: node.execution_id.as_str(),
        node_execution_id: &node.node_execution_id,
        node_id: node.node_id.as_str(),
        node_name: &node.node_name,
        status: node.status,
        message: node.message.as_deref(),
    };
    let room = room("execution", node.execution_id.as_str());
    Event {
        // The members of a room may want the latest alone: of each node.
        key: Some(node.node_id.as_str().into()),
        ..event(room, NODE_UPDATE, STATUS_CHANGED, json(&data), now)
    }
}

pub(crate) fn workflow(workflow: &Workflow, change: WorkflowChange, now: Timestamp) -> Event {
    let (name, data) = (workflow.name.as_deref(), workflow.data.as_deref());
    workflow_update(&workflow.id, name, data, change, now)
}

pub(crate) fn workflow_update(
    id: &WorkflowId,
    name: Option<&str>,
    data: Option<&RawValue>,
    change: WorkflowChange,
    now: Timestamp,
) -> Event {
    let update = WorkflowUpdate {
        workflow_id: id.as_str(),
        name,
        data,
    };
    let room = room("workflow", id.as_str());
    event(room, WORKFLOW_UPDATE, change.as_str(), json(&update), now)
}

/// The name of the event that tells of an execution's end.
pub(crate) fn end_name(status: ExecutionStatus) -> String {
    format!("execution_{status}")
}

/// What the owner of an execution is told when it has ended.
pub(crate) fn execution_end(execution: &Execution, now: Timestamp) -> Event {
    let data = ExecutionEnd {
        execution_id: execution.id.as_str(),
        workflow_id: execution.workflow_id.as_str(),
        status: execution.status,
        message: execution.message.as_deref(),
    };
    let name = end_name(execution.status);
    event(
        room("user", execution.owner_id.as_str()),
        NOTIFICATION,
        &name,
        json(&data),
        now,
    )
}

pub(crate) fn notification(user: &UserId, name: &str, data: Box<RawValue>, now: Timestamp) -> Event {
    event(room("user", user.as_str()), NOTIFICATION, name, data, now)
}

fn event(room: RoomName, kind: &str, name: &str, data: Box<RawValue>, now: Timestamp) -> Event {
    Event {
        id: EventId::generate(),
        rooms: vec![room],
        kind: kind.into(),
        name: Some(name.into()),
        key: None,
        data,
        time: now,
        gateways: Gateways::only(Gateway::Workflows),
        exclude: Vec::new(),
        source: "workflows".into(),
    }
}

fn room(kind: &str, id: &str) -> RoomName {
    RoomName::new(&format!("{kind}:{id}"))
        .expect("ids are bounded so that a room id has at most 256 printable bytes")
}

fn json(data: &impl Serialize) -> Box<RawValue> {
    to_raw_value(data).expect("texts and finite numbers are always JSON")
}

/// `100`, not `100.0`: the documents print numbers as JavaScript does.
#[allow(clippy::trivially_copy_pass_by_ref)] // the form serde calls
fn whole_if_whole<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && (0.0..=100.0).contains(number) {
        #[allow(clippy::cast_sign_loss)] // from 0 to 100
        serializer.serialize_u8(*number as u8)
    } else {
        serializer.serialize_f64(*number)
    }
}

#[cfg(test)]
mod tests {
    use tidings_store::{ExecutionId, NodeId, OwnerId, WorkflowId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn sample() -> Execution {
        Execution {
            id: ExecutionId::new("e1").unwrap(),
            workflow_id: WorkflowId::new("w1").unwrap(),
            owner_id: OwnerId::new("ann").unwrap(),
            status: ExecutionStatus::Running,
            progress_percentage: 45.5,
            completed_nodes: 3,
            total_nodes: 7,
            current_node: Some("node-3".into()),
            message: None,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn shown(event: &Event) -> String {
        assert!(event.gateways.contains(Gateway::Workflows) && !event.gateways.contains(Gateway::Tasks));
        let name = event.name.as_deref().unwrap();
        format!("{} {} {} {}", event.rooms[0], event.kind, name, event.data)
    }

    #[test]
    fn exact_texts() {
        assert_eq!(
            shown(&execution(&sample(), NOW)),
            r#"execution:e1 execution_update status_changed {"execution_id":"e1","status":"running","progress_percentage":45.5,"completed_nodes":3,"total_nodes":7,"current_node":"node-3"}"#
        );
        let ended = Execution {
            status: ExecutionStatus::Completed,
            progress_percentage: 100.0,
            current_node: None,
            ..sample()
        };
        assert!(shown(&execution(&ended, NOW)).ends_with(
            r#""status":"completed","progress_percentage":100,"completed_nodes":3,"total_nodes":7,"current_node":null}"#
        ));
        assert_eq!(
            shown(&execution_end(&ended, NOW)),
            r#"user:ann notification execution_completed {"execution_id":"e1","workflow_id":"w1","status":"completed","message":null}"#
        );
        let reported = Node {
            execution_id: ExecutionId::new("e1").unwrap(),
            node_execution_id: "abc".into(),
            node_id: NodeId::new("node-1").unwrap(),
            node_name: "Agent".into(),
            status: NodeStatus::Skipped,
            message: None,
            created_at: NOW,
            updated_at: NOW,
        };
        assert_eq!(
            shown(&node(&reported, NOW)),
            r#"execution:e1 node_update status_changed {"execution_id":"e1","node_execution_id":"abc","node_id":"node-1","node_name":"Agent","status":"skipped","message":null}"#
        );
        let registered = Workflow {
            id: WorkflowId::new("w1").unwrap(),
            owner_id: OwnerId::new("ann").unwrap(),
            name: None,
            data: Some(RawValue::from_string("[1.0]".into()).unwrap()),
            created_at: NOW,
            updated_at: NOW,
        };
        assert_eq!(
            shown(&workflow(&registered, WorkflowChange::Published, NOW)),
            r#"workflow:w1 workflow_update published {"workflow_id":"w1","name":null,"data":[1.0]}"#
        );
    }
}
