//! `kedge adopt`, `forget`, `refresh` and `retire`: what they come to, before and after.

use std::collections::BTreeMap;

use super::page::{Page, Tone, WIDTH, count, flow};
use super::sentences::finding_text;
use super::{blocks, frame};
use crate::compare::Verdict;
use crate::model::{Kind, ResourceKey, StackName, Timestamp};
use crate::plan::Step;
use crate::record::{Adoption, Answer, CommandOutcome, Forgotten, MassAbsence};
use crate::render::RenderOptions;
use crate::render::view::{View, outside};
use crate::report::Report;
use crate::stored::hold::{Hold, Holds};

/// Where what is said of a resource begins.
const INDENT: usize = 4;

/// What is held.
#[must_use]
pub fn holds_text(stack: &StackName, holds: &Holds, now: Timestamp) -> String {
    let mut page = Page::new(false);
    let stand = holds.list().iter().filter(|hold| hold.stands(now));
    let stand: Vec<&Hold> = stand.collect();
    if stand.is_empty() {
        page.line(&format!("nothing of {stack} is held"));
    }
    for hold in stand {
        let what = match &hold.key {
            None => format!("all of {stack}"),
            Some(key) => format!("{} {}", key.kind().label(), outside(key.name())),
        };
        page.line(&format!("{what}: {}", outside(&hold.describe())));
    }
    page.finish()
}

/// What a verb that was command for comes to.
#[must_use]
pub fn state_command_text(report: &Report, around: &RenderOptions<'_>) -> String {
    let mut page = Page::new(around.colour);
    frame::head(&mut page, report, around);
    if let Some(CommandOutcome { recording, answer }) = &report.command {
        match answer {
            Answer::Refreshed => refreshed(&mut page, report),
            Answer::Adopted(adoption) => adopted(&mut page, report, adoption),
            Answer::Forgotten(means) => forgotten(&mut page, means),
            Answer::Absent(absence) if recording.absent.is_empty() => {
                absent(&mut page, report, around, absence);
            }
            Answer::Absent(absence) => confirmed(&mut page, report, around, absence),
            Answer::Retired { unrecorded } => retired(&mut page, report, *unrecorded),
        }
        if !matches!(answer, Answer::Adopted(_) | Answer::Forgotten(_)) {
            let parts = [
                (recording.recorded(), "recorded as it is live"),
                (recording.forgotten(), "dropped, gone and withdrawn"),
            ];
            let parts = parts.iter().filter(|(number, _)| *number > 0);
            let parts: Vec<String> = parts
                .map(|(number, what)| format!("{number} {what}"))
                .collect();
            if !parts.is_empty() {
                page.line(&format!("in state alone: {}", parts.join(", ")));
            }
        }
    }
    let view = View::new(report);
    let mut rest = frame::hold_blocks(report);
    let unread = blocks::of_resources(&view, around).into_iter();
    rest.extend(unread.filter(|block| block.label == blocks::Label::Unknown));
    blocks::write(&mut page, &blocks::joined(rest), usize::MAX);
    page.finish()
}

fn refreshed(page: &mut Page, report: &Report) {
    page.line("refresh reads the providers and changes nothing there; drift stays drift");
    if report.records().is_empty() {
        page.line("there is nothing to record");
    }
}

fn adopted(page: &mut Page, report: &Report, adoption: &Adoption) {
    page.line("adopting records what is live; nothing is changed at a provider");
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
        put(format!("left: {}", outside(&left.why)), &left.key);
    }
    for (what, keys) in &groups {
        group(page, what, keys);
    }
    if !adoption.pending.is_empty() {
        page.line(
            "What differs is pending, and waits for a person's `kedge up`, whatever the policy, or",
        );
        page.line("for an edit of the definitions (`kedge accept KEY` says which).");
    }
    if adoption.equal.is_empty() && adoption.pending.is_empty() {
        page.line(match report.comparison.has_state {
            true => "there is nothing to adopt",
            false if report.count(&[Verdict::Unknown]) > 0 => {
                "there is nothing to adopt of what could be read"
            }
            false => "there is nothing to adopt: none of it is live, and a deploy may create it",
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

fn forgotten(page: &mut Page, means: &BTreeMap<ResourceKey, Forgotten>) {
    page.line("forgetting drops the record; the resource itself is left as it is");
    let mut groups: BTreeMap<Forgotten, Vec<&ResourceKey>> = BTreeMap::new();
    for (key, meaning) in means {
        groups.entry(*meaning).or_default().push(key);
    }
    for (meaning, keys) in &groups {
        group(page, meaning.describe(), keys);
    }
}

fn absent(page: &mut Page, report: &Report, around: &RenderOptions<'_>, absence: &MassAbsence) {
    if absence.keys.is_empty() {
        page.line("nothing is gone that is not believed: there is no absence to confirm");
        return;
    }
    let keys: Vec<&ResourceKey> = absence.keys.iter().collect();
    let number = count(keys.len(), "resource");
    page.line(&format!("{number} gone at once, {}", absence.digest));
    group(page, "recorded, and not there", &keys);
    let stack = &report.declared.stack;
    let (flags, digest) = (around.flags, &absence.digest);
    page.line("Confirmed, they count as missing for a day: reported, and corrected by policy.");
    page.line(&format!(
        "by command: kedge refresh --stack {stack}{flags} --confirm-absence {digest}"
    ));
}

/// The world once an absence is confirmed.
fn confirmed(page: &mut Page, report: &Report, around: &RenderOptions<'_>, absence: &MassAbsence) {
    let keys: Vec<&ResourceKey> = absence.keys.iter().collect();
    let number = count(keys.len(), "resource");
    page.line(&format!(
        "{number} confirmed to be gone: for a day they count as missing, reported and corrected by \
         policy"
    ));
    group(page, "missing: recorded and gone", &keys);
    frame::counts(page, report);
    let next = frame::command(report, around, "preview");
    frame::last(page, report, around, Some(&next));
}

fn retired(page: &mut Page, report: &Report, unrecorded: usize) {
    let stack = &report.declared.stack;
    let mut groups: Vec<(&Step, Vec<&ResourceKey>)> = Vec::new();
    for planned in &report.plan.changes {
        let Some(step) = planned.steps.first() else {
            continue;
        };
        match groups.iter_mut().find(|(own, _)| own.says == step.says) {
            Some((_, keys)) => keys.push(&planned.change.key),
            None => groups.push((step, vec![&planned.change.key])),
        }
    }
    page.line(&format!(
        "retiring {stack} deletes what state records of it; nothing of that can be taken back"
    ));
    if groups.is_empty() {
        let is_stuck = !report.plan.findings.is_empty() || report.count(&[Verdict::Unknown]) > 0;
        page.line(match is_stuck {
            true => "nothing of it can be deleted now",
            false => "nothing is left to delete",
        });
    }
    for (step, keys) in &groups {
        group(page, &format!("deleted: {}", outside(&step.says)), keys);
    }
    let mut left: Vec<(String, Vec<&ResourceKey>)> = Vec::new();
    for finding in &report.plan.findings {
        let Some(text) = finding_text(finding) else {
            continue;
        };
        match left.iter_mut().find(|(own, _)| *own == text) {
            Some((_, keys)) => keys.push(&finding.key),
            None => left.push((text, vec![&finding.key])),
        }
    }
    for (text, keys) in &left {
        group(page, &format!("left: {text}"), keys);
    }
    if unrecorded > 0 {
        let number = count(unrecorded, "declared resource");
        page.line(&format!("{number} never recorded, and left as they are"));
    }
    page.line(&format!("plan {}", report.plan.digest));
}

/// Resources of which the same is said, by kind.
fn group(page: &mut Page, what: &str, keys: &[&ResourceKey]) {
    let mut kinds: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for key in keys {
        kinds
            .entry(key.kind())
            .or_default()
            .push(outside(key.name()));
    }
    let pad = " ".repeat(INDENT);
    for (kind, names) in &kinds {
        let head = match names.as_slice() {
            [one] => format!("{} {one}", kind.label()),
            names => count(names.len(), kind.label()),
        };
        page.spans(&[(Tone::Plain, "  "), (Tone::Strong, &head)]);
        if names.len() > 1 {
            for line in flow(names, ", ", WIDTH - INDENT) {
                page.line(&format!("{pad}{line}"));
            }
        }
        for line in super::page::sentences_on(&[what.to_owned()], WIDTH - INDENT) {
            page.line(&format!("{pad}{line}"));
        }
    }
}
