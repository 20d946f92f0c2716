//! The application's HTTP server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tidings_rules::{HttpRule, HttpSettings};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::PATIENT;

/// A server that answers by user and room.
pub(crate) struct Application {
    pub(crate) port: u16,
    pub(crate) state: Arc<Behaviour>,
    task: JoinHandle<()>,
}

/// How it answers.
#[derive(Default)]
pub(crate) struct Behaviour {
    answers: Mutex<HashMap<(String, String), Answer>>,
    /// What it was asked, in the order of coming.
    pub(crate) asked: Mutex<Vec<Asked>>,
    under_way: AtomicUsize,
    pub(crate) under_way_most: AtomicUsize,
    gate: Gate,
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What questions wait for; open from the start.
struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Gate {
        Gate(watch::Sender::new(true))
    }
}

impl Application {
    pub(crate) async fn start() -> Application {
        Application::start_at(0, Arc::default()).await
    }

    /// One that comes again where it was.
    pub(crate) async fn start_at(port: u16, state: Arc<Behaviour>) -> Application {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/may-enter", post(answer))
            .with_state(state.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Application { port, state, task }
    }

    /// Goes away.
    pub(crate) async fn stop(self) -> (u16, Arc<Behaviour>) {
        self.task.abort();
        let _ = self.task.await;
        (self.port, self.state)
    }

    pub(crate) fn settings(&self) -> HttpSettings {
        settings(self.port)
    }

    pub(crate) fn rule(&self) -> HttpRule {
        HttpRule::new(self.settings()).unwrap()
    }

    pub(crate) async fn set(&self, user: &str, room: &str, status: u16, body: &str) {
        let body = body.to_owned();
        let question = (user.to_owned(), room.to_owned());
        self.state
            .answers
            .lock()
            .await
            .insert(question, Answer { status, body });
    }

    /// Lets questions wait until [`Application::open`].
    pub(crate) fn close(&self) {
        self.state.gate.0.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.state.gate.0.send_replace(true);
    }

    /// How often it was asked.
    pub(crate) async fn count(&self) -> usize {
        self.state.asked.lock().await.len()
    }
}

pub(crate) fn settings(port: u16) -> HttpSettings {
    HttpSettings {
        url: format!("http://127.0.0.1:{port}/may-enter").parse().unwrap(),
        token: None,
        timeout: Duration::from_secs(10),
        concurrency_max: 64,
        holds: Duration::from_mins(1),
        holds_max: Duration::from_hours(1),
        denial_holds: Duration::from_secs(1),
        cache_entries_max: 10_000,
        breaker: PATIENT,
    }
}

async fn answer(State(state): State<Arc<Behaviour>>, headers: HeaderMap, body: Bytes) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let question: Value = serde_json::from_str(&body).unwrap();
    let text = |name: &str| question[name].as_str().unwrap().to_owned();
    let key = (text("user_id"), text("room"));
    let under_way = state.under_way.fetch_add(1, SeqCst) + 1;
    state.under_way_most.fetch_max(under_way, SeqCst);
    state.asked.lock().await.push(Asked { headers, body });
    let mut gate = state.gate.0.subscribe();
    gate.wait_for(|is_open| *is_open).await.unwrap();
    state.under_way.fetch_sub(1, SeqCst);
    let answers = state.answers.lock().await;
    let Answer { status, body } = answers.get(&key).cloned().unwrap_or(Answer {
        status: 404,
        body: String::new(),
    });
    let status = StatusCode::from_u16(status).unwrap();
    // Where the status is a redirection, it leads to where everybody is let in.
    let headers = [
        (header::LOCATION, "/everybody"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (status, headers, body).into_response()
}
