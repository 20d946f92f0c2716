//! The made-up application's tasks. It is the application that keeps them: the gateway passes events on.

use std::collections::VecDeque;

use reqwest::Method;
use serde_json::{Value, json};
use tidings_access::UserId;

use super::backend::{Api, Backend, Call, Ending};
use crate::time::now;

/// As many are kept, the newest; the page shows some more.
const TASKS_MAX: usize = 6;

/// A task.
#[derive(Debug)]
struct Task {
    id: String,
    title: String,
    is_done: bool,
}

/// The tasks of the user, and what is told about them.
#[derive(Debug)]
pub(super) struct Tasks {
    user: UserId,
    /// Where the events come from, which no other demo does; with a number, it is an event's name.
    source: String,
    /// The path of the route that takes them.
    route: Vec<String>,
    tasks: VecDeque<Task>,
    tasks_made: u64,
    events_made: u64,
}

impl Tasks {
    /// `run` tells this demo from every other one; `route` is where Dapr would post events.
    pub(super) fn new(user: UserId, run: &str, route: &str) -> Self {
        Self {
            user,
            source: format!("tidings-demo/{run}"),
            route: route.split('/').skip(1).map(str::to_owned).collect(),
            tasks: VecDeque::new(),
            tasks_made: 0,
            events_made: 0,
        }
    }

    /// Makes a task, and tells of it. Gives its id.
    pub(super) async fn create(
        &mut self,
        backend: &mut Backend<'_>,
        title: String,
    ) -> Result<String, Ending> {
        self.tasks_made += 1;
        let id = format!(
            "{}-{}",
            self.source.trim_start_matches("tidings-demo/"),
            self.tasks_made
        );
        self.tasks.push_back(Task {
            id: id.clone(),
            title,
            is_done: false,
        });
        if self.tasks.len() > TASKS_MAX {
            self.tasks.pop_front();
        }
        let event = self.event(self.tasks.len() - 1, "task.created");
        self.post(backend, "application/cloudevents+json", event, "a new task")
            .await?;
        Ok(id)
    }

    /// The oldest open task is done. Gives its id and title, if there is one.
    pub(super) async fn finish_one(
        &mut self,
        backend: &mut Backend<'_>,
    ) -> Result<Option<(String, String)>, Ending> {
        let Some(place) = self.tasks.iter().position(|task| !task.is_done) else {
            return Ok(None);
        };
        self.tasks[place].is_done = true;
        let event = self.event(place, "task.completed");
        self.post(backend, "application/cloudevents+json", event, "a completed task")
            .await?;
        Ok(Some((
            self.tasks[place].id.clone(),
            self.tasks[place].title.clone(),
        )))
    }

    /// Tells of all tasks once more, for pages that were not there when it was first told.
    pub(super) async fn tell_again(&mut self, backend: &mut Backend<'_>) -> Result<(), Ending> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let events = (0..self.tasks.len()).map(|place| {
            let kind = if self.tasks[place].is_done {
                "task.completed"
            } else {
                "task.updated"
            };
            self.event(place, kind)
        });
        let events = Value::Array(events.collect());
        self.post(
            backend,
            "application/cloudevents-batch+json",
            events,
            "all tasks once more",
        )
        .await
    }

    /// A `CloudEvent`. A repetition has the same id, and is not sent twice.
    fn event(&mut self, place: usize, kind: &str) -> Value {
        self.events_made += 1;
        let task = &self.tasks[place];
        let time = now();
        json!({
            "specversion": "1.0",
            "id": self.events_made.to_string(),
            "source": self.source,
            "type": kind,
            "time": time,
            "datacontenttype": "application/json",
            "data": {
                "event_type": kind,
                "user_id": self.user.as_str(),
                "task_id": task.id,
                "title": task.title,
                "timestamp": time,
            },
        })
    }

    async fn post(
        &self,
        backend: &mut Backend<'_>,
        content_type: &str,
        body: Value,
        what: &str,
    ) -> Result<(), Ending> {
        let path: Vec<&str> = self.route.iter().map(String::as_str).collect();
        let call = Call {
            api: Api::Tasks,
            method: Method::POST,
            path: &path,
            content_type,
            idempotency_key: None,
            body,
            what,
        };
        backend.ask(&call).await?;
        Ok(())
    }
}
