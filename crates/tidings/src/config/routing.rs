//! Where events from brokers go.

use std::fmt::Write as _;

use tidings_hub::Gateway;
use tidings_sources::{Condition, Routes, Rule, RuleError, Template};

use super::section::section;
use super::setting::{Setting, quoted};
use super::value::{Mismatch, Value};

const KEYS: [&str; 4] = ["when", "rooms", "kind", "gateways"];

section! {
    /// Where events from Dapr, from Kafka and from backends that post them go; `tidings route test` shows it for one of them.
    ["routing"] Routing(base) {
        /// Rules, tried in their order. `when` has conditions on the event: `topic`, `type`, `source`, `subject`, `id`, an extension,
        /// or `data.` and a path into the data, each with a text in which `*` stands for anything. `rooms` are the rooms that an
        /// event goes to which meets all of them, such as `user:{data.user_id|subject}`: in the place of the braces comes the
        /// first of the fields that the event has. `kind` is what clients are told (default `task_update`), `gateways` whose
        /// clients are (default `tasks`). An event that meets no rule, or says nothing where its rule has braces, becomes a
        /// dead letter. Without rules each event goes to its user, by `tasks.user_id_paths`.
        rules: RouteRules = RouteRules(Vec::new());
    }
}

/// The rules, in their order.
#[derive(Debug, Clone)]
pub(crate) struct RouteRules(Vec<RouteRule>);

#[derive(Debug, Clone)]
struct RouteRule {
    when: Vec<(String, String)>,
    rooms: Vec<String>,
    kind: String,
    gateways: Vec<Gateway>,
}

impl Routing {
    /// The rules as the sources take them; without any, every event goes to its user.
    pub(crate) fn routes(&self, user_paths: &[String]) -> Result<Routes, RuleError> {
        let rules = match self.rules.0.as_slice() {
            [] => vec![Rule::for_users(user_paths)?],
            rules => rules.iter().map(RouteRule::rule).collect::<Result<_, _>>()?,
        };
        Routes::new(rules)
    }
}

impl Setting for RouteRules {
    fn expected() -> String {
        "a list of tables with the keys `when`, `rooms`, `kind` and `gateways`; in a variable as TOML".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        let read;
        let rules = match value {
            Value::List(rules) => rules,
            Value::Word(text) => {
                read = Value::list_in_toml(text).ok_or_else(Self::mismatch)?;
                &read
            }
            _ => return Err(Self::mismatch()),
        };
        let mut read = Vec::new();
        for (place, rule) in (1..).zip(rules) {
            let wrong = |what| Mismatch::new(format!("{} (rule {place}: {what})", Self::expected()));
            let rule = RouteRule::read(rule).map_err(wrong)?;
            rule.rule().map_err(|error| wrong(error.to_string()))?;
            read.push(rule);
        }
        if read.len() > tidings_sources::RULES_MAX {
            return Err(Mismatch::new(RuleError::Count.to_string()));
        }
        Ok(RouteRules(read))
    }

    fn show(&self) -> Option<String> {
        let rules: Vec<String> = self.0.iter().map(RouteRule::show).collect();
        Some(format!("[{}]", rules.join(", ")))
    }
}

impl RouteRule {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Table(members) = value else {
            return Err("expected a table".to_owned());
        };
        if let Some((key, _)) = members.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
            return Err(format!("there is no key `{key}`"));
        }
        let member = |name| {
            members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        let gateways = match member("gateways") {
            None => vec![Gateway::Tasks],
            Some(value) => texts("gateways", value)?
                .iter()
                .map(|name| gateway(name))
                .collect::<Result<_, _>>()?,
        };
        Ok(RouteRule {
            when: member("when").map(conditions).transpose()?.unwrap_or_default(),
            rooms: member("rooms")
                .map(|value| texts("rooms", value))
                .transpose()?
                .unwrap_or_default(),
            kind: match member("kind") {
                None => "task_update".to_owned(),
                Some(value) => value.text().ok_or("`kind` is a text")?.to_owned(),
            },
            gateways,
        })
    }

    fn rule(&self) -> Result<Rule, RuleError> {
        let conditions = self
            .when
            .iter()
            .map(|(field, pattern)| Condition::new(field, pattern));
        let rooms = self.rooms.iter().map(|room| Template::parse(room));
        Rule::new(
            conditions.collect::<Result<_, _>>()?,
            rooms.collect::<Result<_, _>>()?,
            &self.kind,
            &self.gateways,
        )
    }

    fn show(&self) -> String {
        let mut text = String::from("{");
        if !self.when.is_empty() {
            let conditions = self
                .when
                .iter()
                .map(|(field, pattern)| format!("{} = {}", quoted(field), quoted(pattern)));
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                " when = {{ {} }},",
                conditions.collect::<Vec<_>>().join(", ")
            );
        }
        let rooms: Vec<String> = self.rooms.iter().map(|room| quoted(room)).collect();
        let gateways: Vec<String> = self
            .gateways
            .iter()
            .map(|gateway| quoted(gateway.as_str()))
            .collect();
        let _ = write!(
            text,
            " rooms = [{}], kind = {}, gateways = [{}] }}",
            rooms.join(", "),
            quoted(&self.kind),
            gateways.join(", ")
        );
        text
    }
}

/// A table of texts, numbers and truths, each as it is compared: as text.
fn conditions(value: &Value) -> Result<Vec<(String, String)>, String> {
    let Value::Table(members) = value else {
        return Err("`when` is a table".to_owned());
    };
    let mut found = Vec::new();
    for (field, value) in members {
        match value {
            Value::Text(text) => found.push((field.clone(), text.clone())),
            Value::Integer(number) => found.push((field.clone(), number.to_string())),
            Value::Boolean(truth) => found.push((field.clone(), truth.to_string())),
            Value::Table(_) => {
                return Err(format!(
                    "the condition on `{field}` is a text; quote names with dots"
                ));
            }
            _ => return Err(format!("the condition on `{field}` is a text")),
        }
    }
    Ok(found)
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let error = || format!("`{name}` is a list of texts");
    let Value::List(items) = value else {
        return Err(error());
    };
    items
        .iter()
        .map(|item| item.text().map(str::to_owned).ok_or_else(error))
        .collect()
}

fn gateway(name: &str) -> Result<Gateway, String> {
    Gateway::ALL
        .into_iter()
        .find(|gateway| gateway.as_str() == name)
        .ok_or_else(|| format!("there is no gateway `{name}`"))
}
