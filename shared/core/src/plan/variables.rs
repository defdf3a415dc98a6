//! Config values that came from the environment when a person last ran `up` and are missing here, or the
//! other way round (semantics 4.6).
//!
//! A change that depends on such a value waits for a person. Only names are compared: another value of
//! the same variable is an edit like any other.

use std::collections::BTreeSet;
use std::fmt;

use crate::definitions::variable;
use crate::model::{Declared, ResourceKey};

/// A variable that was set at the last `up` of a person and is not set here, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MovedVariable {
    /// The config key, in lower case.
    pub key: String,
    /// Whether it was set then; it is the other way round now.
    pub was_set: bool,
}

impl MovedVariable {
    /// Its name in the environment: `KEDGE_CONFIG_<NAME>`.
    #[must_use]
    pub fn name(&self) -> String {
        variable(&self.key)
    }
}

impl fmt::Display for MovedVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self.was_set {
            true => write!(f, "{name} was set at the last deploy and is not set here"),
            false => write!(f, "{name} is set here and was not set at the last deploy"),
        }
    }
}

/// The variables that moved since a person last ran `up`, of those that the definitions ask for. None
/// did where nothing is recorded.
pub(super) fn moved(
    declared: &Declared,
    recorded: Option<&BTreeSet<String>>,
) -> Vec<MovedVariable> {
    let Some(recorded) = recorded else {
        return Vec::new();
    };
    let asked = recorded.intersection(&declared.config_keys);
    let gone = asked.filter(|key| !declared.variables.contains(*key));
    let come = declared.variables.difference(recorded);
    let of = |was_set| {
        move |key: &String| MovedVariable {
            key: key.clone(),
            was_set,
        }
    };
    gone.map(of(true)).chain(come.map(of(false))).collect()
}

/// The variable that moved and that a resource depends on, if there is one.
pub(super) fn of_resource<'v>(
    moved: &'v [MovedVariable],
    declared: &Declared,
    key: &ResourceKey,
) -> Option<&'v MovedVariable> {
    if moved.is_empty() {
        return None;
    }
    let named = declared.resources.get(key).map(|own| &own.config_keys);
    moved.iter().find(|variable| {
        let name = &variable.key;
        key.kind().entry().settings.contains(&name.as_str())
            || named.is_some_and(|named| named.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::definitions::{Bundle, ParseInput, parse};
    use crate::model::{Salt, StackName};

    /// What moved since these were set, and the names of the resources that depend on it, where these
    /// are set now.
    fn moves(then: &[&str], now: &[&str]) -> (Vec<(String, bool)>, Vec<String>) {
        let files = [
            (
                "kedge.yaml",
                "project: t\nareas: {plain: {}, kept: {kafka_topics: {retention_ms: \"{keep?}\"}}}\n",
            ),
            (
                "stacks/dev.yaml",
                "config:\n  t:aiven_project: p\n  t:kafka_service: s\n  t:gcp_project: g\n  t:role: x\n",
            ),
            (
                "plain/kafka-topics.yaml",
                "topics:\n  - {name: \"{stack}-a\", partitions: 1, replication: 2, tags: {role: \"{role}\"}}\n",
            ),
            (
                "kept/kafka-topics.yaml",
                "topics: [{name: \"{stack}-k\", partitions: 1, replication: 2}]\n",
            ),
            (
                "plain/pubsub.yaml",
                "topics: [{name: \"{stack}-m\"}]\nsubscriptions:\n  - {name: \"{stack}-s\", topic: \"{stack}-m\", push_endpoint: \"{hook?}\"}\n",
            ),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let value = |name: &&str| match *name {
            "hook" => "https://h.example/".to_owned(),
            _ => "3600000".to_owned(),
        };
        let overrides = now.iter().map(|name| ((*name).to_owned(), value(name)));
        let declared = parse(&ParseInput {
            bundle: &Bundle::new(files.into()).unwrap(),
            stack: &StackName::new("dev").unwrap(),
            overrides: &overrides.collect(),
            salt: &Salt([0; 16]),
        });
        let declared = declared.unwrap_or_else(|problems| panic!("{problems:?}"));
        let then = then.iter().map(|name| (*name).to_owned()).collect();
        let moved = moved(&declared, Some(&then));
        let depends = declared.resources.keys();
        let depends = depends.filter(|key| of_resource(&moved, &declared, key).is_some());
        let names = depends.map(|key| key.name().to_owned()).collect();
        let pairs = moved.iter().map(|one| (one.key.clone(), one.was_set));
        (pairs.collect(), names)
    }

    #[test]
    fn what_depends_on_a_variable() {
        for (then, now, moved, depending) in [
            (&[][..], &[][..], &[][..], &[][..]),
            (&["hook"], &["hook"], &[], &[]),
            (&["hook"], &[], &[("hook", true)], &["dev-s"]),
            (&[], &["hook"], &[("hook", false)], &["dev-s"]),
            // It wins over the file where it is set.
            (&[], &["role"], &[("role", false)], &["dev-a"]),
            // What an area's defaults name reaches all.
            (
                &["keep"],
                &[],
                &[("keep", true)],
                &["dev-a", "dev-k", "dev-m", "dev-s"],
            ),
            (
                &["kafka_service"],
                &[],
                &[("kafka_service", true)],
                &["dev-a", "dev-k"],
            ),
            (
                &["gcp_project"],
                &[],
                &[("gcp_project", true)],
                &["dev-m", "dev-s"],
            ),
            // Nothing asks for them.
            (&["other"], &["another"], &[], &[]),
        ] {
            let moved = moved.iter().map(|(name, was)| ((*name).to_owned(), *was));
            let expected = (
                moved.collect(),
                depending.iter().map(|&name| name.to_owned()).collect(),
            );
            assert_eq!(moves(then, now), expected, "{then:?} {now:?}");
        }
    }

    #[test]
    fn a_state_from_before_holds_nothing_back() {
        let bundle = Bundle::new(
            [
                ("kedge.yaml".to_owned(), "project: t\n".to_owned()),
                ("stacks/dev.yaml".to_owned(), "config: {}\n".to_owned()),
            ]
            .into(),
        );
        let declared = parse(&ParseInput {
            bundle: &bundle.unwrap(),
            stack: &StackName::new("dev").unwrap(),
            overrides: &BTreeMap::new(),
            salt: &Salt([0; 16]),
        });
        let mut declared = declared.unwrap();
        declared.variables.insert("x".to_owned());
        assert_eq!(moved(&declared, None), []);
        assert_eq!(moved(&declared, Some(&BTreeSet::new())).len(), 1);
    }
}
