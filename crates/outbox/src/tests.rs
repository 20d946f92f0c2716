use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tidings_store::{News, OUTBOX_BATCH_MAX, OutboxNumber, OwnerId, Store, StoredNews};
use tokio_util::sync::CancellationToken;

use super::Outbox;

const WAIT: Duration = Duration::from_secs(30);

async fn put(store: &Store) -> OutboxNumber {
    let news = News::Notification {
        id: "evt".to_owned(),
        user_id: OwnerId::new("ann").unwrap(),
        event: "hello".to_owned(),
        data: RawValue::NULL.to_owned(),
    };
    store.put_news(news).await.unwrap()
}

#[tokio::test]
async fn who_holds_what_the_late_publisher_waits_for_gets_a_place() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let outbox = Arc::new(Outbox::new(store.clone()));
    let mut left_behind = Vec::new();
    for _ in 0..OUTBOX_BATCH_MAX + 10 {
        left_behind.push(put(&store).await);
    }
    store.let_go_of_outbox(&left_behind).await.unwrap();
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    let held = turn.clone().lock_owned().await;
    let shutdown = CancellationToken::new();
    let (waits, mut waiting) = tokio::sync::mpsc::channel(1);
    let running = tokio::spawn({
        let (outbox, shutdown, turn) = (outbox.clone(), shutdown.clone(), turn.clone());
        async move {
            let publish_late = |_: StoredNews| {
                let _ = waits.try_send(());
                let turn = turn.clone();
                async move {
                    let _turn = turn.lock().await;
                    true
                }
            };
            outbox.run(&shutdown, publish_late).await;
        }
    });
    tokio::time::timeout(WAIT, waiting.recv()).await.unwrap().unwrap();
    // The late publisher waits for the turn. Its holder has more to tell than there are places in all.
    for _ in 0..OUTBOX_BATCH_MAX + 10 {
        let number = put(&store).await;
        let told = outbox.publish(number, async { true });
        tokio::time::timeout(WAIT, told).await.expect("a place");
    }
    drop(held);
    let is_empty = async {
        while store.outbox_length().await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT, is_empty)
        .await
        .expect("all is told and removed");
    shutdown.cancel();
    running.await.unwrap();
    let figures = outbox.figures();
    let all = u64::from(OUTBOX_BATCH_MAX + 10);
    assert_eq!((figures.published_at_once, figures.published_later), (all, all));
}
