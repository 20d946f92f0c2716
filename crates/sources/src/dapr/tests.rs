use super::*;
use crate::fixture::{RecordingBus, dead_letters, ingest};
use axum::http::Method;
use http_body_util::BodyExt;
use tidings_bus::BusError;
use tidings_store::Store;
use tower::ServiceExt;

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const JSON: &str = "application/json";

type Headers<'a> = &'a [(&'a str, &'a str)];

struct Sidecar {
    bus: Arc<RecordingBus>,
    store: Store,
    ingest: Arc<Ingest>,
    app: Router,
}

impl Sidecar {
    async fn new(settings: DaprSettings) -> Sidecar {
        let bus = RecordingBus::new();
        let (ingest, store) = ingest(bus.clone()).await;
        let app = routes(DaprSource::new(ingest.clone(), settings).unwrap());
        Sidecar {
            bus,
            store,
            ingest,
            app,
        }
    }

    async fn send(&self, request: Request) -> (u16, String) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        self.send(request(Method::POST, "/task-updates", headers, body))
            .await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.send(request(Method::GET, path, headers, "")).await
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn event(id: &str, member: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"backend","type":"com.dapr.event.sent","topic":"task-updates","pubsubname":"kafka-pubsub",{member}}}"#
    )
}

fn answer(status: &str) -> (u16, String) {
    (200, format!(r#"{{"status":"{status}"}}"#))
}

#[tokio::test]
async fn dapr_learns_what_to_subscribe_to() {
    let sidecar = Sidecar::new(DaprSettings::default()).await;
    assert_eq!(sidecar.get("/dapr/config", &[]).await, (200, "{}".to_owned()));
    let plain = r#"[{"pubsubname":"kafka-pubsub","topic":"task-updates","route":"/task-updates"}]"#;
    assert_eq!(sidecar.get("/dapr/subscribe", &[]).await, (200, plain.to_owned()));
    let settings = DaprSettings {
        topic: "t".to_owned(),
        route: "/t".to_owned(),
        dead_letter_topic: Some("dead".to_owned()),
        bulk_subscribe: Some(BulkSubscribe::default()),
        ..DaprSettings::default()
    };
    let full = r#"[{"pubsubname":"kafka-pubsub","topic":"t","route":"/t","deadLetterTopic":"dead","bulkSubscribe":{"enabled":true,"maxMessagesCount":100,"maxAwaitDurationMs":40}}]"#;
    let sidecar = Sidecar::new(settings).await;
    assert_eq!(sidecar.get("/dapr/subscribe", &[]).await, (200, full.to_owned()));
    assert_eq!(sidecar.post(&[], "").await.0, 404);
}

#[tokio::test]
async fn every_form_of_a_single_event_is_understood() {
    let ce: &[(&str, &str)] = &[
        ("ce-id", "b1"),
        ("ce-source", "backend"),
        ("ce-specversion", "1.0"),
        ("ce-type", "t"),
    ];
    let binary = [&[("content-type", JSON)], ce].concat();
    let lying = [&[("content-type", JSON), ("ce-datacontenttype", JSON)], ce].concat();
    let structured: &[(&str, &str)] = &[("content-type", STRUCTURED)];
    let charset: &[(&str, &str)] = &[("content-type", "application/cloudevents+json; charset=utf-8")];
    let json: &[(&str, &str)] = &[("content-type", JSON)];
    let object = r#""data":{"user_id": "u", "b": 1, "a": 2.0}"#;
    let text = r#""data":"{\"user_id\": \"u\", \"b\": 1, \"a\": 2.0}""#;
    let plain = r#""datacontenttype":"text/plain","data":"{\"user_id\":\"u\",\"b\":1,\"a\":2.0}""#;
    // {"user_id":"u","b":1,"a":2.0}
    let base64 = r#""data_base64":"eyJ1c2VyX2lkIjoidSIsImIiOjEsImEiOjIuMH0=""#;
    let bare = r#"{"user_id":"u", "b":1,"a":2.0}"#;
    let table: [(Headers<'_>, String, bool); 23] = [
        (structured, event("1", object), true),
        (charset, event("2", text), true),
        (structured, event("3", plain), true),
        (structured, event("4", base64), true),
        (&binary, bare.to_owned(), true),
        (json, event("5", object), true),
        (
            json,
            event("a", &format!(r#""event_type":"task.created",{object}"#)),
            true,
        ),
        (
            structured,
            event("b", &format!(r#""eventType":7,{object}"#)),
            true,
        ),
        (json, bare.to_owned(), true),
        (&[], bare.to_owned(), true),
        // Dapr's odd case: it says structured, and posts the data.
        (structured, bare.to_owned(), false),
        (structured, "no JSON".to_owned(), false),
        (structured, String::new(), false),
        (structured, event("6", r#""data":"text""#), false),
        (structured, event("7", r#""data":null"#), false),
        (structured, event("8", r#""x":1"#), false),
        (structured, event("9", r#""data":{"title":"t"}"#), false),
        (structured, event("10", r#""data_base64":"%""#), false),
        (&binary, "{".to_owned(), false),
        (&lying, bare.to_owned(), false),
        (json, "\"ping\"".to_owned(), false),
        (json, format!("{bare:?}"), false),
        (json, String::new(), false),
    ];
    let sidecar = Sidecar::new(DaprSettings::default()).await;
    let mut dropped = 0;
    for (headers, body, is_accepted) in table {
        let expected = answer(if is_accepted { "SUCCESS" } else { "DROP" });
        assert_eq!(sidecar.post(headers, &body).await, expected, "{body}");
        let data = (
            r"user:u".to_owned(),
            r#"{"user_id":"u","b":1,"a":2.0}"#.to_owned(),
        );
        assert_eq!(
            sidecar.bus.take(),
            Vec::from_iter(is_accepted.then_some(data)),
            "{body}"
        );
        dropped += usize::from(!is_accepted);
        let letters = dead_letters(&sidecar.store).await;
        assert_eq!(letters.len(), dropped);
        assert!(is_accepted || letters[0].1 == body, "{body}");
    }
}

#[tokio::test]
async fn a_redelivery_is_acknowledged_and_not_sent_twice() {
    let sidecar = Sidecar::new(DaprSettings::default()).await;
    let headers = [("content-type", STRUCTURED)];
    let body = event("1", r#""data":{"user_id":"u"}"#);
    sidecar.bus.fail(Some(BusError::Closed));
    assert_eq!(sidecar.post(&headers, &body).await, answer("RETRY"));
    assert_eq!(sidecar.get("/healthz", &[]).await.0, 503);
    sidecar.bus.fail(None);
    assert_eq!(sidecar.get("/healthz", &[]).await.0, 200);
    for _ in 0..3 {
        assert_eq!(sidecar.post(&headers, &body).await, answer("SUCCESS"));
    }
    assert_eq!(sidecar.bus.take().len(), 1);
    assert_eq!(sidecar.ingest.counters().duplicates(), 2);
}

#[tokio::test]
async fn batches_are_answered_as_one() {
    let sidecar = Sidecar::new(DaprSettings::default()).await;
    let headers = [("content-type", BATCH)];
    let good = |id| event(id, r#""data":{"user_id":"u"}"#);
    let bad = event("x", r#""data":1"#);
    let table = [
        ("[]".to_owned(), "SUCCESS", 0),
        (format!("[{},{}]", good("1"), good("2")), "SUCCESS", 2),
        (format!("[{},{bad},{}]", good("2"), good("3")), "SUCCESS", 1),
        (format!("[{bad},1]"), "DROP", 0),
        (good("4"), "DROP", 0),
        (format!("[{}1]", "1,".repeat(1_000)), "DROP", 0),
    ];
    for (body, status, published) in table {
        assert_eq!(sidecar.post(&headers, &body).await, answer(status), "{body}");
        assert_eq!(sidecar.bus.take().len(), published, "{body}");
    }
    assert_eq!(dead_letters(&sidecar.store).await.len(), 5);
    sidecar.bus.fail(Some(BusError::Closed));
    let mixed = format!("[{bad},{}]", good("5"));
    let counted = || {
        sidecar
            .ingest
            .counters()
            .dropped()
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let before = counted();
    assert_eq!(sidecar.post(&headers, &mixed).await, answer("RETRY"));
    assert_eq!(
        (dead_letters(&sidecar.store).await.len(), counted()),
        (5, before),
        "what comes again is not dropped yet"
    );
    sidecar.bus.fail(None);
    assert_eq!(sidecar.post(&headers, &mixed).await, answer("SUCCESS"));
    assert_eq!(
        (dead_letters(&sidecar.store).await.len(), counted()),
        (6, before + 1)
    );
}

fn bulk(entries: &[String]) -> String {
    format!(
        r#"{{"id":"1","type":"com.dapr.event.sent.bulk","topic":"t","pubsubname":"p","metadata":{{}},"entries":[{}]}}"#,
        entries.join(",")
    )
}

fn entry(id: &str, event: &str) -> String {
    format!(
        r#"{{"entryId":"{id}","event":{event},"metadata":{{}},"contentType":"application/cloudevents+json"}}"#
    )
}

fn statuses(statuses: &[(&str, &str)]) -> (u16, String) {
    let statuses: Vec<_> = statuses
        .iter()
        .map(|(id, status)| format!(r#"{{"entryId":"{id}","status":"{status}"}}"#))
        .collect();
    (200, format!(r#"{{"statuses":[{}]}}"#, statuses.join(",")))
}

#[tokio::test]
async fn bulk_entries_are_answered_one_by_one() {
    let sidecar = Sidecar::new(DaprSettings::default()).await;
    let headers = [("content-type", JSON)];
    let good = |id| event(id, r#""data":{"user_id":"u"}"#);
    // {"user_id":"raw"}
    let raw =
        r#"{"entryId":"4","event":"eyJ1c2VyX2lkIjoicmF3In0=","contentType":"application/octet-stream"}"#;
    let entries = [
        entry("0", &good("1")),
        entry("1", &good("1")),
        entry("2", "\"no event\""),
        entry("3", &event("2", r#""data":{}"#)),
        raw.to_owned(),
        r#"{"event":{}}"#.to_owned(),
        entry("6", r#"{"user_id":"not an envelope"}"#),
    ];
    let expected = [
        ("0", "SUCCESS"),
        ("1", "SUCCESS"),
        ("2", "DROP"),
        ("3", "DROP"),
        ("4", "SUCCESS"),
        ("6", "DROP"),
    ];
    assert_eq!(sidecar.post(&headers, &bulk(&entries)).await, statuses(&expected));
    let rooms: Vec<_> = sidecar.bus.take().into_iter().map(|(room, _)| room).collect();
    assert_eq!(rooms, ["user:u", "user:raw"]);
    assert_eq!(dead_letters(&sidecar.store).await.len(), 4);

    assert_eq!(sidecar.post(&headers, &bulk(&[])).await, statuses(&[]));
    sidecar.bus.fail(Some(BusError::Overloaded));
    let entries = [
        entry("0", &event("3", r#""data":{}"#)),
        entry("1", &good("4")),
        entry("2", &good("1")),
    ];
    let expected = [("0", "DROP"), ("1", "RETRY"), ("2", "RETRY")];
    assert_eq!(sidecar.post(&headers, &bulk(&entries)).await, statuses(&expected));
}

#[tokio::test]
async fn what_dapr_has_a_topic_for_is_not_kept_here() {
    let settings = DaprSettings {
        dead_letter_topic: Some("dead".to_owned()),
        ..DaprSettings::default()
    };
    let sidecar = Sidecar::new(settings).await;
    assert_eq!(
        sidecar.post(&[("content-type", STRUCTURED)], "{}").await,
        answer("DROP")
    );
    assert_eq!(dead_letters(&sidecar.store).await, []);
}

#[tokio::test]
async fn the_token_guards_everything_but_the_probe() {
    let settings = DaprSettings {
        api_token: Some("secret".to_owned()),
        ..DaprSettings::default()
    };
    let sidecar = Sidecar::new(settings).await;
    let body = event("1", r#""data":{"user_id":"u"}"#);
    for token in [None, Some(""), Some("secre"), Some("secret2"), Some("Secret")] {
        let mut headers = vec![("content-type", STRUCTURED)];
        headers.extend(token.map(|token| ("dapr-api-token", token)));
        let (status, problem) = sidecar.post(&headers, &body).await;
        assert_eq!(status, 401);
        assert!(
            problem.contains(r#""code":""#) && !problem.contains("secre\""),
            "{problem}"
        );
        assert_eq!(sidecar.get("/dapr/subscribe", &headers).await.0, 401);
    }
    assert_eq!(sidecar.bus.take(), []);
    let headers = [("content-type", STRUCTURED), ("dapr-api-token", "secret")];
    assert_eq!(sidecar.post(&headers, &body).await, answer("SUCCESS"));
    assert_eq!(sidecar.get("/dapr/subscribe", &headers).await.0, 200);
    assert_eq!(sidecar.get("/healthz", &[]).await.0, 200);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let settings = DaprSettings {
        body_bytes_max: 1_000,
        ..DaprSettings::default()
    };
    let sidecar = Sidecar::new(settings.clone()).await;
    let headers = [("content-type", STRUCTURED)];
    let of_length = |bytes: usize| {
        let empty = event("1", r#""data":{"user_id":"u","x":""}"#);
        event(
            "1",
            &format!(
                r#""data":{{"user_id":"u","x":"{}"}}"#,
                "x".repeat(bytes - empty.len())
            ),
        )
    };
    assert_eq!(sidecar.post(&headers, &of_length(1_001)).await, answer("DROP"));
    let [(reason, kept)] = dead_letters(&sidecar.store).await.try_into().unwrap();
    assert_eq!((reason.as_str(), kept.len()), ("too_large", 1_000));
    assert_eq!(sidecar.post(&headers, &of_length(1_000)).await, answer("SUCCESS"));

    let settings = DaprSettings {
        bulk_subscribe: Some(BulkSubscribe::default()),
        ..settings
    };
    let sidecar = Sidecar::new(settings).await;
    let too_large = bulk(&vec![entry("0", "{}"); 100]);
    assert_eq!(sidecar.post(&[("content-type", JSON)], &too_large).await.0, 404);
}
