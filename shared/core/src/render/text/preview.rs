//! `kedge preview`: what would `up` do, who may do it, and what it risks.

use std::collections::BTreeMap;

use super::blocks::{self, Label};
use super::page::{Page, Tone, count, flow, sentences_on};
use super::sentences::{cause_text, risk_text, waiting_text};
use super::values::{plain_text, value_text};
use super::{frame, next};
use crate::change::{Edit, Verb};
use crate::compare::Cause;
use crate::hint::Hint;
use crate::model::{FieldName, Kind, ResourceKey};
use crate::plan::{DecidedStep, Finding, FindingKind, PlannedChange, Step};
use crate::render::consent::{Commands, Who, actor, commands};
use crate::render::view::{View, outside};
use crate::render::{Hints, RenderOptions};
use crate::report::Report;

/// Where the lines of a change begin.
const INDENT: usize = 11;

/// The plan of a stack, as text.
#[must_use]
pub fn preview_text(report: &Report, around: &RenderOptions<'_>) -> String {
    let view = View::new(report);
    let commands = commands(report);
    let mut page = Page::new(around.screen);
    frame::head(&mut page, report, around);
    plan_line(&mut page, report);
    sections(&mut page, &view, &commands, around.hints);
    not_done(&mut page, &view, around.hints);
    let mut rest = frame::stack_blocks(report, &report.automation.refused, around);
    rest.extend(
        blocks::of_resources(&view, around)
            .into_iter()
            .filter(|block| block.label == Label::Unknown),
    );
    if !rest.is_empty() {
        page.gap();
        blocks::write(&mut page, &blocks::joined(rest), around.hints);
    }
    page.gap();
    recorded(&mut page, report);
    frame::counts(&mut page, report);
    frame::last(
        &mut page,
        report,
        around,
        next::after_preview(report, commands),
    );
    page.finish()
}

/// `plan 0123456789abcdef: 3 changes: 1 create, 2 update · 1 safe, 2 disruptive`.
fn plan_line(page: &mut Page, report: &Report) {
    let plan = &report.plan;
    let tally = |words: [&'static str; 4], of: &dyn Fn(&PlannedChange) -> &'static str| {
        let number = |word| {
            plan.changes
                .iter()
                .filter(|planned| of(planned) == word)
                .count()
        };
        let parts = words.into_iter().map(|word| (number(word), word));
        let some: Vec<String> = parts
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        some.join(", ")
    };
    if plan.changes.is_empty() {
        page.line(&format!("plan {}: nothing to change", plan.digest));
        return;
    }
    let verbs = tally(["create", "update", "replace", "delete"], &|planned| {
        planned.change.verb.as_str()
    });
    let risks = tally(["safe", "disruptive", "destructive", ""], &|planned| {
        planned.risk().as_str()
    });
    let number = count(plan.changes.len(), "change");
    page.line(&format!(
        "plan {}: {number} ({verbs}) · {risks}",
        plan.digest
    ));
}

/// One change, or many of which the same is to be said.
struct Entry {
    verb: Verb,
    kind: Kind,
    names: Vec<String>,
    lines: Vec<String>,
}

fn sections(page: &mut Page, view: &View<'_>, commands: &Commands, hints: Hints<'_>) {
    let mut sections: BTreeMap<Who, Section> = BTreeMap::new();
    for decided in &view.report.decided.changes {
        let mut by_who: BTreeMap<Who, Vec<&DecidedStep>> = BTreeMap::new();
        for step in &decided.steps {
            let who = actor(&view.report.plan, step);
            by_who.entry(who).or_default().push(step);
        }
        for (who, steps) in by_who {
            let lines = change_lines(view, &decided.planned, &steps, page.room(INDENT));
            sections
                .entry(who)
                .or_default()
                .push(&decided.planned, lines);
        }
    }
    if commands.named.is_some() && !view.report.plan.policy_change.loosened.is_empty() {
        sections.entry(Who::Named).or_default();
    }
    for (who, section) in &sections {
        page.gap();
        let is_overriding = !view.report.plan.overridden.is_empty();
        let (title, command) = title(*who, commands, is_overriding, hints);
        let title = (Tone::Strong, title.as_str());
        match command.as_ref().map(hints) {
            None => page.spans(&[title]),
            Some(command) => page.command(&[title, (Tone::Plain, ": ")], &command),
        }
        for entry in &section.entries {
            write_entry(page, entry, hints);
        }
    }
}

/// The title of a section, and what carries it out.
fn title(
    who: Who,
    commands: &Commands,
    is_overriding: bool,
    hints: Hints<'_>,
) -> (String, Option<Hint>) {
    let (title, command) = match who {
        Who::Automation => ("Automatic (or now)".to_owned(), &commands.unattended),
        Who::Person => ("Needs you".to_owned(), &commands.person),
        Who::Named => {
            let flag = hints(&Hint::Allow { keys: Vec::new() });
            (format!("Destructive: add `{flag}`"), &commands.named)
        }
        Who::Typed => (
            match is_overriding {
                true => "Past a guard of a protected stack: type its name in a terminal",
                false => "Destructive, in a protected stack: type its name in a terminal",
            }
            .to_owned(),
            &commands.typed,
        ),
        Who::Guarded => (
            "Refused by a guard; a person can override it".to_owned(),
            &commands.overriding,
        ),
    };
    (title, command.clone())
}

/// One section: entries, and the place of each by what it says.
#[derive(Default)]
struct Section {
    entries: Vec<Entry>,
    places: BTreeMap<(&'static str, Kind, Vec<String>), usize>,
}

impl Section {
    /// Adds a change; one that says the same as another joins it, in the first one's place
    /// (semantics 5.4). What must be made before it is among what it says, so that no order is lost.
    fn push(&mut self, planned: &PlannedChange, lines: Vec<String>) {
        let change = &planned.change;
        let (kind, name) = (change.key.kind(), outside(change.key.name()));
        let content = (change.verb.as_str(), kind, lines);
        if let Some(entry) = self
            .places
            .get(&content)
            .and_then(|place| self.entries.get_mut(*place))
        {
            entry.names.push(name);
            return;
        }
        self.entries.push(Entry {
            verb: change.verb,
            kind,
            names: vec![name],
            lines: content.2.clone(),
        });
        self.places.insert(content, self.entries.len() - 1);
    }
}

fn write_entry(page: &mut Page, entry: &Entry, hints: Hints<'_>) {
    let verb = format!("  {:INDENT$}", entry.verb.as_str(), INDENT = INDENT - 4);
    let tone = match entry.verb {
        Verb::Create => Tone::Good,
        Verb::Update => Tone::Warn,
        Verb::Replace | Verb::Delete => Tone::Bad,
    };
    let pad = " ".repeat(INDENT);
    let what = match entry.names.as_slice() {
        [one] => format!("{} {one}", entry.kind.label()),
        names => count(names.len(), entry.kind.label()),
    };
    page.spans(&[(tone, &verb), (Tone::Plain, "  "), (Tone::Strong, &what)]);
    for line in &entry.lines {
        page.line(&format!("{pad}{line}"));
    }
    if entry.names.len() > 1 {
        let names = entry.names.iter().cloned();
        let names = blocks::cut(names, entry.names.len(), page.most(), hints);
        for line in flow(&names, ", ", page.room(INDENT)) {
            page.line(&format!("{pad}{line}"));
        }
    }
}

/// What some steps of a change do, why, what they risk, and why automation does not make them.
fn change_lines(
    view: &View<'_>,
    planned: &PlannedChange,
    steps: &[&DecidedStep],
    room: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut reasons: Vec<Vec<String>> = Vec::new();
    for DecidedStep { step, decision, .. } in steps {
        match &step.edit {
            Some(edit) => lines.extend(flow(&edit_parts(planned, step, edit), " ", room)),
            None if planned.change.verb == Verb::Create => {
                lines.extend(declared_lines(planned, room))
            }
            None => {}
        }
        let cause = match (step.cause, planned.change.verb) {
            (Cause::NotAdopted, Verb::Create) => "did not exist when the stack was adopted",
            (cause, _) => cause_text(cause, !planned.change.recorded.is_empty()),
        };
        let mut parts = vec![cause.to_owned(), risk_text(step)];
        let left = decision.left();
        parts.extend(left.map(|reason| waiting_text(reason, view.report.read_at)));
        if steps.len() == 1 {
            reasons.push(parts);
        } else {
            // Several steps, each with its own reason right below it.
            let lines_of_it = sentences_on(&parts, room.saturating_sub(2));
            lines.extend(lines_of_it.into_iter().map(|line| format!("  {line}")));
        }
    }
    lines.extend(reasons.iter().flat_map(|parts| sentences_on(parts, room)));
    let name = |key: &ResourceKey| outside(&key.labelled());
    if !planned.needs.is_empty() {
        let needs: Vec<String> = planned.needs.iter().map(name).collect();
        lines.extend(sentences_on(&[format!("after {}", needs.join(", "))], room));
    }
    if let Some(topic) = planned
        .composite
        .as_ref()
        .filter(|topic| **topic != planned.change.key)
    {
        lines.push(format!("made together with {}, or not at all", name(topic)));
    }
    let notes = view.report.comparison.differences.get(&planned.change.key);
    lines.extend(
        notes
            .into_iter()
            .flat_map(|one| &one.notes)
            .map(|note| outside(note)),
    );
    lines
}

/// `retention_ms  3600000 (1h) → 604800000 (7d)`.
fn edit_parts(planned: &PlannedChange, step: &Step, edit: &Edit) -> Vec<String> {
    let kind = planned.change.key.kind();
    let field = edit.field();
    let name = outside(field.as_str());
    match edit {
        Edit::Set { to, .. } => {
            let live = planned
                .change
                .live
                .as_ref()
                .and_then(|live| live.fields.get(field));
            let recorded = planned.change.recorded.get(field);
            let mut parts = vec![
                format!("{name}  {}", value_text(kind, field, live)),
                format!("→ {}", value_text(kind, field, Some(to))),
            ];
            // Both drifted and edited: all three truths are shown (semantics 5.2).
            if let (Cause::EditedAndDrifted | Cause::NotAdoptedAndDrifted, Some(recorded)) =
                (step.cause, recorded)
            {
                parts.push(format!("(recorded {})", plain_text(kind, field, recorded)));
            }
            parts
        }
        Edit::Add { item, .. } => vec![format!("{name}  add {}", outside(item))],
        Edit::Remove { item, .. } => vec![format!("{name}  remove {}", outside(item))],
    }
}

/// What is made: every declared field.
fn declared_lines(planned: &PlannedChange, room: usize) -> Vec<String> {
    let change = &planned.change;
    let text = |(field, value): (&FieldName, &crate::model::Value)| {
        let value = value_text(change.key.kind(), field, Some(value));
        format!("{} {value}", outside(field.as_str()))
    };
    let parts: Vec<String> = change.declared.iter().map(text).collect();
    flow(&parts, ", ", room)
}

/// What can't be changed, and what is not changed now.
fn not_done(page: &mut Page, view: &View<'_>, hints: Hints<'_>) {
    let is_impossible = |finding: &&Finding| {
        matches!(
            finding.kind,
            FindingKind::Impossible | FindingKind::Unhealthy
        )
    };
    let findings = view.report.plan.findings.iter();
    let (impossible, others): (Vec<_>, Vec<_>) = findings.partition(is_impossible);
    write_findings(page, "CANNOT be changed by kedge", view, &impossible, hints);
    write_findings(page, "NOT changed now", view, &others, hints);
}

/// Findings under a title: each cause once, over the names it holds for.
fn write_findings(
    page: &mut Page,
    title: &str,
    view: &View<'_>,
    findings: &[&Finding],
    hints: Hints<'_>,
) {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let Some(text) = view.finding_text(finding) else {
            continue;
        };
        let name = outside(&finding.key.labelled());
        let field = finding.field.as_ref();
        let field = field.map(|field| format!("{}: ", outside(field.as_str())));
        let cause = text.trim_start_matches(title).trim_start_matches(": ");
        let text = format!("{}{cause}", field.unwrap_or_default());
        let place = *places.entry(text.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, names)) => names.push(name),
            None => groups.push((text, vec![name])),
        }
    }
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.spans(&[(Tone::Strong, title)]);
    for (text, names) in &groups {
        page.line(&format!("  {text}"));
        let names = blocks::cut(names.iter().cloned(), names.len(), page.most(), hints);
        for line in flow(&names, ", ", page.room(4)) {
            page.line(&format!("    {line}"));
        }
    }
}

/// What a deploy writes into state only.
fn recorded(page: &mut Page, report: &Report) {
    let records = report.records();
    let forgotten = records.values().filter(|record| record.is_none()).count();
    let kept = records.len() - forgotten;
    let parts: Vec<String> = [
        (kept, "recorded as it is live"),
        (
            forgotten,
            "forgotten: gone and removed from the definitions",
        ),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    if !parts.is_empty() {
        page.line(&format!(
            "state only, no change to a provider: {}",
            parts.join(", ")
        ));
    }
}
