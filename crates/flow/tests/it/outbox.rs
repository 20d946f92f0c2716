//! Events that the bus does not take at first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::json;
use tidings_bus::{BoxFuture, Bus, BusError};
use tidings_hub::Event;
use tidings_transport::TransportLimits;

use super::fixture::gateway_on;

const KEY: (&str, &str) = ("x-tenant-key", "admin-1");

/// A bus that can be cut off.
struct Gate {
    bus: Arc<dyn Bus>,
    is_shut: Arc<AtomicBool>,
    /// The data of what came meanwhile.
    refused: Arc<Mutex<Vec<String>>>,
}

impl Bus for Gate {
    fn publish(&self, event: Event) -> BoxFuture<'_, Result<(), BusError>> {
        if self.is_shut.load(Ordering::Relaxed) {
            self.refused.lock().push(event.data.get().to_owned());
            Box::pin(async { Err(BusError::Closed) })
        } else {
            self.bus.publish(event)
        }
    }

    fn health(&self) -> Result<(), BusError> {
        if self.is_shut.load(Ordering::Relaxed) {
            Err(BusError::Closed)
        } else {
            Ok(())
        }
    }
}

#[tokio::test]
async fn what_the_bus_refuses_comes_later_once_and_in_order() {
    let is_shut = Arc::new(AtomicBool::new(false));
    let (gate, refused) = (is_shut.clone(), Arc::new(Mutex::new(Vec::new())));
    let kept = refused.clone();
    let gateway = gateway_on(100, TransportLimits::default(), |bus| {
        Arc::new(Gate {
            bus,
            is_shut: gate,
            refused: kept,
        })
    })
    .await;
    let mut watcher = gateway.plain("admin-1").await;
    let create = async |name: &str| {
        let body = json!({"name": name, "email": "a@example.com"}).to_string();
        let answer = gateway.request("POST", "/leads", &[KEY], &body).await;
        assert_eq!(answer.status, 201, "a lead is created whatever the bus does");
    };
    create("first").await;
    is_shut.store(true, Ordering::Relaxed);
    create("second").await;
    create("third").await;
    let refused = std::mem::take(&mut *refused.lock());
    // A round may have tried the second again by now.
    let is_second = |data: &String| data.contains(r#""second""#);
    assert!(
        !refused.is_empty() && refused.iter().all(is_second),
        "the third waits behind the second: {refused:?}"
    );
    is_shut.store(false, Ordering::Relaxed);
    // Behind those that wait, though the bus would take it now.
    create("fourth").await;
    for expected in ["first", "second", "third", "fourth"] {
        let (name, event) = watcher.event().await;
        assert_eq!(
            (name.as_str(), &event["data"]["payload"]["name"]),
            ("lead_event", &json!(expected))
        );
    }
    let figures = gateway.flow.outbox_figures();
    let (at_once, later) = (figures.published_at_once, figures.published_later);
    // Two at once if a round told those that waited before the fourth came.
    assert!(matches!((at_once, later), (1, 3) | (2, 2)), "{figures:?}");
    create("fifth").await;
    let (_, event) = watcher.event().await;
    assert_eq!(event["data"]["payload"]["name"], "fifth", "nothing came twice");
    assert_eq!(gateway.flow.outbox_figures().published_at_once, at_once + 1);
}
