//! The names of the objects in the store (semantics 8).

use kedge_core::model::StackName;

/// What every stack's keys begin with.
pub(crate) const STACKS: &str = "stacks/";
/// The key of the registry of stacks.
pub(crate) const INDEX: &str = "stacks/index.json";
/// The key of what the schedule did last.
pub(crate) const SCHEDULE: &str = "schedule.json";

/// The keys of one stack's objects.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) definitions: String,
    pub(crate) revisions: String,
    pub(crate) state: String,
    pub(crate) history: String,
    pub(crate) watch: String,
    pub(crate) lease: String,
    pub(crate) hold: String,
    pub(crate) runs: String,
    pub(crate) grants: String,
}

impl Keys {
    pub(crate) fn of(stack: &StackName) -> Self {
        Self {
            definitions: format!("stacks/{stack}/definitions.json"),
            revisions: format!("stacks/{stack}/revisions/"),
            state: format!("stacks/{stack}/state.json"),
            history: format!("stacks/{stack}/state/"),
            watch: format!("stacks/{stack}/watch.json"),
            lease: format!("stacks/{stack}/lease.json"),
            hold: format!("stacks/{stack}/hold.json"),
            runs: format!("stacks/{stack}/runs/"),
            grants: format!("stacks/{stack}/grants/"),
        }
    }

    /// What every key of a stack begins with.
    pub(crate) fn all_of(stack: &StackName) -> String {
        format!("{STACKS}{stack}/")
    }

    /// The copy of a revision.
    pub(crate) fn revision(&self, revision: &str) -> String {
        format!("{}{revision}.json", self.revisions)
    }

    /// The copy of the state that a run began from. Ten digits: a list of keys is in the order of the runs.
    pub(crate) fn copy(&self, serial: u64) -> String {
        format!("{}{serial:010}.json", self.history)
    }

    /// The record of a run.
    pub(crate) fn run(&self, run: &str) -> String {
        format!("{}{run}.json", self.runs)
    }

    /// A person's consent.
    pub(crate) fn grant(&self, id: &str) -> String {
        format!("{}{id}.json", self.grants)
    }
}
