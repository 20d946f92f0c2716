//! Trying the rules on an event, for whoever writes them.

use crate::DropReason;
use crate::envelope::unlabelled;
use crate::route::{Condition, Destination, Routable, Routes};

/// What the rules make of an event.
#[derive(Debug)]
pub struct Trial<'r> {
    /// The rules before the one that decides, by what the event does not meet.
    pub passed_over: Vec<Unmet<'r>>,
    /// Whether there is one that decides: the next one.
    pub is_decided: bool,
    /// Where the event goes, or why nowhere.
    pub result: Result<Destination<'r>, DropReason>,
}

/// A condition that an event does not meet.
#[derive(Debug)]
pub struct Unmet<'r> {
    /// The condition.
    pub condition: &'r Condition,
    /// What the event has there instead; `None` for nothing.
    pub found: Option<String>,
}

impl<'r> Trial<'r> {
    /// Tries the rules on an event, a `CloudEvent` in JSON or its data alone, that came from this topic.
    pub fn of(routes: &'r Routes, topic: Option<&str>, event: &[u8]) -> Trial<'r> {
        let mut passed_over = Vec::new();
        let mut received = unlabelled(event);
        let result = match received.take_data() {
            Err(reason) => Err(reason),
            Ok(data) => {
                let event = Routable {
                    topic,
                    envelope: received.envelope(),
                    data: &data,
                };
                for rule in routes.rules() {
                    let Some(condition) = rule.unmet(event) else { break };
                    let found = condition.found(event).map(std::borrow::Cow::into_owned);
                    passed_over.push(Unmet { condition, found });
                }
                routes.route(event)
            }
        };
        let is_decided = match result {
            Ok(_) | Err(DropReason::NoUser | DropReason::InvalidUser) => true,
            Err(_) => false,
        };
        Trial {
            passed_over,
            is_decided,
            result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Rule, Template};
    use tidings_hub::Gateway;

    #[test]
    fn a_trial_says_where_an_event_goes_and_why_not_elsewhere() {
        let rule = |field, pattern| {
            let condition = Condition::new(field, pattern).unwrap();
            let room = Template::parse("user:{data.user_id}").unwrap();
            Rule::new(vec![condition], vec![room], pattern, &[Gateway::Tasks]).unwrap()
        };
        let routes = Routes::new(vec![
            rule("type", "a"),
            rule("data.kind", "b"),
            rule("topic", "c"),
        ])
        .unwrap();
        let event = br#"{"specversion":"1.0","id":"1","source":"s","type":"x","data":{"user_id":"u"}}"#;
        let trial = Trial::of(&routes, Some("c"), event);
        let unmet: Vec<(String, Option<&str>)> = trial
            .passed_over
            .iter()
            .map(|unmet| (unmet.condition.to_string(), unmet.found.as_deref()))
            .collect();
        assert_eq!(
            unmet,
            [
                ("type = `a`".to_owned(), Some("x")),
                ("data.kind = `b`".to_owned(), None)
            ]
        );
        let destination = trial.result.unwrap();
        assert_eq!(
            (&**destination.kind, destination.rooms[0].as_str()),
            ("c", "user:u")
        );

        let bare = Trial::of(&routes, None, br#"{"user_id":"u","kind":"b"}"#);
        assert_eq!(bare.passed_over.len(), 1);
        assert_eq!(&**bare.result.unwrap().kind, "b");
        assert_eq!(Trial::of(&routes, None, b"{}").result, Err(DropReason::NoRoute));
        assert_eq!(
            Trial::of(&routes, Some("c"), b"{}").result,
            Err(DropReason::NoUser)
        );
        assert_eq!(
            Trial::of(&routes, Some("c"), b"x").result,
            Err(DropReason::NotJson)
        );
    }
}
