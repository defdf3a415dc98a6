//! One resource in one line, for JUnit and GitHub.

use super::text::value_text;
use super::view::{View, outside};
use crate::compare::{Cause, Difference, FieldDifference};
use crate::model::{Kind, Value};
use crate::plan::DecidedStep;

/// `drifted: retention_ms declared 604800000 (7d), recorded 604800000 (7d), live 3600000 (1h)`.
pub(super) fn summary(difference: &Difference) -> String {
    let verdict = difference.verdict.as_str().replace('-', " ");
    let mut parts = Vec::new();
    if let Some(failure) = &difference.failure {
        parts.push(match failure.reason.as_str() {
            "" => failure.code.as_str().replace('-', " "),
            reason => outside(reason),
        });
    }
    parts.extend(difference.whole.map(whole_text).map(str::to_owned));
    let kind = difference.key.kind();
    parts.extend(
        difference
            .fields
            .iter()
            .map(|field| field_text(kind, field)),
    );
    parts.extend(difference.unhealthy.iter().map(|why| outside(why)));
    parts.extend(
        difference
            .blocked
            .iter()
            .map(|why| format!("blocked: {}", outside(why))),
    );
    match parts.is_empty() {
        true => verdict,
        false => format!("{verdict}: {}", parts.join("; ")),
    }
}

fn whole_text(cause: Cause) -> &'static str {
    match cause {
        Cause::Missing => "missing: it was recorded and is gone",
        Cause::Interrupted => "missing: a replacement was begun and not finished",
        Cause::New => "new: declared, not created yet",
        Cause::Removed => "removed from the definitions",
        Cause::NotAdopted => "new: it did not exist when the stack was adopted",
        Cause::Drifted | Cause::Edited | Cause::EditedAndDrifted | Cause::NotAdoptedAndDrifted => {
            "all of it differs"
        }
    }
}

/// The three truths of a field.
pub(super) fn field_text(kind: Kind, field: &FieldDifference) -> String {
    let text = |value: Option<&Value>| value_text(kind, &field.field, value);
    format!(
        "{} declared {}, recorded {}, live {}",
        outside(field.field.as_str()),
        text(field.declared.as_ref()),
        text(field.recorded.as_ref()),
        text(field.live.as_ref())
    )
}

/// What the plan says of a resource: what correcting it risks, and why it waits.
pub(super) fn advice(view: &View<'_>, difference: &Difference) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |line: String| {
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    };
    if let Some(decided) = view.by_automation(&difference.key) {
        let verb = decided.planned.change.verb.as_str();
        for DecidedStep { step, decision, .. } in &decided.steps {
            let left = decision
                .left()
                .map(|reason| format!("WAITING: {reason}"))
                .unwrap_or_else(|| view.automation_text(false).to_owned());
            let effect = match step.impact.as_str() {
                "" => String::new(),
                effect => format!(" ({effect})"),
            };
            add(outside(&format!(
                "{verb} is {}{effect}; {left}",
                step.risk.as_str()
            )));
        }
    }
    for finding in view.findings(&difference.key) {
        add(outside(&finding.message));
    }
    difference.notes.iter().for_each(|note| add(outside(note)));
    lines
}
