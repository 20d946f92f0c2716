//! The made-up application: its workflows, and people who may become its customers.

use super::dice::Dice;

/// A workflow of the made-up application.
#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// One stage after the other; the nodes of a stage run side by side.
    pub(super) stages: &'static [&'static [Node]],
    /// What somebody has to do behind a run of it, for a `{name}` or `{company}`.
    task: &'static str,
}

/// A node. Its id begins with its number, so that ids sort in the order of the run.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) message: &'static str,
    /// What is said when it fails.
    pub(super) failure: &'static str,
    /// Why it may be left out.
    pub(super) skipped: Option<&'static str>,
}

const fn node(id: &'static str, name: &'static str, message: &'static str, failure: &'static str) -> Node {
    Node {
        id,
        name,
        message,
        failure,
        skipped: None,
    }
}

impl Node {
    /// The same, left out now and then.
    const fn or_skipped(self, reason: &'static str) -> Node {
        Node {
            skipped: Some(reason),
            ..self
        }
    }
}

/// What runs, in turn.
#[rustfmt::skip] // a table
pub(super) const WORKFLOWS: [Workflow; 3] = [
    Workflow {
        id: "inquiry",
        name: "Customer inquiry",
        stages: &[
            &[node("1-receive", "Receive message", "Reading the message", "The message is empty")],
            &[node("2-classify", "Classify", "Which team is it for?", "No team matches")],
            &[node("3-customer", "Look up customer", "Asking the register", "The register does not answer"),
              node("4-orders", "Recent orders", "Reading the last ten orders", "Timed out").or_skipped("No orders yet")],
            &[node("5-draft", "Draft answer", "Writing a draft", "The draft is too long")],
            &[node("6-review", "Review", "Comparing with the policies", "It promises a refund")],
            &[node("7-send", "Send answer", "Handing it to the mail server", "The mailbox is full")],
        ],
        task: "Call {name} back",
    },
    Workflow {
        id: "invoice",
        name: "Invoice intake",
        stages: &[
            &[node("1-scan", "Read scan", "Recognising text on 3 pages", "Page 2 is blank")],
            &[node("2-fields", "Extract fields", "Looking for date and total", "There is no total")],
            &[node("3-order", "Match order", "Comparing with open orders", "No order fits"),
              node("4-vat", "Check VAT id", "Asking the tax office", "The VAT id is not known")],
            &[node("5-approve", "Approval", "Waiting for the team lead", "Rejected").or_skipped("Below the limit")],
            &[node("6-book", "Book", "Writing to the ledger", "The period is closed")],
        ],
        task: "Check the invoice of {company}",
    },
    Workflow {
        id: "onboarding",
        name: "Customer onboarding",
        stages: &[
            &[node("1-contract", "Read contract", "Finding start date and plan", "It is not signed")],
            &[node("2-account", "Create account", "Making the account", "The name is taken"),
              node("3-billing", "Set up billing", "Registering the card", "The card was declined"),
              node("4-import", "Import data", "Importing 1,240 contacts", "Line 17 is cut off").or_skipped("Nothing to import")],
            &[node("5-invite", "Invite users", "Sending 6 invitations", "An address does not exist")],
            &[node("6-verify", "Verify", "Signing in as the first user", "The sign-in was refused")],
            &[node("7-welcome", "Welcome", "Scheduling the first call", "The calendar is full")],
        ],
        task: "Prepare the call with {company}",
    },
];

#[rustfmt::skip]
const FIRST_NAMES: [&str; 16] = [
    "Amara", "Bruno", "Chiara", "Daniel", "Elif", "Freja", "Goran", "Hana", "Ines", "Jonas", "Karim", "Leila", "Marek", "Noor", "Olga", "Pedro",
];
#[rustfmt::skip]
const LAST_NAMES: [&str; 16] = [
    "Adeyemi", "Berg", "Costa", "Dahl", "Eriksen", "Fischer", "Garcia", "Horvat", "Ito", "Jensen", "Kowalski", "Laurent", "Moreau", "Novak",
    "Okafor", "Petrov",
];
#[rustfmt::skip]
const COMPANIES: [&str; 12] = [
    "Alder Logistics", "Brightwater Foods", "Cobalt Works", "Dunmore Textiles", "Eastgate Clinics", "Fernhill Energy", "Granite Print",
    "Harbour Freight", "Ironbridge Tools", "Juniper Travel", "Kestrel Optics", "Larkfield Homes",
];

/// Somebody who may become a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) company: &'static str,
}

impl Workflow {
    /// All nodes, in the order of their ids.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &'static Node> {
        self.stages.iter().copied().flatten()
    }

    /// What somebody has to do behind a run of it.
    pub(super) fn task_for(&self, person: &Person) -> String {
        self.task
            .replace("{name}", &person.name)
            .replace("{company}", person.company)
    }
}

impl Person {
    /// Somebody by chance.
    pub(super) fn throw(dice: &mut Dice) -> Self {
        let (first, last) = (dice.choose(&FIRST_NAMES), dice.choose(&LAST_NAMES));
        Self {
            name: format!("{first} {last}"),
            email: format!("{first}.{last}@example.com").to_lowercase(),
            company: dice.choose::<&'static str>(&COMPANIES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_in_the_order_of_their_ids() {
        for workflow in &WORKFLOWS {
            let ids: Vec<_> = workflow.nodes().map(|node| node.id).collect();
            assert!(ids.is_sorted(), "{ids:?}");
        }
    }
}
