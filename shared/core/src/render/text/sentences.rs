//! What a difference means: what correcting it risks, who does it, why it is left.

use crate::change::{Edit, Verb};
use crate::compare::{Cause, Difference, Verdict};
use crate::plan::{DecidedStep, Finding, FindingKind, LeftReason, Step};
use crate::render::view::{View, outside};
use crate::risk::Risk;

/// What is said after the fields: each line a list of parts.
pub(super) fn sentences(view: &View<'_>, difference: &Difference) -> Vec<Vec<String>> {
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    let mut say = |about: String, parts: Vec<String>| match said
        .iter_mut()
        .find(|(_, known)| *known == parts)
    {
        Some((abouts, _)) if !about.is_empty() => {
            abouts.push_str(", ");
            abouts.push_str(&about);
        }
        Some(_) => {}
        None => said.push((about, parts)),
    };
    if let Some(decided) = view.decided(&difference.key) {
        for DecidedStep { step, decision, .. } in &decided.steps {
            let mut parts = vec![risk_text(decided.planned.change.verb, step)];
            parts.push(match decision.left() {
                Some(reason) => format!("left: {reason}"),
                None => "a tick does it".to_owned(),
            });
            say(about_step(step), parts);
        }
    }
    for finding in view.findings(&difference.key) {
        if let Some(text) = finding_text(finding) {
            let about = finding.field.as_ref().map(ToString::to_string);
            say(about.unwrap_or_default(), vec![text]);
        }
    }
    let is_one = said.len() == 1;
    let lines = said.into_iter().map(|(about, mut parts)| {
        if let Some(first) = parts.first_mut().filter(|_| !is_one && !about.is_empty()) {
            *first = format!("{}: {first}", outside(&about));
        }
        parts
    });
    let notes = difference.notes.iter().map(|note| vec![outside(note)]);
    causes_text(difference)
        .into_iter()
        .map(|text| vec![text])
        .chain(lines)
        .chain(notes)
        .collect()
}

/// `correcting is safe; messages already expired do not come back`.
fn risk_text(verb: Verb, step: &Step) -> String {
    let doing = match (verb, step.cause) {
        (Verb::Delete, _) => "deleting it",
        (Verb::Create, Cause::New | Cause::NotAdopted) => "creating it",
        (_, Cause::Drifted | Cause::EditedAndDrifted | Cause::Missing | Cause::Interrupted) => {
            "correcting"
        }
        (_, Cause::Edited | Cause::Removed) => "deploying",
        (_, Cause::New | Cause::NotAdopted | Cause::NotAdoptedAndDrifted) => "changing it",
    };
    format!("{doing} is {}", risk_and_says(step))
}

/// `safe; …`, `disruptive: …`.
pub(super) fn risk_and_says(step: &Step) -> String {
    let risk = step.risk.as_str();
    match (outside(&step.says).as_str(), step.risk) {
        ("", _) => risk.to_owned(),
        (says, Risk::Safe) => format!("{risk}; {says}"),
        (says, _) => format!("{risk}: {says}"),
    }
}

fn about_step(step: &Step) -> String {
    match &step.edit {
        None => String::new(),
        Some(Edit::Set { field, .. }) => field.to_string(),
        Some(Edit::Add { item, .. }) => format!("adding {item}"),
        Some(Edit::Remove { item, .. }) => format!("removing {item}"),
    }
}

/// A finding as a line; none where a note says the same already.
pub(super) fn finding_text(finding: &Finding) -> Option<String> {
    let message = outside(&finding.message);
    match finding.kind {
        FindingKind::Impossible | FindingKind::Unhealthy => {
            Some(format!("cannot be corrected: {message}"))
        }
        FindingKind::Blocked => Some(format!("blocked: {message}")),
        FindingKind::DependsOn | FindingKind::Condition => Some(format!("left: {message}")),
        // These say themselves that it is left.
        FindingKind::NotExclusive | FindingKind::Orphan | FindingKind::Held => Some(message),
        FindingKind::DidNotTake => None,
    }
}

/// Whose doing each field is, where the label alone does not say it.
fn causes_text(difference: &Difference) -> Option<String> {
    let plain = match difference.verdict {
        Verdict::Drifted => Cause::Drifted,
        Verdict::Pending => Cause::Edited,
        Verdict::NotAdopted => Cause::NotAdopted,
        _ if difference.is_since_adoption() => Cause::NotAdoptedAndDrifted,
        _ => Cause::EditedAndDrifted,
    };
    if difference.fields.iter().all(|field| field.cause == plain) {
        return None;
    }
    let said = difference.fields.iter().map(|field| {
        let name = outside(field.field.as_str());
        format!("{name} {}", cause_text(field.cause))
    });
    Some(said.collect::<Vec<_>>().join("; "))
}

/// A cause as a word of a sentence.
pub(super) fn cause_text(cause: Cause) -> &'static str {
    match cause {
        Cause::Drifted => "drifted",
        Cause::Edited => "edited",
        Cause::EditedAndDrifted => "drifted and edited",
        Cause::NotAdopted => "different since it was found",
        Cause::NotAdoptedAndDrifted => "different since it was found, and drifted",
        Cause::New => "new",
        Cause::Missing => "missing",
        Cause::Removed => "withdrawn",
        Cause::Interrupted => "half replaced",
    }
}

/// Why a step is left, as a part of a line.
pub(super) fn left_text(reason: &LeftReason) -> String {
    format!("left by a tick: {reason}")
}
