//! Backends as a source: they post events themselves, without a broker between.

use crate::envelope::unlabelled;
use crate::request::{self, Brought};
use crate::{DeadLetters, Delivery, Form, Headers, Ingest, Original, Outcome, Received};
use axum::http::HeaderMap;

/// The source of events, in the events and in dead letters.
const SOURCE: &str = "http";

/// What became of what a request brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It was one event.
    One(Outcome),
    /// It was a batch, of these in this order.
    Batch(Vec<Outcome>),
}

impl Ingest {
    /// Takes in what a request brings: a `CloudEvent` in structured or binary mode, a batch, or data without an envelope. What is
    /// dropped is kept as a dead letter too, for the operator; whoever sent it gets the reason.
    pub async fn post(&self, headers: &HeaderMap, body: &[u8]) -> Posted {
        let request = Original {
            form: Form::Request,
            headers: Headers::Http(headers),
            bytes: body,
        };
        match request::open(headers, body) {
            Brought::One(received) => Posted::One(self.post_one(received, request).await),
            Brought::Unlabelled(body) => Posted::One(self.post_one(unlabelled(body), request).await),
            Brought::Batch(events) => {
                let mut outcomes = Vec::with_capacity(events.len());
                for event in &events {
                    let original = Original::new(Form::Structured, event.bytes());
                    outcomes.push(self.post_one(event.structured(), original).await);
                }
                Posted::Batch(outcomes)
            }
        }
    }

    async fn post_one(&self, received: Received<'_>, original: Original<'_>) -> Outcome {
        self.take(Delivery {
            source: SOURCE,
            topic: None,
            received,
            original,
            dead_letters: DeadLetters::Ours,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{RecordingBus, dead_letters, ingest};
    use crate::{DropReason, RetryReason};
    use tidings_bus::BusError;

    fn event(id: &str, data: &str) -> String {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"s","type":"t","data":{data}}}"#)
    }

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([("content-type".parse().unwrap(), content_type.parse().unwrap())])
    }

    #[tokio::test]
    async fn events_are_taken_in_by_the_rules_of_all_sources() {
        let bus = RecordingBus::new();
        let (ingest, store) = ingest(bus.clone()).await;
        let structured = headers("application/cloudevents+json");
        let to_a = event("1", r#"{"user_id":"a"}"#);
        let Posted::One(Outcome::Accepted(_)) = ingest.post(&structured, to_a.as_bytes()).await else {
            panic!("the first is accepted");
        };
        let again = ingest.post(&structured, to_a.as_bytes()).await;
        assert_eq!(again, Posted::One(Outcome::Duplicate));
        let nobody = ingest.post(&structured, event("2", "{}").as_bytes()).await;
        assert_eq!(nobody, Posted::One(Outcome::Dropped(DropReason::NoUser)));
        // Dapr's bulk envelope is data like any other here.
        let bulk = br#"{"type":"com.dapr.event.sent.bulk","entries":[],"user_id":"b"}"#;
        assert!(matches!(
            ingest.post(&headers("application/json"), bulk).await,
            Posted::One(Outcome::Accepted(_))
        ));
        let batch = format!(
            "[{},{},{}]",
            event("1", "{}"),
            event("3", r#"{"user_id":"c"}"#),
            event("4", "7")
        );
        let Posted::Batch(outcomes) = ingest
            .post(&headers("application/cloudevents-batch+json"), batch.as_bytes())
            .await
        else {
            panic!("a batch");
        };
        assert!(matches!(
            outcomes[..],
            [
                Outcome::Dropped(DropReason::NoUser),
                Outcome::Accepted(_),
                Outcome::Dropped(DropReason::NotJson)
            ]
        ));
        let rooms: Vec<String> = bus.take().into_iter().map(|(room, _)| room).collect();
        assert_eq!(rooms, ["user:a", "user:b", "user:c"]);
        let reasons: Vec<String> = dead_letters(&store)
            .await
            .into_iter()
            .map(|(reason, _)| reason)
            .collect();
        assert_eq!(reasons, ["not_json", "no_user", "no_user"]);
        bus.fail(Some(BusError::Closed));
        let down = ingest
            .post(&structured, event("5", r#"{"user_id":"a"}"#).as_bytes())
            .await;
        assert_eq!(down, Posted::One(Outcome::Retry(RetryReason::BusUnavailable)));
    }
}
