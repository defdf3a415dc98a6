//! `kedge up`: what was done, what was not, and why.

use std::collections::BTreeMap;

use super::page::{Page, Tone, flow};
use super::sentences::waiting_text;
use super::values::value_text;
use super::{blocks, frame, next};
use crate::change::{Edit, Verb};
use crate::hint::Hint;
use crate::model::{FieldName, Kind, ResourceKey};
use crate::plan::{Approved, Left, LeftReason};
use crate::render::consent::ShortKeys;
use crate::render::view::{View, outside};
use crate::render::{Hints, RenderOptions};
use crate::report::{ChangeResult, Changed, Outcome, Report};

/// Where the text behind a label begins.
const INDENT: usize = 11;

/// What a run did, as text.
#[must_use]
pub fn changed_text(report: &Report, changed: &Changed, around: &RenderOptions<'_>) -> String {
    let mut page = Page::new(around.screen);
    if !around.plan_shown {
        frame::head(&mut page, report, around);
    }
    let groups = result_groups(changed);
    groups
        .iter()
        .for_each(|group| write_group(&mut page, group, around.hints));
    left(&mut page, report, around.hints);
    let rest = match around.plan_shown {
        true => Vec::new(),
        false => {
            findings(&mut page, report, around.hints);
            rest(report, changed, around)
        }
    };
    blocks::write(&mut page, &blocks::joined(rest), around.hints);
    counts(&mut page, report, changed);
    if let Some(hold) = changed.held_by() {
        page.line(&format!("a hold stopped the rest: {}", outside(hold)));
    }
    for why in &changed.run_again {
        page.line(&format!("run again: {why}"));
    }
    last(&mut page, report, changed, around);
    page.finish()
}

/// What is said of the stack and of what could not be read.
fn rest(report: &Report, changed: &Changed, around: &RenderOptions<'_>) -> Vec<blocks::Block> {
    let mut rest = frame::stack_blocks(report, &report.decided.refused, around);
    if changed.serial.is_some() {
        // This run finished it, or says itself what it did not.
        rest.retain(|block| block.label != blocks::Label::BrokeOff);
    }
    if changed.began_anew {
        rest.retain(|block| block.label != blocks::Label::Retired);
    }
    if report.decided.policy_granted {
        rest.retain(|block| block.label != blocks::Label::Policy);
        let tail = report.plan.policy_change.loosened.join(", ");
        rest.push(blocks::Block::of(
            blocks::Label::Policy,
            format!("now: {tail}"),
            Vec::new(),
        ));
    }
    let view = View::new(report);
    let unknown = blocks::of_resources(&view, around).into_iter();
    rest.extend(unknown.filter(|block| block.label == blocks::Label::Unknown));
    rest
}

/// Changes that ended alike.
struct Group<'a> {
    outcome: &'a Outcome,
    verb: Verb,
    kind: Kind,
    names: Vec<String>,
    what: Vec<String>,
}

fn result_groups(changed: &Changed) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut results: Vec<&ChangeResult> = changed.results.iter().collect();
    // What was done comes first; the order among the done depends on who answered first.
    results.sort_by_key(|one| (rank(&one.outcome), one.approved.change.key.clone()));
    for one in results {
        let change = &one.approved.change;
        let (verb, kind, what) = (change.verb, change.key.kind(), edits(&one.approved));
        let name = outside(change.key.name());
        match groups.last_mut() {
            Some(last)
                if (last.outcome, last.verb, last.kind, &last.what)
                    == (&one.outcome, verb, kind, &what) =>
            {
                last.names.push(name);
            }
            _ => groups.push(Group {
                outcome: &one.outcome,
                verb,
                kind,
                names: vec![name],
                what,
            }),
        }
    }
    groups
}

fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Failed { .. } => 1,
        Outcome::Blocked { .. } => 2,
        Outcome::Unknown { .. } => 3,
        Outcome::NotBegun { .. } => 4,
        Outcome::Held { .. } => 5,
    }
}

fn edits(approved: &Approved) -> Vec<String> {
    let change = &approved.change;
    let live = |field: &FieldName| change.live.as_ref()?.fields.get(field);
    let text = |edit: &Edit| match edit {
        Edit::Set { field, to } => format!(
            "{}  {} → {}",
            outside(field.as_str()),
            value_text(change.key.kind(), field, live(field)),
            value_text(change.key.kind(), field, Some(to))
        ),
        Edit::Add { field, item } => {
            format!("{}  added {}", outside(field.as_str()), outside(item))
        }
        Edit::Remove { field, item } => {
            format!("{}  removed {}", outside(field.as_str()), outside(item))
        }
    };
    change.edits.iter().map(text).collect()
}

fn write_group(page: &mut Page, group: &Group<'_>, hints: Hints<'_>) {
    let (label, tone) = match group.outcome {
        Outcome::Done => ("done", Tone::Good),
        Outcome::Failed { .. } => ("FAILED", Tone::Bad),
        Outcome::Blocked { .. } => ("BLOCKED", Tone::Warn),
        Outcome::Unknown { .. } => ("UNKNOWN", Tone::Warn),
        Outcome::NotBegun { .. } => ("NOT BEGUN", Tone::Warn),
        Outcome::Held { .. } => ("HELD", Tone::Warn),
    };
    let label = format!("{label:INDENT$}");
    let what = match group.names.as_slice() {
        [one] => format!("{} {} {one}", group.verb.as_str(), group.kind.label()),
        names => format!(
            "{} {}",
            group.verb.as_str(),
            super::page::count(names.len(), group.kind.label())
        ),
    };
    page.spans(&[(tone, &label), (Tone::Strong, &what)]);
    let names = match group.names.len() {
        1 => Vec::new(),
        all => blocks::cut(group.names.iter().cloned(), all, page.most(), hints),
    };
    let names = flow(&names, ", ", page.room(INDENT + 2));
    let mut put = |text: &str| page.line(&format!("{}{text}", " ".repeat(INDENT + 2)));
    group.what.iter().for_each(|line| put(line));
    if let Some(reason) = group.outcome.reason() {
        put(&outside(reason));
    }
    match group.outcome {
        Outcome::Blocked { fix: Some(fix), .. } => put(&format!("fix: {}", outside(fix))),
        Outcome::Unknown { .. } => put("the next run finds out whether it was made"),
        _ => {}
    }
    names.iter().for_each(|line| put(line));
}

/// A label with its cause, and below it the names it holds for.
fn labelled(page: &mut Page, label: &str, cause: &str, names: &[String], hints: Hints<'_>) {
    let label = match label.len() < INDENT {
        true => format!("{label:INDENT$}"),
        false => format!("{label} "),
    };
    page.hanging(&[(Tone::Warn, &label), (Tone::Plain, cause)], INDENT);
    let list = blocks::cut(names.iter().cloned(), names.len(), page.most(), hints);
    let pad = " ".repeat(INDENT + 2);
    for line in flow(&list, ", ", page.room(INDENT + 2)) {
        page.spans(&[(Tone::Plain, &pad), (Tone::Strong, &line)]);
    }
}

/// What was not begun on purpose, by reason.
fn left(page: &mut Page, report: &Report, hints: Hints<'_>) {
    let mut reasons: BTreeMap<String, Vec<Left<'_>>> = BTreeMap::new();
    for one in report.decided.left() {
        let text = waiting_text(one.reason, report.read_at);
        reasons.entry(text).or_default().push(one);
    }
    for (reason, left) in &reasons {
        let mut names: Vec<String> = left.iter().map(left_name).collect();
        names.dedup();
        let cause = reason.trim_start_matches("WAITING: ");
        labelled(page, "WAITING", cause, &names, hints);
        if left.iter().any(|one| *one.reason == LeftReason::NeedsGrant) {
            let short = ShortKeys::new(&report.plan);
            let mut keys: Vec<String> = left.iter().map(|one| short.of(one.key)).collect();
            keys.dedup();
            let allow = hints(&Hint::Allow { keys });
            page.line(&format!("{}approve with `{allow}`", " ".repeat(INDENT + 2)));
        }
    }
}

fn left_name(left: &Left<'_>) -> String {
    match &left.field {
        Some(field) => format!(
            "{} ({})",
            outside(&left.key.labelled()),
            outside(field.as_str())
        ),
        None => outside(&left.key.labelled()),
    }
}

/// What can't be changed, each cause once.
fn findings(page: &mut Page, report: &Report, hints: Hints<'_>) {
    let mut causes: Vec<(String, Vec<String>)> = Vec::new();
    let view = View::new(report);
    for finding in &report.plan.findings {
        let Some(text) = view.finding_text(finding) else {
            continue;
        };
        let field = finding.field.as_ref();
        let field = field.map(|field| format!(" ({})", outside(field.as_str())));
        let name = format!(
            "{}{}",
            outside(&finding.key.labelled()),
            field.unwrap_or_default()
        );
        match causes.iter_mut().find(|(cause, _)| *cause == text) {
            Some((_, names)) => names.push(name),
            None => causes.push((text, vec![name])),
        }
    }
    for (cause, names) in &causes {
        match cause.split_once(": ") {
            Some(("WAITING", cause)) => labelled(page, "WAITING", cause, names, hints),
            Some(("CANNOT be changed by kedge", cause)) => {
                let cause = format!("by kedge: {cause}");
                labelled(page, "CANNOT be changed", &cause, names, hints);
            }
            _ => labelled(page, "NOT DONE", cause, names, hints),
        }
    }
}

/// `3 of 5 changes made · 1 blocked · 2 waiting · 4 recorded`.
fn counts(page: &mut Page, report: &Report, changed: &Changed) {
    let all = changed.results.len();
    let mut parts = vec![match all {
        0 => "nothing to change".to_owned(),
        _ => format!("{} of {all} changes made", changed.done()),
    }];
    let mut part = |number: usize, what: &str| {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    };
    let ended = |word: &str| {
        let alike = changed
            .results
            .iter()
            .filter(|one| one.outcome.as_str() == word);
        alike.count()
    };
    part(ended("failed"), "failed");
    part(ended("blocked"), "blocked");
    part(ended("unknown"), "unknown");
    part(ended("not-begun"), "not begun");
    part(ended("held"), "held");
    let mut keys: Vec<&ResourceKey> = report.decided.left().map(|left| left.key).collect();
    keys.dedup();
    part(keys.len(), "waiting");
    part(report.plan.findings.len(), "not possible now");
    part(changed.recorded, "recorded without a change");
    part(changed.forgotten, "forgotten");
    if changed.began_anew {
        parts.push("the retired stack is started again".to_owned());
    }
    flow(&parts, " · ", page.width())
        .iter()
        .for_each(|line| page.line(line));
}

/// The verdict of the report is older than the changes, so it is not repeated here.
fn last(page: &mut Page, report: &Report, changed: &Changed, around: &RenderOptions<'_>) {
    let traffic = around.traffic.map(frame::traffic_text);
    let before = traffic.as_ref().map(|text| (Tone::Plain, text.as_str()));
    let before: Vec<(Tone, &str)> = before.into_iter().collect();
    frame::write_next(page, around, &before, next::after_changes(report, changed));
}
