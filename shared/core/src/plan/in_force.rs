//! The policy in force (semantics 4.4): a revision may make its own policy stricter at once. Allowing
//! automation more needs a person's consent.

use crate::model::{Guards, OnMissing, Policy};

/// What the definitions would change about the policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyChange {
    /// What becomes stricter; in force at once.
    pub tightened: Vec<String>,
    /// What would allow automation more; needs a person's consent to the key `policy`.
    pub loosened: Vec<String>,
}

/// The stricter of the recorded policy and the one the definitions ask for, and what differs. With
/// nothing recorded the definitions' own counts.
#[must_use]
pub fn policy_in_force(recorded: Option<&Policy>, asked: &Policy) -> (Policy, PolicyChange) {
    let Some(recorded) = recorded else {
        return (asked.clone(), PolicyChange::default());
    };
    let mut change = PolicyChange::default();
    let Policy {
        correct,
        deploy,
        correct_after_ms,
        on_missing,
        protected,
        prune,
        guards,
    } = asked;
    let was = recorded;
    let policy = Policy {
        correct: stricter(&mut change, "correct", was.correct, *correct, |v| {
            v.as_str().to_owned()
        }),
        deploy: stricter(&mut change, "deploy", was.deploy, *deploy, |v| {
            v.as_str().to_owned()
        }),
        // A longer announcement is stricter, so the order is turned round.
        correct_after_ms: -stricter(
            &mut change,
            "correct_after",
            -was.correct_after_ms,
            -correct_after_ms,
            |v| span_text(-v),
        ),
        on_missing: stricter(
            &mut change,
            "on_missing",
            MissingScale::of(was.on_missing),
            MissingScale::of(*on_missing),
            |v| v.rule().map_or("by name", OnMissing::as_str).to_owned(),
        )
        .rule(),
        protected: !stricter(&mut change, "protected", !was.protected, !protected, |v| {
            (!v).to_string()
        }),
        prune: stricter(&mut change, "prune", was.prune, *prune, |v| v.to_string()),
        guards: guards_in_force(&mut change, &was.guards, guards),
    };
    (policy, change)
}

/// A span as a definition writes it.
fn span_text(ms: i64) -> String {
    match ms % 60_000 {
        0 => format!("{}m", ms / 60_000),
        _ => format!("{ms}ms"),
    }
}

fn guards_in_force(change: &mut PolicyChange, was: &Guards, asked: &Guards) -> Guards {
    let Guards {
        changes_max,
        share_percent_max,
        creates_max,
        daily_automatic_max,
    } = *asked;
    let mut limit =
        |name, was: u32, asked: u32| stricter(change, name, was, asked, |value| value.to_string());
    Guards {
        changes_max: limit("changes_max", was.changes_max, changes_max),
        share_percent_max: limit(
            "share_percent_max",
            was.share_percent_max,
            share_percent_max,
        ),
        creates_max: limit("creates_max", was.creates_max, creates_max),
        daily_automatic_max: limit(
            "daily_automatic_max",
            was.daily_automatic_max,
            daily_automatic_max,
        ),
    }
}

/// `on_missing` from strict to loose: by name, which recreates some, stands between the two rules.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum MissingScale {
    Alert,
    ByName,
    Recreate,
}

impl MissingScale {
    fn of(rule: Option<OnMissing>) -> Self {
        match rule {
            Some(OnMissing::Alert) => Self::Alert,
            None => Self::ByName,
            Some(OnMissing::Recreate) => Self::Recreate,
        }
    }

    fn rule(self) -> Option<OnMissing> {
        match self {
            Self::Alert => Some(OnMissing::Alert),
            Self::ByName => None,
            Self::Recreate => Some(OnMissing::Recreate),
        }
    }
}

/// The smaller of two values of a scale from strict to loose, noting which way it went.
fn stricter<T: PartialOrd + Copy>(
    change: &mut PolicyChange,
    name: &str,
    recorded: T,
    asked: T,
    show: impl Fn(T) -> String,
) -> T {
    let text = || format!("{name} {} → {}", show(recorded), show(asked));
    if asked > recorded {
        change.loosened.push(text());
        recorded
    } else {
        if asked < recorded {
            change.tightened.push(text());
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Allowance;

    #[test]
    fn tightening_counts_at_once_and_loosening_waits() {
        let recorded = Policy {
            correct: Allowance::Safe,
            protected: true,
            ..Policy::default()
        };
        let asked = Policy {
            correct: Allowance::Disruptive,
            protected: false,
            correct_after_ms: 0,
            guards: Guards {
                changes_max: 5,
                ..Guards::default()
            },
            ..recorded.clone()
        };
        let (policy, change) = policy_in_force(Some(&recorded), &asked);
        assert_eq!(policy.correct, Allowance::Safe);
        assert!(policy.protected);
        assert_eq!(policy.correct_after_ms, Policy::CORRECT_AFTER_MS);
        assert_eq!(policy.guards.changes_max, 5);
        assert_eq!(change.tightened, ["changes_max 100 → 5"]);
        assert_eq!(
            change.loosened,
            [
                "correct safe → disruptive",
                "correct_after 15m → 0m",
                "protected true → false"
            ]
        );
        let (policy, change) = policy_in_force(None, &asked);
        assert_eq!((policy, change), (asked, PolicyChange::default()));
    }

    #[test]
    fn on_missing_by_name_stands_between_alert_and_recreate() {
        let rules = [Some(OnMissing::Alert), None, Some(OnMissing::Recreate)];
        for (was, recorded) in rules.iter().enumerate() {
            for (now, asked) in rules.iter().enumerate() {
                let policy = |on_missing| Policy {
                    on_missing,
                    ..Policy::default()
                };
                let (policy, change) = policy_in_force(Some(&policy(*recorded)), &policy(*asked));
                assert_eq!(policy.on_missing, rules[was.min(now)]);
                assert_eq!(change.loosened.len(), usize::from(now > was));
                assert_eq!(change.tightened.len(), usize::from(now < was));
            }
        }
    }
}
