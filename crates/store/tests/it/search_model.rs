//! Searches find what a plain look at every lead finds, in the same order.

use std::cmp::Reverse;

use tidings_store::{
    Actor, Attached, Lead, LeadEdit, LeadPayload, LeadSearch, LeadStatus, LeadWrite, TimeRange,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS, tenant};

on_each_backend! {
    searches_agree_with_a_look_at_every_lead,
}

const DAY_MS: i64 = 86_400_000;
const FIELDS: [(&str, usize); 5] = [
    ("name", 0),
    ("email", 1),
    ("company", 2),
    ("phone", 2),
    ("notes", 3),
];
const WORDS: [&str; 12] = [
    "ann", "anna", "annabel", "lee", "leeds", "b", "bo", "bob", "45", "4512", "x1", "x2",
];

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn words(&mut self, count: usize) -> Vec<&'static str> {
        (0..count).map(|_| WORDS[self.below(WORDS.len())]).collect()
    }

    fn payload(&mut self) -> LeadPayload {
        let members: Vec<String> = FIELDS
            .iter()
            .map(|(field, _)| {
                let count = self.below(3);
                let words = self.words(count).join("-");
                // A word that every lead has, and one that hardly one has.
                let frequent = if *field == "notes" { "every" } else { "" };
                let rare = if self.below(200) == 0 { "rare" } else { "" };
                format!(r#""{field}":"{words} {frequent} {rare}""#)
            })
            .collect();
        LeadPayload::parse(&format!("{{{}}}", members.join(","))).unwrap()
    }

    fn day(&mut self) -> Timestamp {
        // Some of them before 1970.
        let day = i64::try_from(self.below(40)).unwrap() - 20;
        Timestamp::from_millis(day * DAY_MS + i64::try_from(self.below(3)).unwrap() - 1)
    }
}

async fn edit(fixture: &Fixture, lead: &mut Lead, edit: LeadEdit) {
    let demo = tenant("demo1");
    let actor = Actor::command();
    let write = LeadWrite {
        tenant: &demo,
        id: lead.id,
        actor: &actor,
        expected: None,
        once: None,
    };
    fixture
        .store
        .edit_lead(write, &edit, |_| Attached::default())
        .await
        .unwrap();
    *lead = fixture.store.lead(&demo, lead.id).await.unwrap().unwrap();
}

/// The rank of a hit, or none: 0 where all terms are words of the name, otherwise by the worst field they need.
fn rank(lead: &Lead, terms: &[&str]) -> Option<usize> {
    let words: Vec<(String, usize)> = FIELDS
        .iter()
        .flat_map(|(field, rank)| {
            let text = lead.payload.text(field).unwrap();
            let words: Vec<String> = text.split([' ', '-']).map(str::to_owned).collect();
            words.into_iter().map(|word| (word, *rank))
        })
        .collect();
    let is_whole = |term: &&str| words.iter().any(|(word, rank)| *rank == 0 && word == term);
    if terms.iter().all(is_whole) {
        return Some(0);
    }
    let of_term = |term: &&str| {
        let ranks = words.iter().filter(|(word, _)| word.starts_with(term));
        ranks.map(|(_, rank)| rank + 1).min()
    };
    terms
        .iter()
        .map(of_term)
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .max()
}

/// What a search finds among all leads, in the order in which they were stored.
fn found(leads: &[Lead], terms: &[&str], search: &LeadSearch, limit: usize) -> (Vec<Lead>, u64) {
    let is_in = |lead: &Lead| {
        search.status.is_none_or(|status| lead.status == status)
            && search.created.from.is_none_or(|from| lead.created_at >= from)
            && search.created.to.is_none_or(|to| lead.created_at <= to)
    };
    let mut hits: Vec<(usize, Reverse<usize>, &Lead)> = leads
        .iter()
        .enumerate()
        .filter(|(_, lead)| is_in(lead))
        .filter_map(|(number, lead)| Some((rank(lead, terms)?, Reverse(number), lead)))
        .collect();
    let total = hits.len() as u64;
    hits.sort_by_key(|(rank, number, _)| (*rank, *number));
    hits.truncate(limit);
    hits.sort_by_key(|(rank, number, lead)| (*rank, Reverse(lead.created_at), *number));
    (hits.into_iter().map(|(_, _, lead)| lead.clone()).collect(), total)
}

async fn searches_agree_with_a_look_at_every_lead(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let mut numbers = Numbers(7);
    let mut leads = Vec::new();
    let mut now = START_MS;
    for _ in 0..500 {
        let at = numbers.day().as_millis();
        fixture.advance_ms(at - now);
        now = at;
        let payload = numbers.payload();
        leads.push(fixture.lead("demo1", payload.as_raw().get()).await);
        fixture.lead("demo2", payload.as_raw().get()).await;
    }
    for lead in &mut leads {
        match numbers.below(12) {
            0..4 => edit(&fixture, lead, LeadEdit::Status(LeadStatus::Lost)).await,
            4 => edit(&fixture, lead, LeadEdit::Status(LeadStatus::Qualified)).await,
            5 | 6 => edit(&fixture, lead, LeadEdit::Payload(numbers.payload())).await,
            _ => {}
        }
    }
    if matches!(backend, Backend::Postgres) {
        // So that the planner knows what is frequent.
        fixture.try_statement("ANALYZE lead_search").await.unwrap();
    }

    let mut hits_seen = 0;
    for _ in 0..600 {
        let count = 1 + numbers.below(3);
        let mut terms: Vec<&str> = numbers
            .words(count)
            .into_iter()
            .map(|word| &word[..=numbers.below(word.len())])
            .collect();
        match numbers.below(6) {
            0 => terms.push("every"),
            1 => terms.insert(0, "e"),
            2 => terms = vec!["every", "rare"],
            _ => {}
        }
        let mut ends = [numbers.day(), numbers.day()].map(|day| (numbers.below(2) == 0).then_some(day));
        if ends[0].is_some() && ends[1].is_some() {
            ends.sort();
        }
        let statuses = [None, None, Some(LeadStatus::Lost), Some(LeadStatus::Qualified)];
        let search = LeadSearch {
            query: terms.join(" "),
            status: statuses[numbers.below(statuses.len())],
            created: TimeRange {
                from: ends[0],
                to: ends[1],
            },
        };
        let limit = 1 + numbers.below(100);
        let hits = fixture
            .store
            .search_leads(&tenant("demo1"), &search, u32::try_from(limit).unwrap())
            .await
            .unwrap();
        let (expected, total) = found(&leads, &terms, &search, limit);
        assert_eq!(hits.total, total, "{search:?}");
        assert_eq!(hits.leads, expected, "{search:?}");
        hits_seen += total;
    }
    assert!(hits_seen > 10_000, "{hits_seen}");
}
