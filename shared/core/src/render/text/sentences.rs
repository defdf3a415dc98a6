//! What a difference means: what correcting it risks, whether automation does it, why it waits.

use crate::change::{Edit, Verb};
use crate::compare::{Cause, Difference, Verdict};
use crate::model::{ResourceKey, Timestamp};
use crate::plan::{DecidedStep, LeftReason, Step};
use crate::render::view::{View, outside};
use crate::risk::Risk;

/// What is said after the fields: each line a list of parts.
pub(super) fn sentences(view: &View<'_>, difference: &Difference) -> Vec<Vec<String>> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |about: String, parts: Vec<String>| match groups
        .iter_mut()
        .find(|(_, known)| *known == parts)
    {
        Some((abouts, _)) if !about.is_empty() => {
            abouts.push_str(", ");
            abouts.push_str(&about);
        }
        Some(_) => {}
        None => groups.push((about, parts)),
    };
    let now = view.report.read_at;
    if let Some(decided) = view.by_automation(&difference.key) {
        for DecidedStep { step, decision, .. } in &decided.steps {
            let doing = doing(decided.planned.change.verb, step);
            let mut parts = vec![format!("{doing} is {}", risk_text(step))];
            parts.push(match decision.left() {
                Some(reason) => waiting_text(reason, now),
                None => view.automation_text(doing == "correcting").to_owned(),
            });
            add(about_step(step), parts);
        }
    }
    for finding in view.findings(&difference.key) {
        if let Some(text) = view.finding_text(finding) {
            let about = finding.field.as_ref().map(ToString::to_string);
            add(about.unwrap_or_default(), vec![text]);
        }
    }
    let is_one = groups.len() == 1;
    let lines = groups.into_iter().map(|(about, mut parts)| {
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

/// Whether a step of this resource waits for approval by name.
pub(super) fn needs_approval(view: &View<'_>, key: &ResourceKey) -> bool {
    let decided = view.by_automation(key).into_iter();
    let mut steps = decided.flat_map(|decided| &decided.steps);
    steps.any(|one| one.decision.left() == Some(&LeftReason::NeedsGrant))
}

/// What making a step is called: `correcting`, `deploying`, …
fn doing(verb: Verb, step: &Step) -> &'static str {
    match (verb, step.cause) {
        (Verb::Delete, _) => "deleting it",
        (Verb::Create, Cause::New | Cause::NotAdopted) => "creating it",
        (_, Cause::Drifted | Cause::EditedAndDrifted | Cause::Missing | Cause::Interrupted) => {
            "correcting"
        }
        (_, Cause::Edited | Cause::Removed) => "deploying",
        (_, Cause::New | Cause::NotAdopted | Cause::NotAdoptedAndDrifted) => "changing it",
    }
}

/// `safe; …`, `disruptive: …`.
pub(super) fn risk_text(step: &Step) -> String {
    let risk = step.risk.as_str();
    match (outside(&step.impact).as_str(), step.risk) {
        ("", _) => risk.to_owned(),
        (effect, Risk::Safe) => format!("{risk}; {effect}"),
        (effect, _) => format!("{risk}: {effect}"),
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

/// Why each field differs, where the label alone does not say it.
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
    let causes = difference.fields.iter().map(|field| {
        let name = outside(field.field.as_str());
        format!(
            "{name} {}",
            cause_text(field.cause, difference.verdict != Verdict::NotAdopted)
        )
    });
    Some(causes.collect::<Vec<_>>().join("; "))
}

/// A cause as a word of a sentence. Nothing differed at an adoption that never was.
pub(super) fn cause_text(cause: Cause, is_adopted: bool) -> &'static str {
    match cause {
        Cause::NotAdopted if !is_adopted => "not adopted, and differs",
        Cause::Drifted => "drifted",
        Cause::Edited => "edited",
        Cause::EditedAndDrifted => "drifted and edited",
        Cause::NotAdopted => "differed when it was adopted",
        Cause::NotAdoptedAndDrifted => "differed when it was adopted, and drifted",
        Cause::New => "new",
        Cause::Missing => "missing",
        Cause::Removed => "removed from the definitions",
        Cause::Interrupted => "half replaced",
    }
}

/// Why a step waits, as a part of a line.
pub(super) fn waiting_text(reason: &LeftReason, now: Timestamp) -> String {
    match reason {
        LeftReason::Announced { .. } => reason.describe(now),
        _ => format!("WAITING: {}", outside(&reason.describe(now))),
    }
}
