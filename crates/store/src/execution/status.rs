//! The statuses of executions and nodes, and which may follow which.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::StoreError;

/// How an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionStatus {
    /// It has not begun.
    Pending,
    /// It runs.
    Running,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeStatus {
    /// It has not begun.
    Pending,
    /// It runs.
    Running,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Cancelled,
    /// It was passed over.
    Skipped,
}

impl ExecutionStatus {
    /// All of them.
    pub const ALL: [ExecutionStatus; 5] = [
        ExecutionStatus::Pending,
        ExecutionStatus::Running,
        ExecutionStatus::Completed,
        ExecutionStatus::Failed,
        ExecutionStatus::Cancelled,
    ];

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            ExecutionStatus::Pending => "pending",
            ExecutionStatus::Running => "running",
            ExecutionStatus::Completed => "completed",
            ExecutionStatus::Failed => "failed",
            ExecutionStatus::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, ExecutionStatus::Pending | ExecutionStatus::Running)
    }

    /// Whether this changes to `next`: `false` if it is the same, an error if `next` may not follow.
    pub(super) fn advances_to(self, next: ExecutionStatus) -> Result<bool, StoreError> {
        advances(self.as_str(), next.as_str())
    }
}

impl NodeStatus {
    /// All of them.
    pub const ALL: [NodeStatus; 6] = [
        NodeStatus::Pending,
        NodeStatus::Running,
        NodeStatus::Completed,
        NodeStatus::Failed,
        NodeStatus::Cancelled,
        NodeStatus::Skipped,
    ];

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Pending => "pending",
            NodeStatus::Running => "running",
            NodeStatus::Completed => "completed",
            NodeStatus::Failed => "failed",
            NodeStatus::Cancelled => "cancelled",
            NodeStatus::Skipped => "skipped",
        }
    }

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, NodeStatus::Pending | NodeStatus::Running)
    }

    /// Whether this changes to `next`: `false` if it is the same, an error if `next` may not follow.
    pub(super) fn advances_to(self, next: NodeStatus) -> Result<bool, StoreError> {
        advances(self.as_str(), next.as_str())
    }
}

/// Describes a status: one of its words.
macro_rules! words_schema {
    ($($name:ident),*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = $name::ALL.map($name::as_str);
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

words_schema!(ExecutionStatus, NodeStatus);

/// Pending, then running, then one of the ends; skipping ahead is legal, going back and leaving an end are not.
fn advances(from: &'static str, to: &'static str) -> Result<bool, StoreError> {
    let rank = |status| match status {
        "pending" => 0,
        "running" => 1,
        _ => 2,
    };
    if from == to {
        Ok(false)
    } else if rank(from) < rank(to) {
        Ok(true)
    } else {
        Err(StoreError::IllegalTransition { from, to })
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ExecutionStatus {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ExecutionStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(StoreError::Invalid {
                what: "status is one of pending, running, completed, failed, cancelled",
            })
    }
}

impl FromStr for NodeStatus {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NodeStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(StoreError::Invalid {
                what: "status is one of pending, running, completed, failed, cancelled, skipped",
            })
    }
}

impl Serialize for ExecutionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for NodeStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions() {
        use NodeStatus::{Cancelled, Completed, Failed, Pending, Running, Skipped};
        for from in NodeStatus::ALL {
            for to in NodeStatus::ALL {
                let expected = match (from, to) {
                    _ if from == to => Some(false),
                    (Pending, _) | (Running, Completed | Failed | Cancelled | Skipped) => Some(true),
                    _ => None,
                };
                assert_eq!(from.advances_to(to).ok(), expected, "{from} -> {to}");
            }
        }
        for status in ExecutionStatus::ALL {
            assert_eq!(status.as_str().parse::<ExecutionStatus>().unwrap(), status);
        }
        assert!("skipped".parse::<ExecutionStatus>().is_err());
        assert!("Running".parse::<NodeStatus>().is_err());
    }
}
