//! Executions of the made-up application's workflows, and what is reported about them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_access::UserId;
use tidings_store::{ExecutionStatus, NodeStatus};

use super::backend::{Answer, Api, Backend, Call, Ending, said};
use super::cast::{Node, Workflow};
use crate::failure::Failure;

/// What became of a report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reported {
    Taken,
    /// The server knows more than this report says, and does not go back.
    Passed(String),
}

/// An execution, with what was reported of it: a server that has lost it is told all of it again.
#[derive(Debug)]
pub(super) struct Run {
    user: UserId,
    pub(super) id: String,
    workflow_id: String,
    pub(super) workflow: &'static Workflow,
    nodes: Vec<(&'static Node, NodeStatus, Option<&'static str>)>,
    status: ExecutionStatus,
}

impl Run {
    /// `demo` tells this demo from every other one, `number` the run from the others of this demo.
    pub(super) fn new(user: UserId, demo: &str, number: u64, workflow: &'static Workflow) -> Self {
        Self {
            user,
            id: format!("demo-{demo}-{number}"),
            workflow_id: format!("demo-{demo}-{}", workflow.id),
            workflow,
            nodes: workflow
                .nodes()
                .map(|node| (node, NodeStatus::Pending, None))
                .collect(),
            status: ExecutionStatus::Pending,
        }
    }

    /// The name of a node.
    pub(super) fn node_name(&self, index: usize) -> &'static str {
        self.nodes[index].0.name
    }

    /// Registers workflow and execution, reports its nodes as they stand, and tells the user.
    pub(super) async fn start(&mut self, backend: &mut Backend<'_>) -> Result<Reported, Ending> {
        self.register(backend).await?;
        self.notify(backend, "execution_started").await?;
        self.report(backend, ExecutionStatus::Running, None).await
    }

    /// Reports how a node stands now.
    pub(super) async fn report_node(
        &mut self,
        backend: &mut Backend<'_>,
        index: usize,
        status: NodeStatus,
        message: Option<&'static str>,
    ) -> Result<Reported, Ending> {
        self.nodes[index].1 = status;
        self.nodes[index].2 = message;
        let answer = self.post_node(backend, index).await?;
        self.settle(backend, answer).await
    }

    /// Reports how the execution stands now.
    pub(super) async fn report(
        &mut self,
        backend: &mut Backend<'_>,
        status: ExecutionStatus,
        message: Option<&'static str>,
    ) -> Result<Reported, Ending> {
        self.status = status;
        let answer = self.post_status(backend, message).await?;
        self.settle(backend, answer).await
    }

    /// Tells the user that the execution is there: pages follow it by that.
    pub(super) async fn notify(&self, backend: &mut Backend<'_>, event: &str) -> Result<(), Ending> {
        let data = json!({
            "execution_id": self.id,
            "workflow_id": self.workflow_id,
            "name": self.workflow.name,
            "status": self.status.as_str(),
        });
        let body = json!({ "event": event, "data": data });
        let path = ["users", self.user.as_str(), "notifications"];
        self.ask(backend, Method::POST, &path, body, event).await?;
        Ok(())
    }

    /// The last that is said of a run whose demo ends before it: nobody will go on with it.
    pub(super) async fn cancel(&self, backend: &Backend<'_>) {
        let body =
            json!({ "status": ExecutionStatus::Cancelled.as_str(), "message": "The demo was stopped" });
        backend
            .last_word(&call(
                Method::POST,
                &["api", "v1", "executions", &self.id, "status"],
                body,
                "the end",
            ))
            .await;
    }

    /// Goes by what a report was answered: an execution that the server does not know any more is told of from the start, once.
    async fn settle(&mut self, backend: &mut Backend<'_>, answer: Answer) -> Result<Reported, Ending> {
        match answer.status {
            StatusCode::CONFLICT => Ok(Reported::Passed(said(answer.status, &answer.body))),
            StatusCode::NOT_FOUND => {
                self.register(backend).await?;
                let answer = self.post_status(backend, None).await?;
                match answer.status {
                    StatusCode::NOT_FOUND => Err(lost(&answer)),
                    StatusCode::CONFLICT => Ok(Reported::Passed(said(answer.status, &answer.body))),
                    _ => Ok(Reported::Taken),
                }
            }
            _ => Ok(Reported::Taken),
        }
    }

    async fn register(&self, backend: &mut Backend<'_>) -> Result<(), Ending> {
        let workflow = json!({ "owner_id": self.user.as_str(), "name": self.workflow.name });
        self.ask(
            backend,
            Method::PUT,
            &["workflows", &self.workflow_id],
            workflow,
            "the workflow",
        )
        .await?;
        let execution = json!({ "workflow_id": self.workflow_id, "total_nodes": self.nodes.len() });
        let answer = self
            .ask(
                backend,
                Method::PUT,
                &["executions", &self.id],
                execution,
                "the execution",
            )
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(lost(&answer));
        }
        for index in 0..self.nodes.len() {
            self.post_node(backend, index).await?;
        }
        Ok(())
    }

    async fn post_node(&self, backend: &mut Backend<'_>, index: usize) -> Result<Answer, Ending> {
        let (node, status, message) = &self.nodes[index];
        let body = json!({ "status": status.as_str(), "node_name": node.name, "message": message });
        let path = ["executions", &self.id, "nodes", node.id, "status"];
        let what = format!("{}, {status}", node.name);
        self.ask(backend, Method::POST, &path, body, &what).await
    }

    async fn post_status(&self, backend: &mut Backend<'_>, message: Option<&str>) -> Result<Answer, Ending> {
        let body = json!({ "status": self.status.as_str(), "message": message });
        let what = format!("{}, {}", self.workflow.name, self.status);
        self.ask(
            backend,
            Method::POST,
            &["executions", &self.id, "status"],
            body,
            &what,
        )
        .await
    }

    async fn ask(
        &self,
        backend: &mut Backend<'_>,
        method: Method,
        behind_api: &[&str],
        body: Value,
        what: &str,
    ) -> Result<Answer, Ending> {
        let path: Vec<&str> = ["api", "v1"].iter().chain(behind_api).copied().collect();
        backend.ask(&call(method, &path, body, what)).await
    }
}

fn call<'a>(method: Method, path: &'a [&'a str], body: Value, what: &'a str) -> Call<'a> {
    Call {
        api: Api::Workflows,
        method,
        path,
        content_type: "application/json",
        idempotency_key: None,
        body,
        what,
    }
}

/// What was registered a moment ago is gone again: nothing that this demo could mend.
fn lost(answer: &Answer) -> Ending {
    let told = said(answer.status, &answer.body);
    Failure::unavailable(format!("the server loses what it is told: {told}")).into()
}
