//! The names of the objects in the store (semantics 8).

use kedge_core::model::StackName;

/// What every stack's keys begin with.
pub(crate) const STACKS: &str = "stacks/";
/// The key of the registry of stacks.
pub(crate) const INDEX: &str = "stacks/index.json";
/// The key of what the schedule did last.
pub(crate) const SCHEDULE: &str = "schedule.json";

/// Which kind of object a key names, without the names in it, for logs: `state`, `runs`; `all` of a prefix
/// that has every kind.
pub(crate) fn kind(key: &str) -> &str {
    let own = match key.strip_prefix(STACKS) {
        Some(of_stacks) => of_stacks.split_once('/').map_or(of_stacks, |(_, own)| own),
        None => key,
    };
    let first = own.split_once('/').map_or(own, |(first, _)| first);
    match first.strip_suffix(".json").unwrap_or(first) {
        "" => "all",
        kind => kind,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_key_has_no_name_in_it() {
        for (key, expected) in [
            ("stacks/dev/state.json", "state"),
            ("stacks/dev/state/0000000001.json", "state"),
            ("stacks/dev/grants/1795348800000-0badcafe.json", "grants"),
            ("stacks/dev/revisions/", "revisions"),
            ("stacks/dev/", "all"),
            ("stacks/", "all"),
            (INDEX, "index"),
            (SCHEDULE, "schedule"),
            ("upload/dev/area/kafka-topics.yaml", "upload"),
        ] {
            assert_eq!(kind(key), expected, "{key}");
        }
    }
}
