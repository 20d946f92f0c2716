//! The made-up application's leads, by flow's HTTP routes.

use std::collections::VecDeque;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::backend::{Answer, Api, Backend, Call, Ending};
use super::cast::Person;

/// As many are kept; the oldest is deleted for a new one.
const LEADS_MAX: usize = 16;

/// A lead as it was when this demo last changed it.
#[derive(Debug)]
struct Lead {
    id: String,
    name: String,
    status: &'static str,
}

/// The leads that this demo has made.
#[derive(Debug)]
pub(super) struct Leads {
    /// Tells this demo from every other one.
    run: String,
    leads: VecDeque<Lead>,
    made: u64,
}

impl Leads {
    pub(super) fn new(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            leads: VecDeque::new(),
            made: 0,
        }
    }

    /// Makes a lead.
    pub(super) async fn create(&mut self, backend: &mut Backend<'_>, person: &Person) -> Result<(), Ending> {
        if self.leads.len() == LEADS_MAX
            && let Some(oldest) = self.leads.pop_front()
        {
            ask(backend, Method::DELETE, &[&oldest.id], json!(null), None).await?;
        }
        self.made += 1;
        let key = format!("demo-{}-{}", self.run, self.made);
        let body = json!({ "name": person.name, "email": person.email, "company": person.company });
        let answer = ask(backend, Method::POST, &[], body, Some(&key)).await?;
        // Without an id there is nothing to move later.
        if let Some(id) = answer.body["id"].as_str() {
            self.leads.push_back(Lead {
                id: id.to_owned(),
                name: person.name.clone(),
                status: "NEW",
            });
        }
        Ok(())
    }

    /// Has a lead go on, or be lost. `number` says which, and which of the two. Gives its name and status, if there is one.
    pub(super) async fn advance(
        &mut self,
        backend: &mut Backend<'_>,
        number: u64,
    ) -> Result<Option<(String, &'static str)>, Ending> {
        let open: Vec<usize> = (0..self.leads.len())
            .filter(|place| next(self.leads[*place].status, number).is_some())
            .collect();
        if open.is_empty() {
            return Ok(None);
        }
        let place = open[((number >> 8) % open.len() as u64) as usize];
        let lead = &mut self.leads[place];
        let Some(status) = next(lead.status, number) else {
            return Ok(None);
        };
        let answer = ask(
            backend,
            Method::PATCH,
            &[&lead.id, "status"],
            json!({ "status": status }),
            None,
        )
        .await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::CONFLICT) {
            // Somebody else has deleted it, or moved it to where this does not follow: it is theirs now.
            self.leads.remove(place);
            return Ok(None);
        }
        lead.status = status;
        Ok(Some((lead.name.clone(), status)))
    }
}

/// What may become of a lead: one in four is lost.
fn next(status: &str, number: u64) -> Option<&'static str> {
    let is_lost = number.is_multiple_of(4);
    match status {
        "NEW" | "CONTACTED" if is_lost => Some("LOST"),
        "NEW" => Some("CONTACTED"),
        "CONTACTED" => Some("QUALIFIED"),
        _ => None,
    }
}

async fn ask(
    backend: &mut Backend<'_>,
    method: Method,
    behind_leads: &[&str],
    body: serde_json::Value,
    idempotency_key: Option<&str>,
) -> Result<Answer, Ending> {
    let path: Vec<&str> = std::iter::once("leads")
        .chain(behind_leads.iter().copied())
        .collect();
    let call = Call {
        api: Api::Flow,
        method,
        path: &path,
        content_type: "application/json",
        idempotency_key,
        body,
        what: "a lead",
    };
    backend.ask(&call).await
}
