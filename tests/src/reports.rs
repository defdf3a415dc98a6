//! What a report says and how changes ended, as words that a test compares.
#![expect(clippy::panic, reason = "a scenario that can't go on has failed")]

use kedge_core::compare::{Difference, Verdict};
use kedge_core::documents::{ReasonCode, Word as _};
use kedge_core::report::{ChangeResult, Changed, Report};

use crate::stack::Stack;

/// What differs of a resource.
///
/// # Panics
/// When the report does not know it.
#[must_use]
pub fn difference<'a>(report: &'a Report, short: &str) -> &'a Difference {
    let mut found = report
        .comparison
        .differences
        .values()
        .filter(|difference| difference.key.answers_to(short));
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        other => panic!("{short}: {other:?}"),
    }
}

/// How a resource stands.
#[must_use]
pub fn verdict(report: &Report, short: &str) -> Verdict {
    difference(report, short).verdict
}

/// Why steps on a resource are not made now, as codes.
#[must_use]
pub fn left_reasons(report: &Report, short: &str) -> Vec<&'static str> {
    let all = report.decided.left();
    all.filter(|left| left.key.answers_to(short))
        .map(|left| ReasonCode::from(left.reason).as_str())
        .collect()
}

/// How changes ended, as sorted lines of verb, name and outcome.
#[must_use]
pub fn results(changed: &Changed) -> Vec<String> {
    let mut lines = results_in_order(changed);
    lines.sort_unstable();
    lines
}

/// The same in the order in which they ended.
#[must_use]
pub fn results_in_order(changed: &Changed) -> Vec<String> {
    let line = |result: &ChangeResult| {
        let change = &result.approved.change;
        let (verb, outcome) = (change.verb.as_str(), result.outcome.as_str());
        format!("{verb} {} {outcome}", change.key.name())
    };
    changed.results.iter().map(line).collect()
}

/// What differs and what is left, for a failed assertion.
#[must_use]
pub fn describe(report: &Report) -> String {
    let mut lines = vec![report.verdict().to_string()];
    for difference in report.comparison.differences.values() {
        if difference.verdict != Verdict::InSync {
            lines.push(format!("{difference:?}"));
        }
    }
    lines.extend(
        report
            .decided
            .left()
            .map(|left| format!("left {} {}", left.key, left.reason)),
    );
    lines.extend(
        report
            .plan
            .findings
            .iter()
            .map(|finding| format!("{finding:?}")),
    );
    lines.join("\n")
}

/// Whether a DNS record or a role's policy in the world holds this address or member.
#[must_use]
pub fn world_has_item(stack: &Stack, item: &str) -> bool {
    let world = stack.ports.sandbox.world();
    let (topics, zones) = (&world["pubsub"]["topics"], &world["cloudflare"]["zones"]);
    format!("{topics} {zones}").contains(&format!("\"{item}\""))
}
