use serde_json::value::RawValue;
use tidings_store::{
    Actor, Attached, JOBS_KEPT, JOBS_UNFINISHED_MAX, Job, JobEnd, JobKind, JobPriority, JobStatus, NewJob,
    NewOutboxEvent, StoreError,
};

use crate::fixture::{Backend, Fixture, tenant};

on_each_backend! {
    jobs_are_claimed_by_priority_and_then_in_their_order,
    a_job_is_in_one_hand_at_a_time,
    a_job_that_was_let_fall_is_claimed_again_and_lost_by_its_first_holder,
    what_goes_with_a_job_is_stored_with_it,
    unfinished_jobs_are_bounded_and_finished_ones_forgotten,
    a_job_is_its_tenants,
    history_numbers_are_not_given_out_twice,
}

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn new_job(tenant_id: &str, kind: JobKind, priority: JobPriority) -> NewJob {
    NewJob {
        tenant: tenant(tenant_id),
        kind,
        priority,
        parameters: json(r#"{"a":1}"#),
        actor: Actor::system(),
    }
}

fn done(text: &str) -> JobEnd {
    JobEnd {
        is_completed: true,
        result: json(text),
    }
}

async fn request(fixture: &Fixture, tenant_id: &str, priority: JobPriority) -> Job {
    let new = new_job(tenant_id, JobKind::Backup, priority);
    let job = fixture.store.request_job(new, |_| Attached::default()).await;
    job.unwrap().value
}

async fn claim(fixture: &Fixture) -> Option<Job> {
    fixture.store.claim_job(JobKind::Backup).await.unwrap()
}

async fn jobs_are_claimed_by_priority_and_then_in_their_order(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let mut requested = Vec::new();
    for (tenant_id, priority) in [
        ("demo1", JobPriority::Low),
        ("demo2", JobPriority::Normal),
        ("demo1", JobPriority::High),
        ("demo1", JobPriority::Normal),
        ("demo2", JobPriority::High),
    ] {
        requested.push(request(&fixture, tenant_id, priority).await.id);
    }
    assert!(
        fixture
            .store
            .claim_job(JobKind::ComplianceCheck)
            .await
            .unwrap()
            .is_none()
    );
    for expected in [2, 4, 1, 3, 0] {
        let job = claim(&fixture).await.unwrap();
        assert_eq!((job.id, job.attempts), (requested[expected], 1));
        assert_eq!(
            (job.status, job.parameters.get()),
            (JobStatus::Running, r#"{"a":1}"#)
        );
    }
    assert!(claim(&fixture).await.is_none());
}

async fn a_job_is_in_one_hand_at_a_time(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    for _ in 0..5 {
        request(&fixture, "demo1", JobPriority::Normal).await;
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move { store.claim_job(JobKind::Backup).await.unwrap() })
        })
        .collect();
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.unwrap().map(|job| job.id));
    }
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), 5);
}

async fn a_job_that_was_let_fall_is_claimed_again_and_lost_by_its_first_holder(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    request(&fixture, "demo1", JobPriority::Normal).await;
    let first = claim(&fixture).await.unwrap();
    fixture.advance_ms(59_999);
    assert!(claim(&fixture).await.is_none());
    store.hold_job(&first).await.unwrap();
    fixture.advance_ms(59_999);
    assert!(claim(&fixture).await.is_none());
    fixture.advance_ms(1);
    let second = claim(&fixture).await.unwrap();
    assert_eq!((second.id, second.attempts), (first.id, 2));
    assert!(matches!(
        store.hold_job(&first).await,
        Err(StoreError::Conflict { .. })
    ));
    let lost = store
        .finish_job(&first, done("{}"), |_| Attached::default())
        .await;
    assert!(matches!(lost, Err(StoreError::Conflict { .. })));
    let end = done(r#"{"n":1}"#);
    let finished = store
        .finish_job(&second, end.clone(), |_| Attached::default())
        .await
        .unwrap();
    assert_eq!(finished.value.status, JobStatus::Completed);
    let again = store.finish_job(&second, end, |_| Attached::default()).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));
    fixture.advance_ms(100_000);
    assert!(claim(&fixture).await.is_none());
}

async fn what_goes_with_a_job_is_stored_with_it(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let attach = |id: &str| {
        let event = NewOutboxEvent {
            id: id.to_owned(),
            kind: "integration_event".to_owned(),
            data: json("{}"),
        };
        Attached {
            event: Some(event),
            response: None,
            audit: Some(crate::audit::entry("start_backup")),
        }
    };
    let new = new_job("demo1", JobKind::Backup, JobPriority::Normal);
    let begun = store.begin_job(new, |_| attach("evt_1")).await.unwrap();
    assert!(
        claim(&fixture).await.is_none(),
        "it is in the hands of whoever began it"
    );
    assert_eq!(begun.event.unwrap().event.id, "evt_1");
    let failed = JobEnd {
        is_completed: false,
        result: json(r#"{"error":"no"}"#),
    };
    fixture.advance_ms(5);
    let finished = store
        .finish_job(&begun.value, failed, |job| {
            assert_eq!(job.status, JobStatus::Failed);
            attach("evt_2")
        })
        .await
        .unwrap();
    assert_eq!(finished.event.unwrap().event.id, "evt_2");
    assert_eq!(store.outbox_length().await.unwrap(), 2);
    assert_eq!(store.audit_head(&tenant("demo1")).await.unwrap().sequence, 2);
    let job = store
        .job(&tenant("demo1"), begun.value.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        serde_json::to_value(&job).unwrap(),
        serde_json::json!({
            "id": job.id, "tenantId": "demo1", "kind": "backup", "priority": "normal", "parameters": {"a": 1},
            "actor": "system", "status": "failed", "attempts": 1, "requestedAt": "2026-02-07T12:00:00.000Z",
            "startedAt": "2026-02-07T12:00:00.000Z", "finishedAt": "2026-02-07T12:00:00.005Z", "result": {"error": "no"},
        })
    );
    let nobody = new_job("nobody", JobKind::Backup, JobPriority::Normal);
    let refused = store.request_job(nobody, |_| Attached::default()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
}

async fn unfinished_jobs_are_bounded_and_finished_ones_forgotten(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    for _ in 0..JOBS_UNFINISHED_MAX {
        request(&fixture, "demo1", JobPriority::Normal).await;
    }
    let one_more = new_job("demo1", JobKind::Backup, JobPriority::Normal);
    let refused = store.request_job(one_more.clone(), |_| Attached::default()).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })));
    // Of another tenant, and of another kind.
    request(&fixture, "demo2", JobPriority::Low).await;
    let other = new_job("demo1", JobKind::ComplianceCheck, JobPriority::Normal);
    store.request_job(other, |_| Attached::default()).await.unwrap();

    let mut finished = Vec::new();
    for _ in 0..JOBS_KEPT + 5 {
        let job = claim(&fixture).await.unwrap();
        store
            .finish_job(&job, done("{}"), |_| Attached::default())
            .await
            .unwrap();
        finished.push(job.id);
        request(&fixture, "demo1", JobPriority::Normal).await;
    }
    let jobs = store
        .list_jobs(&tenant("demo1"), JobKind::Backup, 1_000)
        .await
        .unwrap();
    let kept: Vec<_> = jobs
        .iter()
        .filter(|job| job.finished_at.is_some())
        .map(|job| job.id)
        .collect();
    assert_eq!(kept.len(), JOBS_KEPT as usize);
    finished.reverse();
    assert_eq!(kept, finished[..JOBS_KEPT as usize]);
    assert_eq!(jobs.len(), (JOBS_KEPT + JOBS_UNFINISHED_MAX) as usize);
}

async fn a_job_is_its_tenants(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let job = request(&fixture, "demo1", JobPriority::Normal).await;
    let (own, other) = (tenant("demo1"), tenant("demo2"));
    assert_eq!(fixture.store.job(&own, job.id).await.unwrap().unwrap().id, job.id);
    assert!(fixture.store.job(&other, job.id).await.unwrap().is_none());
    let jobs = fixture
        .store
        .list_jobs(&other, JobKind::Backup, 10)
        .await
        .unwrap();
    assert!(jobs.is_empty());
}

async fn history_numbers_are_not_given_out_twice(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let last = async || {
        fixture
            .store
            .snapshot(&tenant("demo1"))
            .await
            .unwrap()
            .point()
            .lead_change
    };
    fixture.lead("demo1", "{}").await;
    let lead = fixture.lead("demo1", "{}").await;
    let before = last().await;
    let actor = Actor::system();
    let write = tidings_store::LeadWrite {
        tenant: &tenant("demo1"),
        id: lead.id,
        actor: &actor,
        expected: None,
        once: None,
    };
    fixture
        .store
        .delete_lead(write, |_| Attached::default())
        .await
        .unwrap();
    assert!(last().await > before);
}
