//! `adopt`, `forget`, `refresh` and `retire`: what they do, before and after.

use std::collections::BTreeMap;

use super::page::{Page, Tone, columns, count, flow};
use super::{blocks, frame, next};
use crate::compare::Verdict;
use crate::hint::Hint;
use crate::live::{FailureCode, ReadFailure};
use crate::model::{Kind, ResourceKey, StackName, Timestamp};
use crate::plan::Step;
use crate::record::{Adoption, Answer, CommandOutcome, Forgotten, MassAbsence};
use crate::render::view::{View, outside};
use crate::render::{Hints, RenderOptions, Screen};
use crate::report::{Changed, Report};
use crate::stored::hold::{Hold, Holds};

/// Where what is said of a resource begins.
const INDENT: usize = 4;

/// What is held.
#[must_use]
pub fn holds_text(stack: &StackName, holds: &Holds, now: Timestamp, screen: Screen) -> String {
    let mut page = Page::new(screen);
    let stand = holds.list().iter().filter(|hold| hold.stands(now));
    let stand: Vec<&Hold> = stand.collect();
    if stand.is_empty() {
        page.line(&format!("nothing in {stack} is held"));
    }
    for hold in stand {
        let what = held_text(stack, hold);
        page.line(&format!("{what}: {}", outside(&hold.describe_at(now))));
    }
    page.finish()
}

/// The holds that were released, and whose they were.
#[must_use]
pub fn released_text(
    stack: &StackName,
    released: &[Hold],
    now: Timestamp,
    screen: Screen,
) -> String {
    let mut page = Page::new(screen);
    for hold in released.iter().filter(|hold| hold.stands(now)) {
        let (what, why) = (held_text(stack, hold), outside(&hold.describe_at(now)));
        page.line(&format!("released {what}, which was {why}"));
    }
    page.finish()
}

fn held_text(stack: &StackName, hold: &Hold) -> String {
    match &hold.key {
        None => format!("all of {stack}"),
        Some(key) => outside(&key.labelled()),
    }
}

/// What a command about state does, or (with what it changed) did. What was shown before somebody was
/// asked is not repeated after it.
#[must_use]
pub fn state_command_text(
    report: &Report,
    changed: Option<&Changed>,
    around: &RenderOptions<'_>,
) -> String {
    let mut page = Page::new(around.screen);
    if !around.plan_shown {
        shown(&mut page, report, around);
    }
    last(&mut page, report, changed, around);
    page.finish()
}

/// What it does.
fn shown(page: &mut Page, report: &Report, around: &RenderOptions<'_>) {
    frame::head(page, report, around);
    if let Some(CommandOutcome { recording, answer }) = &report.command {
        match answer {
            Answer::Refreshed => refreshed(page, report),
            Answer::Adopted(adoption) => adopted(page, report, around, adoption),
            Answer::Forgotten(means) => forgotten(page, means, around.hints),
            Answer::Absent(absence) if recording.absent.is_empty() => {
                absent(page, absence, around.hints);
            }
            Answer::Absent(absence) => confirmed(page, report, around, absence),
            Answer::Retired { unrecorded } => retired(page, report, *unrecorded, around.hints),
        }
        if !matches!(answer, Answer::Adopted(_) | Answer::Forgotten(_)) {
            let parts = [
                (recording.recorded(), "recorded as it is live"),
                (
                    recording.forgotten(),
                    "dropped: gone and removed from the definitions",
                ),
            ];
            let parts = parts.iter().filter(|(number, _)| *number > 0);
            let parts: Vec<String> = parts
                .map(|(number, what)| format!("{number} {what}"))
                .collect();
            if !parts.is_empty() {
                page.line(&format!("in state only: {}", parts.join(", ")));
            }
        }
    }
    let view = View::new(report);
    let mut rest = frame::hold_blocks(report);
    let command = report.command.as_ref();
    let is_absence = command.is_some_and(|one| matches!(one.answer, Answer::Absent(_)));
    let is_told = |failure: &ReadFailure| is_absence && failure.code == FailureCode::MassAbsence;
    let differences = report.comparison.differences.values();
    // Those of an absence that is to be confirmed are listed above already.
    let unread = differences.filter(|one| one.failure.as_ref().is_some_and(|it| !is_told(it)));
    rest.extend(unread.filter_map(|one| blocks::of_resource(&view, around, one)));
    blocks::write(page, &blocks::joined(rest), around.hints);
}

/// What was done, and what to do next. A page that a question follows says no more: the question is what
/// comes next.
fn last(page: &mut Page, report: &Report, changed: Option<&Changed>, around: &RenderOptions<'_>) {
    if let Some(changed) = changed {
        page.line(&format!(
            "done: {} recorded, {} forgotten; nothing was changed at a provider",
            changed.recorded, changed.forgotten
        ));
    }
    let Some(command) = &report.command else {
        return;
    };
    let is_asked = match &command.answer {
        // The command that confirms is said even so: somewhere without a terminal it is all there is.
        Answer::Absent(_) => false,
        _ => changed.is_none() && command.does_anything(&report.decided),
    };
    if !is_asked {
        frame::write_next(page, around, &[], next::after_command(report, command));
    }
}

fn refreshed(page: &mut Page, report: &Report) {
    page.line("refresh reads the providers and changes nothing there; drift stays drift");
    if report.records().is_empty() {
        page.line("there is nothing to record");
    }
}

fn adopted(page: &mut Page, report: &Report, around: &RenderOptions<'_>, adoption: &Adoption) {
    page.line("adopting records what is live and changes nothing at a provider");
    let mut groups: Vec<(String, Vec<&ResourceKey>)> = Vec::new();
    let mut put = |what: String, key| match groups.iter_mut().find(|(own, _)| *own == what) {
        Some((_, keys)) => keys.push(key),
        None => groups.push((what, vec![key])),
    };
    for key in &adoption.equal {
        put("live as declared".to_owned(), key);
    }
    for key in &adoption.pending {
        put(format!("differs in {}", fields_of(report, key)), key);
    }
    for left in &adoption.left {
        put(format!("not adopted: {}", outside(&left.why)), &left.key);
    }
    for (what, keys) in &groups {
        group(page, what, keys, around.hints);
    }
    if !adoption.pending.is_empty() {
        page.line("What differs waits for you, whatever the policy: deploy the definitions, or edit them.");
        if let Some(first) = adoption.pending.first() {
            let key = next::short_key(report, first);
            let accept = (around.hints)(&Hint::Accept { key });
            page.command(&[(Tone::Plain, "  see the edit: ")], &accept);
        }
    }
    if adoption.equal.is_empty() && adoption.pending.is_empty() {
        page.line(match report.comparison.has_state {
            true => "there is nothing to adopt",
            false if report.count(&[Verdict::Unknown]) > 0 => {
                "nothing that could be read can be adopted"
            }
            false => "there is nothing to adopt: none of it exists yet",
        });
    }
}

fn fields_of(report: &Report, key: &ResourceKey) -> String {
    let difference = report.comparison.differences.get(key);
    let fields = difference
        .into_iter()
        .flat_map(|one| one.fields.iter().chain(&one.ignored));
    let names: Vec<String> = fields.map(|field| outside(field.field.as_str())).collect();
    names.join(", ")
}

fn forgotten(page: &mut Page, means: &BTreeMap<ResourceKey, Forgotten>, hints: Hints<'_>) {
    page.line("forgetting drops the record; the resource itself stays as it is");
    let mut groups: BTreeMap<Forgotten, Vec<&ResourceKey>> = BTreeMap::new();
    for (key, meaning) in means {
        groups.entry(*meaning).or_default().push(key);
    }
    for (meaning, keys) in &groups {
        group(page, meaning.describe(), keys, hints);
    }
}

fn absent(page: &mut Page, absence: &MassAbsence, hints: Hints<'_>) {
    if absence.keys.is_empty() {
        page.line("nothing to confirm: no resources disappeared all at once");
        return;
    }
    let keys: Vec<&ResourceKey> = absence.keys.iter().collect();
    let number = count(keys.len(), "resource");
    page.line(&format!(
        "{number} disappeared at once ({})",
        absence.digest
    ));
    group(page, "recorded, and gone", &keys, hints);
    page.line(
        "Once confirmed they count as missing for a day: reported, and corrected as the policy says.",
    );
}

/// The world once an absence is confirmed.
fn confirmed(page: &mut Page, report: &Report, around: &RenderOptions<'_>, absence: &MassAbsence) {
    let keys: Vec<&ResourceKey> = absence.keys.iter().collect();
    let number = count(keys.len(), "resource");
    page.line(&format!(
        "{number} confirmed to be gone: for a day they count as missing, reported and corrected as \
         the policy says"
    ));
    group(page, "missing: recorded and gone", &keys, around.hints);
    frame::counts(page, report);
    frame::last(page, report, around, None);
}

fn retired(page: &mut Page, report: &Report, unrecorded: usize, hints: Hints<'_>) {
    let stack = &report.declared.stack;
    let mut groups: Vec<(&Step, Vec<&ResourceKey>)> = Vec::new();
    for planned in &report.plan.changes {
        let Some(step) = planned.steps.first() else {
            continue;
        };
        match groups.iter_mut().find(|(own, _)| own.impact == step.impact) {
            Some((_, keys)) => keys.push(&planned.change.key),
            None => groups.push((step, vec![&planned.change.key])),
        }
    }
    page.line(&format!(
        "retiring {stack} deletes everything that is recorded of it; this cannot be undone"
    ));
    if groups.is_empty() {
        let is_stuck = !report.plan.findings.is_empty() || report.count(&[Verdict::Unknown]) > 0;
        page.line(match is_stuck {
            true => "nothing of it can be deleted now",
            false => "nothing is left to delete",
        });
    }
    for (step, keys) in &groups {
        group(
            page,
            &format!("deleted: {}", outside(&step.impact)),
            keys,
            hints,
        );
    }
    let view = View::new(report);
    let mut left: Vec<(String, Vec<&ResourceKey>)> = Vec::new();
    for finding in &report.plan.findings {
        let Some(text) = view.finding_text(finding) else {
            continue;
        };
        match left.iter_mut().find(|(own, _)| *own == text) {
            Some((_, keys)) => keys.push(&finding.key),
            None => left.push((text, vec![&finding.key])),
        }
    }
    for (text, keys) in &left {
        let why = text.trim_start_matches("WAITING: ");
        group(page, &format!("not deleted: {why}"), keys, hints);
    }
    if unrecorded > 0 {
        page.line(&match unrecorded {
            1 => "1 declared resource was never recorded, so it stays as it is".to_owned(),
            many => {
                format!("{many} declared resources were never recorded, so they stay as they are")
            }
        });
    }
    page.line(&format!("plan {}", report.plan.digest));
}

/// Resources of which the same is said: the cause, then the names by kind.
fn group(page: &mut Page, what: &str, keys: &[&ResourceKey], hints: Hints<'_>) {
    let mut kinds: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for key in keys {
        kinds
            .entry(key.kind())
            .or_default()
            .push(outside(key.name()));
    }
    page.line(&format!("  {what}"));
    let pad = " ".repeat(INDENT);
    for (kind, names) in &kinds {
        if let [one] = names.as_slice() {
            let name = format!("{} {one}", kind.label());
            page.spans(&[(Tone::Plain, &pad), (Tone::Strong, &name)]);
            continue;
        }
        let head = format!("{}: ", count(names.len(), kind.label()));
        let list = blocks::cut(names.iter().cloned(), names.len(), page.most(), hints);
        let lines = flow(&list, ", ", page.room(INDENT + columns(&head)));
        for (number, line) in lines.iter().enumerate() {
            let before = match number {
                0 => (Tone::Strong, head.clone()),
                _ => (Tone::Plain, " ".repeat(columns(&head))),
            };
            let before = (before.0, before.1.as_str());
            page.spans(&[(Tone::Plain, &pad), before, (Tone::Plain, line)]);
        }
    }
}
