//! With time that stands still until it is moved, and an issuer that does what it is told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

const SETTINGS: RemoteKeysSettings = RemoteKeysSettings {
    refresh_interval: Duration::from_mins(10),
    refresh_interval_min: Duration::from_secs(2),
    age_max: Duration::from_hours(1),
    timeout: Duration::from_secs(5),
};

#[derive(Clone, Default)]
struct Published(Arc<State>);

#[derive(Default)]
struct State {
    ids: Mutex<Vec<&'static str>>,
    is_down: AtomicBool,
    /// Fetches that have begun, and those under way.
    fetches: AtomicUsize,
    under_way: AtomicUsize,
    /// How long an answer takes.
    delay: Mutex<Duration>,
}

impl FetchKeys for Published {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, FetchError>> {
        Box::pin(async {
            self.0.fetches.fetch_add(1, SeqCst);
            assert_eq!(self.0.under_way.fetch_add(1, SeqCst), 0, "one fetch at a time");
            let _under_way = UnderWay(&self.0.under_way);
            // What is published when the question comes is the answer, however long that takes.
            let document = document(&self.0.ids.lock());
            let delay = *self.0.delay.lock();
            tokio::time::sleep(delay).await;
            if self.0.is_down.load(SeqCst) {
                return Err("down".into());
            }
            Ok(document)
        })
    }
}

struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn document(ids: &[&str]) -> Vec<u8> {
    let x = URL_SAFE_NO_PAD.encode([7; 32]);
    let keys: Vec<_> = ids
        .iter()
        .map(|id| json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x}))
        .collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

struct Fixture {
    published: Published,
    keys: RemoteKeys,
    task: JoinHandle<()>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fixture {
    /// The first fetch is over.
    async fn new(ids: &[&'static str]) -> Fixture {
        let published = Published::default();
        *published.0.ids.lock() = ids.to_vec();
        let fixture = Fixture::start(published);
        fixture.settle().await;
        fixture
    }

    fn start(published: Published) -> Fixture {
        let keys = RemoteKeys::new("http://issuer", published.clone(), SETTINGS);
        let task = tokio::spawn(keys.clone().run());
        Fixture {
            published,
            keys,
            task,
        }
    }

    /// Lets every task go as far as it comes without time.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    async fn pass(&self, time: Duration) {
        advance(time).await;
        self.settle().await;
    }

    fn publish(&self, ids: &[&'static str]) {
        *self.published.0.ids.lock() = ids.to_vec();
    }

    fn set_down(&self, is_down: bool) {
        self.published.0.is_down.store(is_down, SeqCst);
    }

    fn fetches(&self) -> usize {
        self.published.0.fetches.load(SeqCst)
    }

    fn knows(&self, id: &str) -> bool {
        self.keys.current().has(id)
    }

    /// Begins to wait now.
    async fn wait(&self, id: Option<&'static str>) -> JoinHandle<Result<(), NoAnswer>> {
        let keys = self.keys.clone();
        let waiting = tokio::spawn(async move { keys.wait_for(id).await });
        self.settle().await;
        waiting
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_now_and_again() {
    let fixture = Fixture::new(&["a"]).await;
    assert!(fixture.knows("a") && !fixture.knows("b"));
    fixture.publish(&["b"]);
    fixture.pass(599 * SECOND).await;
    assert!(fixture.knows("a") && fixture.fetches() == 1);
    fixture.pass(SECOND).await;
    assert!(
        fixture.knows("b") && !fixture.knows("a"),
        "what is gone there is gone here"
    );
    assert_eq!((fixture.fetches(), fixture.keys.refreshes()), (2, (2, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_waited_for_by_all_with_one_fetch() {
    let fixture = Fixture::new(&["a"]).await;
    fixture.publish(&["a", "b"]);
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(fixture.wait(Some("b")).await);
    }
    fixture.pass(SECOND).await;
    assert_eq!(fixture.fetches(), 1, "not before the least time between two");
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    fixture.pass(SECOND).await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }
    assert!(fixture.knows("b"));
    fixture.pass(60 * SECOND).await;
    assert!(fixture.fetches() <= 3, "{}", fixture.fetches());
}

#[tokio::test(start_paused = true)]
async fn tokens_wait_for_the_first_fetch() {
    let published = Published::default();
    *published.0.ids.lock() = vec!["a"];
    *published.0.delay.lock() = SECOND;
    let fixture = Fixture::start(published);
    fixture.settle().await;
    let waiting = fixture.wait(Some("a")).await;
    fixture.pass(SECOND).await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(fixture.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_was_under_way_does_not_decide() {
    let fixture = Fixture::new(&["a"]).await;
    *fixture.published.0.delay.lock() = SECOND;
    // Begins at 600 s, and answers with what there is then.
    fixture.pass(600 * SECOND).await;
    fixture.publish(&["b"]);
    let waiting = fixture.wait(Some("b")).await;
    fixture.pass(SECOND).await;
    assert!(!waiting.is_finished() && !fixture.knows("b"));
    fixture.pass(SECOND).await;
    fixture.pass(SECOND).await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert!(fixture.knows("b"));
}

#[tokio::test(start_paused = true)]
async fn what_the_issuer_does_not_have_is_not_asked_for_again_soon() {
    for id in [Some("x"), None] {
        let fixture = Fixture::new(&["a"]).await;
        let waiting = fixture.wait(id).await;
        fixture.pass(2 * SECOND).await;
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(fixture.fetches(), 2);
        for _ in 0..28 {
            fixture.pass(SECOND).await;
            assert_eq!(fixture.keys.wait_for(id).await, Ok(()), "at once");
        }
        assert_eq!(fixture.fetches(), 2);
        fixture.pass(2 * SECOND).await;
        let waiting = fixture.wait(id).await;
        assert_eq!((fixture.fetches(), waiting.await.unwrap()), (3, Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn known_keys_stay_while_the_issuer_is_down_but_not_forever() {
    let fixture = Fixture::new(&["a"]).await;
    fixture.set_down(true);
    fixture.publish(&["a", "b"]);
    let waiting = fixture.wait(Some("b")).await;
    fixture.pass(2 * SECOND).await;
    assert_eq!(waiting.await.unwrap(), Err(NoAnswer));
    for _ in 0..3_590 {
        fixture.pass(SECOND).await;
        assert!(fixture.knows("a"));
    }
    let failures = fixture.keys.refreshes().1;
    assert!(
        (100..200).contains(&failures),
        "tried every half minute: {failures}"
    );
    assert_eq!(fixture.keys.wait_for(Some("b")).await, Err(NoAnswer));
    fixture.pass(10 * SECOND).await;
    assert!(!fixture.knows("a"), "older than may be believed");
    fixture.set_down(false);
    fixture.pass(30 * SECOND).await;
    assert!(fixture.knows("a") && fixture.knows("b"));
    assert_eq!(fixture.keys.refreshes().0, 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_is_left_after_the_timeout() {
    let fixture = Fixture::new(&["a"]).await;
    *fixture.published.0.delay.lock() = 1_000 * SECOND;
    let waiting = fixture.wait(Some("b")).await;
    fixture.pass(2 * SECOND).await;
    assert_eq!(fixture.fetches(), 2);
    fixture.pass(3 * SECOND).await;
    assert_eq!(waiting.await.unwrap(), Err(NoAnswer));
    fixture.pass(2 * SECOND).await;
    assert_eq!((fixture.fetches(), fixture.keys.refreshes()), (2, (1, 1)));
    assert!(fixture.knows("a"));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_none_leaves_the_keys() {
    struct Broken(AtomicUsize);
    impl FetchKeys for Broken {
        fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, FetchError>> {
            let number = self.0.fetch_add(1, SeqCst);
            Box::pin(async move {
                Ok(match number {
                    0 => document(&["a"]),
                    1 => b"<html>".to_vec(),
                    2 => vec![b' '; crate::KEY_SET_BYTES_MAX + 1],
                    _ => document(&[]),
                })
            })
        }
    }
    let keys = RemoteKeys::new("http://issuer", Broken(AtomicUsize::new(0)), SETTINGS);
    let task = tokio::spawn(keys.clone().run());
    let pass = async |time| {
        advance(time).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    };
    pass(Duration::ZERO).await;
    assert!(keys.current().has("a"));
    pass(600 * SECOND).await;
    pass(2 * SECOND).await;
    assert_eq!(keys.refreshes(), (1, 2));
    assert!(keys.current().has("a"));
    // An issuer that says that it has none is believed.
    pass(4 * SECOND).await;
    assert_eq!(keys.refreshes(), (2, 2));
    assert!(!keys.current().has("a"));
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_wait() {
    let fixture = Fixture::new(&["a"]).await;
    let mut waiting = Vec::new();
    for _ in 0..WAITING_MAX {
        waiting.push(fixture.wait(Some("b")).await);
    }
    assert_eq!(fixture.keys.wait_for(Some("c")).await, Err(NoAnswer));
    fixture.pass(2 * SECOND).await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }
    assert_eq!(fixture.keys.wait_for(Some("b")).await, Ok(()));
}
