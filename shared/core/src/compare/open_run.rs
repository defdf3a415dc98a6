//! A run whose changes have no known end: who runs it, and whether it still works.
//!
//! State names the run and its changes (`applying`). The lease says who has the stack, and since when. What
//! this means for each resource is decided in `under_way.rs`.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{ResourceKey, Timestamp, ago, printable};

/// A run whose changes have no known end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Which.
    pub run: String,
    /// Who runs it: `ana@laptop`.
    pub actor: String,
    /// What became of it.
    pub stage: Stage,
    /// When the lease was read: the store's time, as all times here.
    pub read_at: Timestamp,
    /// The resources whose change has no known end.
    pub keys: BTreeSet<ResourceKey>,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It has the lease and is at work.
    Working {
        /// Since when it has the lease.
        since: Timestamp,
    },
    /// It stopped in the middle: its lease ended, or was taken from it.
    BrokeOff {
        /// When it renewed its lease last; none if the lease is another's by now.
        last_seen: Option<Timestamp>,
        /// Who has the stack now, with the run, if somebody does.
        next: Option<(String, String)>,
    },
    /// It ended in good order, and nobody knows how some of its changes ended.
    OutcomeUnknown,
    /// Whether it still works can't be read.
    Unread {
        /// Why.
        why: String,
    },
}

impl OpenRun {
    /// Whether it is at work.
    #[must_use]
    pub fn is_working(&self) -> bool {
        matches!(self.stage, Stage::Working { .. })
    }

    /// Whether it is at work on this resource.
    #[must_use]
    pub fn is_changing(&self, key: &ResourceKey) -> bool {
        self.is_working() && self.keys.contains(key)
    }

    /// `ana@laptop's run 1-2`.
    fn whose(&self) -> String {
        printable(&format!("{}'s run {}", self.actor, self.run))
    }

    /// `being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 12 s ago`.
    fn by(&self, since: Timestamp) -> String {
        let since = since.with_distance(self.read_at);
        let (actor, run) = (printable(&self.actor), printable(&self.run));
        format!("being changed by {actor} (run {run}) since {since}")
    }

    /// What to say of one of its resources.
    #[must_use]
    pub fn of_resource(&self) -> String {
        match &self.stage {
            Stage::Working { since } => self.by(*since),
            Stage::BrokeOff { .. } => {
                let whose = self.whose();
                format!("{whose} was interrupted while it changed this; the next run finishes it")
            }
            Stage::OutcomeUnknown => {
                format!(
                    "the outcome of the change by {} is not known yet",
                    self.whose()
                )
            }
            Stage::Unread { .. } => {
                format!(
                    "{} was changing this; whether it is still working is not known",
                    self.whose()
                )
            }
        }
    }
}

/// The sentence about the stack.
impl fmt::Display for OpenRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = match self.keys.len() {
            1 => "1 change".to_owned(),
            many => format!("{many} changes"),
        };
        let whose = self.whose();
        match &self.stage {
            Stage::Working { since } => write!(f, "the stack is {}", self.by(*since)),
            Stage::BrokeOff { last_seen, next } => {
                write!(f, "{whose} was interrupted")?;
                if let Some(seen) = last_seen {
                    write!(f, " {}", ago(self.read_at.ms_since(*seen)))?;
                }
                match next {
                    Some((actor, run)) => {
                        let (actor, run) = (printable(actor), printable(run));
                        write!(f, "; {actor} (run {run}) has the stack now")
                    }
                    None => f.write_str("; the next run finishes it"),
                }
            }
            Stage::OutcomeUnknown => write!(
                f,
                "the outcome of {changes} by {whose} is not known yet; the next run finds out"
            ),
            Stage::Unread { why } => write!(
                f,
                "{whose} began {changes}; whether it is still working could not be read: {}",
                printable(why)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(stage: Stage) -> OpenRun {
        let at = Timestamp::parse("2026-11-22T03:12:19Z").unwrap();
        OpenRun {
            run: "1-2".to_owned(),
            actor: "ana@laptop".to_owned(),
            stage,
            read_at: at,
            keys: [ResourceKey::pubsub_topic("p", "t")].into(),
        }
    }

    #[test]
    fn each_stage_is_one_clear_sentence() {
        let at = open(Stage::OutcomeUnknown).read_at;
        let working = open(Stage::Working {
            since: at.plus_ms(-12_000),
        });
        assert_eq!(
            working.to_string(),
            "the stack is being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 12 s ago"
        );
        assert_eq!(
            working.of_resource(),
            "being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 12 s ago"
        );
        let mut broke_off = open(Stage::BrokeOff {
            last_seen: Some(at.plus_ms(-180_000)),
            next: None,
        });
        assert_eq!(
            broke_off.to_string(),
            "ana@laptop's run 1-2 was interrupted 3 min ago; the next run finishes it"
        );
        broke_off.stage = Stage::BrokeOff {
            last_seen: None,
            next: Some(("ben@desk".to_owned(), "3-4".to_owned())),
        };
        assert_eq!(
            broke_off.to_string(),
            "ana@laptop's run 1-2 was interrupted; ben@desk (run 3-4) has the stack now"
        );
        assert_eq!(
            open(Stage::OutcomeUnknown).to_string(),
            "the outcome of 1 change by ana@laptop's run 1-2 is not known yet; the next run finds out"
        );
    }

    #[test]
    fn a_run_that_works_is_changing_its_own_resources_alone() {
        let own = ResourceKey::pubsub_topic("p", "t");
        let other = ResourceKey::pubsub_topic("p", "u");
        let at = open(Stage::OutcomeUnknown).read_at;
        let working = open(Stage::Working { since: at });
        assert!(working.is_changing(&own) && !working.is_changing(&other));
        let ended = open(Stage::OutcomeUnknown);
        assert!(!ended.is_changing(&own) && !ended.is_changing(&other));
    }
}
