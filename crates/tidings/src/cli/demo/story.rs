//! What happens, one step after the other. Nothing here asks the server, so that a seed gives the same story however the server
//! fares.

use tidings_store::{ExecutionStatus, NodeStatus};

use super::cast::{Person, WORKFLOWS, Workflow};
use super::dice::Dice;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A node, by its place among all, stands so now.
    Node {
        index: usize,
        status: NodeStatus,
        message: Option<&'static str>,
    },
    /// There is something to do.
    TaskCreated { title: String },
    /// The oldest open task is done.
    TaskDone,
    /// Somebody is interested.
    LeadCreated(Person),
    /// A lead goes on, or is lost; which one is for the number to say.
    LeadMoved(u64),
}

/// A run from its start to its end.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) workflow: &'static Workflow,
    pub(super) steps: Vec<Step>,
    pub(super) end: ExecutionStatus,
    /// Why it failed.
    pub(super) message: Option<&'static str>,
}

/// The story as a whole.
#[derive(Debug)]
pub(super) struct Story {
    dice: Dice,
    runs: usize,
}

impl Story {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            runs: 0,
        }
    }

    /// What there is before the first run, so that nobody looks at an empty page.
    pub(super) fn opening(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..6 {
            steps.push(Step::LeadCreated(Person::throw(&mut self.dice)));
        }
        for _ in 0..5 {
            steps.push(Step::LeadMoved(self.dice.word()));
        }
        for workflow in &WORKFLOWS[1..] {
            steps.push(self.task(workflow));
        }
        steps.push(Step::TaskDone);
        steps
    }

    /// The next run. The first one succeeds; of the others one in five fails.
    pub(super) fn next_run(&mut self) -> Script {
        let workflow = &WORKFLOWS[self.runs % WORKFLOWS.len()];
        let stages = workflow.stages.len();
        let fails_in = (self.runs > 0 && self.dice.once_in(5)).then(|| 2 + self.dice.below(stages - 2));
        self.runs += 1;
        let mut script = Script {
            workflow,
            steps: Vec::new(),
            end: ExecutionStatus::Completed,
            message: None,
        };
        let mut first = 0;
        for (number, stage) in workflow.stages.iter().enumerate() {
            self.stage(&mut script, first, number, fails_in == Some(number));
            first += stage.len();
            if script.end == ExecutionStatus::Failed {
                for index in first..workflow.nodes().count() {
                    script.node(index, NodeStatus::Cancelled, None);
                }
                break;
            }
        }
        script
    }

    /// A stage whose nodes begin with the `first` of all: they begin one after the other, and end in the opposite order.
    fn stage(&mut self, script: &mut Script, first: usize, number: usize, fails: bool) {
        let mut running = Vec::new();
        for (index, node) in (first..).zip(script.workflow.stages[number]) {
            if let Some(reason) = node.skipped.filter(|_| self.dice.once_in(3)) {
                script.node(index, NodeStatus::Skipped, Some(reason));
            } else {
                running.push((index, node));
                script.node(index, NodeStatus::Running, Some(node.message));
            }
        }
        let aside = self.aside(script.workflow, number);
        script.steps.push(aside);
        while let Some((index, node)) = running.pop() {
            // The last one that still runs is the one that fails.
            if fails && running.is_empty() {
                script.node(index, NodeStatus::Failed, Some(node.failure));
                script.end = ExecutionStatus::Failed;
                script.message = Some(node.failure);
            } else {
                script.node(index, NodeStatus::Completed, None);
            }
        }
    }

    /// What happens beside a stage.
    fn aside(&mut self, workflow: &Workflow, stage: usize) -> Step {
        match stage {
            0 => Step::LeadCreated(Person::throw(&mut self.dice)),
            1 => self.task(workflow),
            2 | 4 => Step::LeadMoved(self.dice.word()),
            _ => Step::TaskDone,
        }
    }

    fn task(&mut self, workflow: &Workflow) -> Step {
        Step::TaskCreated {
            title: workflow.task_for(&Person::throw(&mut self.dice)),
        }
    }
}

impl Script {
    fn node(&mut self, index: usize, status: NodeStatus, message: Option<&'static str>) {
        self.steps.push(Step::Node {
            index,
            status,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seed: u64) -> String {
        let mut story = Story::new(seed);
        let opening = story.opening();
        let runs: Vec<_> = (0..20).map(|_| story.next_run()).collect();
        format!("{opening:?} {runs:?}")
    }

    #[test]
    fn a_seed_tells_one_story() {
        assert_eq!(told(7), told(7));
        assert_ne!(told(7), told(8));
    }

    #[test]
    fn every_run_ends_and_says_of_each_node_how_it_ended() {
        let mut ends = [0, 0];
        for seed in 0..50 {
            let mut story = Story::new(seed);
            for number in 0..12 {
                let script = story.next_run();
                let mut nodes = vec![NodeStatus::Pending; script.workflow.nodes().count()];
                for step in &script.steps {
                    if let Step::Node { index, status, .. } = step {
                        assert!(
                            !nodes[*index].is_terminal() && nodes[*index] != *status,
                            "{script:?}"
                        );
                        nodes[*index] = *status;
                    }
                }
                assert!(nodes.iter().all(|status| status.is_terminal()), "{script:?}");
                let failed = nodes
                    .iter()
                    .filter(|status| **status == NodeStatus::Failed)
                    .count();
                let is_failed = script.end == ExecutionStatus::Failed;
                assert_eq!(failed, usize::from(is_failed), "{script:?}");
                assert_eq!(script.message.is_some(), is_failed);
                assert!(number > 0 || !is_failed, "the first run succeeds");
                ends[usize::from(is_failed)] += 1;
            }
        }
        assert!(ends[0] > 3 * ends[1] && ends[1] > 50, "{ends:?}");
    }
}
