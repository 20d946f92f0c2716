//! An Engine.IO client that polls routes without a socket.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tidings_hub::{HubBuilder, HubLimits};
use tidings_transport::{HeartbeatTimes, OriginPolicy, Transport, TransportLimits};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Longer than anything takes here; whoever waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn transport(limits: TransportLimits, origins: OriginPolicy) -> Transport {
    let hub_limits = HubLimits {
        timer_tick: Duration::from_millis(10),
        ..HubLimits::default()
    };
    let heartbeat = HeartbeatTimes {
        interval: Duration::from_secs(25),
        timeout: Duration::from_secs(20),
    };
    let hub = HubBuilder::new(hub_limits, 1).start();
    Transport::new(
        hub,
        limits,
        origins,
        heartbeat,
        CancellationToken::new(),
        TaskTracker::new(),
    )
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) async fn ask(routes: &Router, request: Request<Body>) -> Answer {
    let answered = tokio::time::timeout(PATIENCE, routes.clone().oneshot(request));
    let (parts, body) = answered.await.expect("an answer in time").unwrap().into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub(crate) struct Client {
    pub(crate) routes: Router,
    pub(crate) query: String,
}

impl Client {
    pub(crate) async fn open(routes: &Router) -> Self {
        Self::open_with(
            routes,
            Request::get("/?EIO=4&transport=polling")
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn open_with(routes: &Router, request: Request<Body>) -> Self {
        let answer = ask(routes, request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let (_, rest) = answer.body.split_once(r#""sid":""#).unwrap();
        let (sid, _) = rest.split_once('"').unwrap();
        Self {
            routes: routes.clone(),
            query: format!("/?EIO=4&transport=polling&sid={sid}"),
        }
    }

    pub(crate) fn get_request(&self) -> Request<Body> {
        Request::get(&self.query).body(Body::empty()).unwrap()
    }

    pub(crate) async fn get(&self) -> Answer {
        ask(&self.routes, self.get_request()).await
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        ask(
            &self.routes,
            Request::post(&self.query)
                .body(Body::from(body.to_owned()))
                .unwrap(),
        )
        .await
    }

    /// The next packets, in as many GETs as they take.
    pub(crate) async fn packets(&self, count: usize) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let answer = self.get().await;
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "after {packets:?}: {}",
                answer.body
            );
            packets.extend(answer.body.split('\x1e').map(str::to_owned));
        }
        packets
    }

    pub(crate) async fn assert_gone(&self) {
        let answer = self.get().await;
        let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::BAD_REQUEST, unknown)
        );
    }
}
