//! What is described by documents: which listener has which parts of it.

use clap::ValueEnum;

/// A part of what listeners serve that has documents of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Documented {
    Flow,
    Tasks,
    Dapr,
    Workflows,
}

/// A gateway, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GatewayName {
    /// Leads and voice commands of tenants
    Flow,
    /// Task updates of users, and Dapr's routes
    Tasks,
    /// Workflows and executions
    Workflows,
}

impl Documented {
    /// All of them.
    pub(crate) const ALL: &[Documented] = &[
        Documented::Flow,
        Documented::Tasks,
        Documented::Dapr,
        Documented::Workflows,
    ];

    /// The parts of a listener of these gateways. Dapr's routes are `ingest`'s if they have a listener of their own.
    pub(crate) fn of(gateways: &[&str], has_ingest_listener: bool) -> Vec<Documented> {
        let has = |gateway| gateways.contains(&gateway);
        let ingest = if has_ingest_listener { "ingest" } else { "tasks" };
        Documented::ALL
            .iter()
            .copied()
            .filter(|part| match part {
                Documented::Flow => has("flow"),
                Documented::Tasks => has("tasks"),
                Documented::Dapr => has(ingest),
                Documented::Workflows => has("workflows"),
            })
            .collect()
    }

    /// The parts of a gateway that has a listener of its own, or of all gateways.
    pub(crate) fn of_gateway(gateway: Option<GatewayName>) -> &'static [Documented] {
        match gateway {
            None => Documented::ALL,
            Some(GatewayName::Flow) => &[Documented::Flow],
            Some(GatewayName::Tasks) => &[Documented::Tasks, Documented::Dapr],
            Some(GatewayName::Workflows) => &[Documented::Workflows],
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Documented::Flow => "flow",
            Documented::Tasks => "tasks",
            Documented::Dapr => "Dapr",
            Documented::Workflows => "workflows",
        }
    }
}

/// The title of a document about these parts.
pub(crate) fn title(parts: &[Documented]) -> String {
    let names: Vec<_> = parts.iter().map(|part| part.as_str()).collect();
    format!("Tidings: {}", names.join(", "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Each gateway on a listener of its own, by the name of its snapshots.
    pub(crate) const LISTENERS: [(&str, &[Documented]); 3] = [
        ("flow", &[Documented::Flow]),
        ("tasks", &[Documented::Tasks, Documented::Dapr]),
        ("workflows", &[Documented::Workflows]),
    ];

    pub(crate) fn assert_references(document: &str) {
        let parsed: serde_json::Value = serde_json::from_str(document).unwrap();
        let mut count = 0;
        for reference in document.split("\"#/").skip(1) {
            let pointer = format!("/{}", reference.split('"').next().unwrap());
            assert!(parsed.pointer(&pointer).is_some(), "{pointer}");
            count += 1;
        }
        assert_ne!(count, 0, "references are found");
    }

    pub(crate) fn assert_snapshot(kind: &str, name: &str, document: &str) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
        let committed = std::fs::read_to_string(format!("{folder}/{kind}-{name}.json")).unwrap_or_default();
        assert!(
            committed == document,
            "the document changed; look at the difference: cargo run -- {kind} {name} > docs/reference/{kind}-{name}.json"
        );
    }

    #[test]
    fn listeners_have_their_parts() {
        use Documented::{Dapr, Flow, Tasks, Workflows};
        let table: [(&[&str], bool, &[Documented]); 6] = [
            (&["flow"], false, &[Flow]),
            (&["tasks"], false, &[Tasks, Dapr]),
            (&["tasks"], true, &[Tasks]),
            (&["ingest"], true, &[Dapr]),
            (&["operators"], false, &[]),
            (&["workflows", "operators", "flow"], true, &[Flow, Workflows]),
        ];
        for (gateways, has_ingest_listener, parts) in table {
            assert_eq!(
                Documented::of(gateways, has_ingest_listener),
                parts,
                "{gateways:?}"
            );
        }
        for (name, parts) in LISTENERS {
            assert_eq!(Documented::of(&[name], false), parts);
        }
        assert_eq!(title(&[Flow, Workflows]), "Tidings: flow, workflows");
    }
}
