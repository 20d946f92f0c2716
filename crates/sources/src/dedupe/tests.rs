use super::{Admission, Window};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::task::JoinSet;

const HOUR: Duration = Duration::from_hours(1);

/// Takes an event in; whether it was fresh.
async fn accept(window: &Window, source: &str, id: &str) -> bool {
    match window.admit(window.fingerprint(source, id)).await {
        Admission::Fresh(reservation) => {
            reservation.accept();
            true
        }
        Admission::Duplicate => false,
    }
}

#[tokio::test]
async fn source_and_id_together_name_an_event() {
    let window = Window::new(10, HOUR);
    assert!(accept(&window, "a", "1").await);
    assert!(!accept(&window, "a", "1").await);
    assert!(accept(&window, "b", "1").await);
    assert!(accept(&window, "a", "2").await);
    assert!(accept(&window, "a1", "").await);
    assert!(accept(&window, "", "a1").await);
    assert_eq!(window.remembered(), 5);
}

#[tokio::test]
async fn what_was_not_accepted_is_not_remembered() {
    let window = Window::new(10, HOUR);
    for _ in 0..3 {
        let Admission::Fresh(reservation) = window.admit(window.fingerprint("a", "1")).await else {
            panic!("it was given up");
        };
        drop(reservation);
    }
    assert_eq!(window.remembered(), 0);
    assert!(accept(&window, "a", "1").await);
}

#[tokio::test]
async fn the_oldest_goes_when_the_window_is_full() {
    let window = Window::new(3, HOUR);
    for id in ["1", "2", "3", "4"] {
        assert!(accept(&window, "a", id).await);
    }
    assert_eq!(window.remembered(), 3);
    assert!(!accept(&window, "a", "2").await);
    assert!(accept(&window, "a", "1").await);
}

#[tokio::test(start_paused = true)]
async fn events_are_forgotten_by_age_counted_from_their_acceptance() {
    let window = Window::new(10, Duration::from_mins(1));
    assert!(accept(&window, "a", "1").await);
    tokio::time::advance(Duration::from_millis(59_999)).await;
    assert!(!accept(&window, "a", "1").await);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(accept(&window, "a", "1").await);
    assert_eq!(window.remembered(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_exactly_one_is_fresh() {
    let window = Arc::new(Window::new(1_000, HOUR));
    let mut tasks = JoinSet::new();
    for number in 0..4_000 {
        let window = window.clone();
        tasks.spawn(async move {
            let id = (number % 100).to_string();
            match window.admit(window.fingerprint("a", &id)).await {
                Admission::Fresh(reservation) => {
                    // Others find it in flight.
                    tokio::task::yield_now().await;
                    reservation.accept();
                    1
                }
                Admission::Duplicate => 0,
            }
        });
    }
    let fresh: i32 = tasks.join_all().await.into_iter().sum();
    assert_eq!(fresh, 100);
    assert_eq!(window.remembered(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_publishing_fails_one_of_those_who_wait_tries() {
    let window = Arc::new(Window::new(1_000, HOUR));
    let attempts = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (window, attempts) = (window.clone(), attempts.clone());
        tasks.spawn(async move {
            let Admission::Fresh(reservation) = window.admit(window.fingerprint("a", "1")).await else {
                return (0, 1);
            };
            let attempt = attempts.fetch_add(1, SeqCst) + 1;
            tokio::task::yield_now().await;
            // The first three publishes fail.
            if attempt > 3 {
                reservation.accept();
                return (1, 0);
            }
            (0, 0)
        });
    }
    let results = tasks.join_all().await;
    let sum = results
        .into_iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!((attempts.load(SeqCst), sum), (4, (1, 46)));
}

#[tokio::test(start_paused = true)]
async fn it_remembers_what_a_plain_list_remembers() {
    let window = Window::new(50, Duration::from_mins(1));
    let mut list: Vec<(u32, tokio::time::Instant)> = Vec::new();
    let mut random = 1_u32;
    for _ in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let id = random >> 25;
        tokio::time::advance(Duration::from_millis(u64::from(random >> 20 & 0xFFF))).await;
        let now = tokio::time::Instant::now();
        list.retain(|(_, time)| now.duration_since(*time) < Duration::from_mins(1));
        let is_fresh = list.iter().all(|(known, _)| *known != id);
        assert_eq!(accept(&window, "a", &id.to_string()).await, is_fresh);
        if is_fresh {
            list.push((id, now));
            if list.len() > 50 {
                list.remove(0);
            }
        }
    }
}
