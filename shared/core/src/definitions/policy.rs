//! The keys of a policy and of the guards, which stand in `kedge.yaml` and in stack files.

use crate::model::{Allowance, CheckEvery, OnMissing, Policy, Unit};

use super::context::{Entry, Filled, ParseContext};
use super::fields::ON_MISSING;
use super::problem::Place;
use super::scalar::{self, Fault};
use super::units;
use super::yaml::Node;

/// The keys of a policy.
pub(super) const KEYS: [&str; 7] = [
    "correct",
    "deploy",
    "correct_after",
    "on_missing",
    "protected",
    "prune",
    "check_every",
];
/// The keys of the guards.
pub(super) const GUARDS: [&str; 4] = [
    "changes_max",
    "share_percent_max",
    "creates_max",
    "daily_automatic_max",
];
/// The words of `correct` and `deploy`.
pub(super) const ALLOWANCES: [&str; 3] = ["none", "safe", "disruptive"];

/// What `policy` says.
#[derive(Debug, Clone, Default)]
pub(super) struct PolicyKeys {
    /// What automation may do.
    pub(super) policy: Policy,
    /// How often it looks.
    pub(super) check_every: CheckEvery,
}

/// Reads a policy over the one that counts so far. Hands back where `protected` is written.
pub(super) fn read<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &Node,
    keys: &mut PolicyKeys,
) -> Option<Place<'a>> {
    let mut protected = None;
    for entry in context.entries(file, node, "a policy") {
        if !KEYS.contains(&entry.key) {
            context.unknown_key(file, &entry, KEYS);
            continue;
        }
        let Filled::Text(text) = context.text(file, entry.key, entry.value) else {
            continue;
        };
        let place = Place {
            file,
            pos: entry.value.pos,
        };
        if entry.key == "protected" {
            protected = Some(place);
        }
        let result = set(keys, &entry, &text);
        context.ok(place, result);
    }
    protected
}

fn set(keys: &mut PolicyKeys, entry: &Entry<'_, '_>, text: &str) -> Result<(), Fault> {
    let (name, policy) = (entry.key, &mut keys.policy);
    match name {
        "correct" => policy.correct = allowance(name, text)?,
        "deploy" => policy.deploy = allowance(name, text)?,
        "correct_after" => policy.correct_after_ms = delay(name, text)?,
        "on_missing" => {
            policy.on_missing = Some(match scalar::choice(name, text, &ON_MISSING)? {
                "recreate" => OnMissing::Recreate,
                _ => OnMissing::Alert,
            });
        }
        "protected" => policy.protected = scalar::boolean(name, text)?,
        "check_every" => keys.check_every = check_every(name, text)?,
        _ => policy.prune = scalar::boolean(name, text)?,
    }
    Ok(())
}

fn allowance(name: &str, text: &str) -> Result<Allowance, Fault> {
    Ok(match scalar::choice(name, text, &ALLOWANCES)? {
        "safe" => Allowance::Safe,
        "disruptive" => Allowance::Disruptive,
        _ => Allowance::None,
    })
}

/// A length of time with its unit: a bare `15` could be minutes or milliseconds.
fn delay(name: &str, text: &str) -> Result<i64, Fault> {
    let is_bare = text != "0" && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = match is_bare {
        true => None,
        false => scalar::int(name, text, Unit::Milliseconds, 0, i64::MAX).ok(),
    };
    read.ok_or_else(|| Fault {
        message: scalar::cannot_be(name, text),
        hint: units::time(text),
    })
}

fn check_every(name: &str, text: &str) -> Result<CheckEvery, Fault> {
    CheckEvery::of_ms(delay(name, text)?).ok_or_else(|| Fault {
        message: scalar::cannot_be(name, text),
        hint: format!(
            "it must be {} to {}",
            units::shown_ms(CheckEvery::MIN_MS),
            units::shown_ms(CheckEvery::MAX_MS)
        ),
    })
}

/// Reads the guards.
pub(super) fn guards(context: &mut ParseContext<'_>, file: &str, node: &Node, policy: &mut Policy) {
    for entry in context.entries(file, node, "`guards`") {
        let (slot, max) = match entry.key {
            "changes_max" => (&mut policy.guards.changes_max, i64::from(u32::MAX)),
            "share_percent_max" => (&mut policy.guards.share_percent_max, 100),
            "creates_max" => (&mut policy.guards.creates_max, i64::from(u32::MAX)),
            "daily_automatic_max" => (&mut policy.guards.daily_automatic_max, i64::from(u32::MAX)),
            _ => {
                context.unknown_key(file, &entry, GUARDS);
                continue;
            }
        };
        let Filled::Text(text) = context.text(file, entry.key, entry.value) else {
            continue;
        };
        let place = Place {
            file,
            pos: entry.value.pos,
        };
        let number = context.ok(place, scalar::int(entry.key, &text, Unit::Plain, 0, max));
        if let Some(number) = number.and_then(|number| u32::try_from(number).ok()) {
            *slot = number;
        }
    }
}
