//! What stands above and below a page: whose it is, the counts, what to do next.

use super::blocks::{Block, Label};
use super::definitions::definitions_text;
use super::next::Next;
use super::page::{Page, Tone, columns, count, flow, sentences_on};
use super::values::span_text;
use crate::compare::{Cause, Verdict};
use crate::hint::Hint;
use crate::model::{Allowance, Policy};
use crate::plan::{GuardName, GuardTrip};
use crate::render::view::{View, outside};
use crate::render::{RenderOptions, Traffic};
use crate::report::{InvalidBundle, Report, StackVerdict};
use crate::stored::hold::Hold;

/// `dev (from --stack) · definitions (local files), revision 3f9a1c2b7d10 · automation: …`, or, of
/// stored definitions, `… · revision 3f9a1c2b7d10 main, ana, 2 h ago · automation: …`.
pub(super) fn head(page: &mut Page, report: &Report, around: &RenderOptions<'_>) {
    let stack = report.declared.stack.as_str();
    let parts = [
        format!("{stack} (from {})", outside(around.stack_origin)),
        definitions_text(report, around.definitions),
        format!("automation: {}", policy_text(&report.plan.policy)),
    ];
    for (number, line) in sentences_on(&parts, page.width()).iter().enumerate() {
        match line.strip_prefix(stack).filter(|_| number == 0) {
            Some(rest) => page.spans(&[(Tone::Strong, stack), (Tone::Plain, rest)]),
            None => page.line(line),
        }
    }
}

/// What automation may do, protection taken into account (semantics 6.4).
fn policy_text(policy: &Policy) -> String {
    let (correct, deploy, protected) = match policy.protected {
        true => (
            policy.correct.min(Allowance::Safe),
            Allowance::None,
            " (protected)",
        ),
        false => (policy.correct, policy.deploy, ""),
    };
    let reach = |allowance: Allowance| match allowance {
        Allowance::None => None,
        Allowance::Safe => Some("safe"),
        Allowance::Disruptive => Some("safe and disruptive"),
    };
    let after = match policy.correct_after_ms {
        0 => String::new(),
        ms => format!(" after {}", wait_text(ms)),
    };
    let fixes = reach(correct).map(|reach| format!("fixes {reach} drift{after}"));
    let deploys = reach(deploy).map(|reach| format!("deploys {reach} edits"));
    let text = match (fixes, deploys) {
        (None, None) => "changes nothing".to_owned(),
        (Some(fixes), None) => format!("{fixes}, deploys nothing"),
        (None, Some(deploys)) => format!("fixes nothing, {deploys}"),
        (Some(fixes), Some(deploys)) => format!("{fixes}, {deploys}"),
    };
    format!("{text}{protected}")
}

/// `15 min`, `1 h`, `90s`.
fn wait_text(ms: i64) -> String {
    const MINUTE_MS: i64 = 60_000;
    match (ms % MINUTE_MS, ms / MINUTE_MS) {
        (0, minutes @ 1..) if minutes % 60 == 0 => format!("{} h", minutes / 60),
        (0, minutes @ 1..) => format!("{minutes} min"),
        _ => span_text(i128::from(ms) * 1_000_000),
    }
}

/// These guards, the policy's own changes, holds, and what else holds for the whole stack.
pub(super) fn stack_blocks(
    report: &Report,
    refused: &[GuardTrip],
    around: &RenderOptions<'_>,
) -> Vec<Block> {
    let most = around.screen.most();
    let mut blocks: Vec<Block> = report
        .invalid
        .iter()
        .map(|bundle| invalid(bundle, most, around))
        .collect();
    blocks.extend(open_run(report));
    for trip in refused {
        let what = match trip.guard {
            GuardName::DailyAutomatic => {
                "automation makes none of these changes today; a person still can"
            }
            GuardName::Changes | GuardName::Share | GuardName::Creates => {
                "the whole plan is refused"
            }
        };
        let tail = format!("{trip} · {what}");
        blocks.push(Block::of(Label::Guard, tail, Vec::new()));
    }
    blocks.extend(hold_blocks(report));
    let forgot = report.forgot_checks().into_iter();
    blocks.extend(forgot.map(|text| Block::of(Label::Note, outside(&text), Vec::new())));
    if let Some(at) = report.plan.retired {
        let tail = format!("since {}", at.with_distance(report.read_at));
        let line =
            "automation does nothing; it starts again when a person deploys or somebody pushes";
        let lines = vec![vec![line.to_owned()]];
        blocks.push(Block::of(Label::Retired, tail, Vec::new()).with_lines(lines));
    }
    blocks.extend(report.plan.variables.iter().map(|variable| {
        let line = "automation leaves what depends on it; decide which value is right";
        let lines = vec![vec![line.to_owned()]];
        Block::of(Label::Variable, outside(&variable.to_string()), Vec::new()).with_lines(lines)
    }));
    let change = &report.plan.policy_change;
    if !change.loosened.is_empty() {
        // A key named on the command line is not heard on a protected stack (semantics 6.4).
        let needs = match report.plan.policy.protected {
            true => {
                "WAITING: the stack is protected; deploy in a terminal and type the stack's name"
                    .to_owned()
            }
            false => {
                let allow = Hint::Allow {
                    keys: vec!["policy".to_owned()],
                };
                format!("WAITING: approve with `{}`", (around.hints)(&allow))
            }
        };
        let lines = vec![vec![needs]];
        let tail = format!(
            "would allow automation more: {}",
            change.loosened.join(", ")
        );
        blocks.push(Block::of(Label::Policy, tail, Vec::new()).with_lines(lines));
    }
    if !change.tightened.is_empty() {
        let tail = format!(
            "allows automation less from now on: {}",
            change.tightened.join(", ")
        );
        blocks.push(Block::of(Label::Policy, tail, Vec::new()));
    }
    blocks
}

/// The run that is changing the stack, or stopped in the middle.
fn open_run(report: &Report) -> Option<Block> {
    if let Some(why) = &report.unverified {
        return Some(Block::of(Label::BeingChanged, outside(why), Vec::new()));
    }
    let run = report.open_run.as_ref()?;
    let label = match run.is_working() {
        true => Label::BeingChanged,
        false => Label::BrokeOff,
    };
    Some(Block::of(label, outside(&run.to_string()), Vec::new()))
}

/// Definitions that can't be used: why, what is wrong with them, and what that means.
fn invalid(bundle: &InvalidBundle, most: usize, around: &RenderOptions<'_>) -> Block {
    let problems = bundle.problems.iter().flat_map(|problems| &problems.list);
    let rows: Vec<String> = problems
        .take(most)
        .map(|one| format!("{}:{}:{} {}", one.file, one.line, one.column, one.message))
        .collect();
    let all = bundle.problems.as_ref();
    let all = all.map_or(0, |problems| problems.list.len() + problems.left_out);
    let more = match all.saturating_sub(rows.len()) {
        0 => Vec::new(),
        more => vec![format!(
            "and {more} more problems ({})",
            (around.hints)(&Hint::Full)
        )],
    };
    let rows = rows
        .into_iter()
        .chain(more)
        .map(|row| outside(&row))
        .collect();
    let line = match bundle.beside {
        true => {
            "nothing is changed until the stored ones can be used; this is the plan of the local files"
        }
        false => "drift is compared with the last good revision; nothing is removed or changed",
    };
    Block::of(Label::Invalid, outside(&bundle.reason), rows).with_lines(vec![vec![line.to_owned()]])
}

/// Holds that stand, those that ended since the last check, and holds that can't be read.
pub(super) fn hold_blocks(report: &Report) -> Vec<Block> {
    let unread = report.holds_unread.iter().map(|unread| {
        let line = "blocks every change until it can be read; checks go on";
        let lines = vec![vec![line.to_owned()]];
        Block::of(Label::Held, outside(&unread.describe()), Vec::new()).with_lines(lines)
    });
    let holds = report.holds.iter().map(|hold| held(hold, report));
    unread.chain(holds).collect()
}

/// A hold that stands, or that ended since the last check.
fn held(hold: &Hold, report: &Report) -> Block {
    let what = match &hold.key {
        None => "the whole stack".to_owned(),
        Some(key) => outside(&key.labelled()),
    };
    let (who, reason) = (outside(&hold.who), outside(&hold.reason));
    let (label, tail, line) = match hold.stands(report.read_at) {
        true => (
            Label::Held,
            format!(
                "{what} · by {who} until {}: {reason}",
                hold.until.until_text(report.read_at)
            ),
            "blocks every change until then; checks go on",
        ),
        false => (
            Label::HoldEnded,
            format!(
                "{what} · it was held by {who} until {}: {reason}",
                hold.until.until_text(report.read_at)
            ),
            match is_still_held(hold, report) {
                true => "another hold of it still stands",
                false => "changes are allowed again",
            },
        ),
    };
    Block::of(label, tail, Vec::new()).with_lines(vec![vec![line.to_owned()]])
}

/// Whether another hold stands of what a hold that ended was for.
fn is_still_held(ended: &Hold, report: &Report) -> bool {
    let holds = report.holds.iter();
    let mut standing = holds.filter(|hold| hold.stands(report.read_at));
    standing.any(|hold| hold.key.is_none() || hold.key == ended.key)
}

/// A stack without state: one line with counts, never a list of drift (semantics 7.1).
pub(super) fn not_adopted(view: &View<'_>) -> Block {
    let report = view.report;
    let differences = || report.comparison.differences.values();
    let found = |with_fields: bool| {
        differences()
            .filter(|one| one.verdict == Verdict::NotAdopted && one.blocked.is_none())
            .filter(|one| one.fields.is_empty() != with_fields)
            .count()
    };
    let (equal, differing) = (found(false), found(true));
    let absent = differences()
        .filter(|one| one.whole == Some(Cause::New) && one.blocked.is_none())
        .count();
    let blocked = differences().filter(|one| one.blocked.is_some()).count();
    let ignored = report.count(&[Verdict::Ignored]);
    let unknown = report.count(&[Verdict::Unknown]);
    let parts = [
        (equal, "live as declared"),
        (differing, "live and different"),
        (absent, "to create"),
        (blocked, "blocked"),
        (ignored, "ignored"),
        (unknown, "unknown"),
    ];
    let counts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let counts = counts.join(" · ");
    let is_live = report.comparison.any_live;
    let label = match is_live || unknown > 0 || absent == 0 {
        true => Label::NotAdoptedStack,
        false => Label::New,
    };
    let declared = report.declared.resources.len();
    let tail = match label {
        Label::New => counts,
        _ => format!("no state yet: {declared} declared · {counts}"),
    };
    let line = match is_live {
        true => {
            "automation changes nothing before the stack is adopted; adopting records what is live and \
             changes nothing"
        }
        false if unknown > 0 => {
            "what could not be read may exist, so nothing is created before it is read"
        }
        false if absent == 0 => "none of it exists, and what is blocked is not created",
        false => "none of it exists yet, and nothing is recorded",
    };
    Block::of(label, tail, Vec::new()).with_lines(vec![vec![line.to_owned()]])
}

/// `41 of 44 checked · 1 drifted · 1 pending · …`.
pub(super) fn counts(page: &mut Page, report: &Report) {
    let all = report.comparison.differences.len();
    let unknown = report.count(&[Verdict::Unknown]);
    let mut parts = vec![format!("{} of {all} checked", all - unknown)];
    let mut part = |number: usize, what: &str| {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    };
    if report.comparison.has_state {
        part(report.count(&[Verdict::Drifted]), "drifted");
        part(
            report.count(&[Verdict::DriftedAndPending]),
            "drifted and pending",
        );
        part(report.count(&[Verdict::Pending]), "pending");
        part(report.count(&[Verdict::NotAdopted]), "not adopted");
    }
    part(unknown, "unknown");
    part(report.held(), "held");
    part(report.count(&[Verdict::CatchingUp]), "catching up");
    part(report.count(&[Verdict::Ignored]), "ignored");
    match report.count(&[Verdict::Orphan]) {
        1 => part(1, "orphan"),
        orphans => part(orphans, "orphans"),
    }
    part(report.comparison.unmanaged.len(), "unmanaged");
    let foreign: usize = report
        .comparison
        .differences
        .values()
        .map(|one| one.foreign.len())
        .sum();
    match foreign {
        1 => part(1, "foreign member"),
        members => part(members, "foreign members"),
    }
    flow(&parts, " · ", page.width())
        .iter()
        .for_each(|line| page.line(line));
}

/// `9 reads, 0 writes · DRIFTED · next: kedge preview`.
pub(super) fn last(
    page: &mut Page,
    report: &Report,
    around: &RenderOptions<'_>,
    next: Option<Next>,
) {
    let verdict = report.verdict();
    let tone = match verdict {
        StackVerdict::Clean => Tone::Good,
        StackVerdict::NotAdopted | StackVerdict::Pending | StackVerdict::Incomplete => Tone::Warn,
        StackVerdict::Drifted | StackVerdict::Invalid => Tone::Bad,
    };
    let traffic = around
        .traffic
        .map(|traffic| format!("{} · ", traffic_text(traffic)));
    let traffic = traffic.unwrap_or_default();
    let verdict = verdict.to_string();
    let before = [(Tone::Plain, traffic.as_str()), (tone, verdict.as_str())];
    write_next(page, around, &before, next);
}

/// What to do next, on the line of what is said before it, if both fit.
pub(super) fn write_next(
    page: &mut Page,
    around: &RenderOptions<'_>,
    before: &[(Tone, &str)],
    next: Option<Next>,
) {
    let said: usize = before.iter().map(|(_, text)| columns(text)).sum();
    let Some(Next { words, hint }) = next.filter(|_| !around.next_follows) else {
        if said > 0 {
            page.spans(before);
        }
        return;
    };
    let command = hint.map(|hint| (around.hints)(&hint));
    let command = command.unwrap_or_default();
    let words = match (words.is_empty(), command.is_empty()) {
        (true, _) => "next: ".to_owned(),
        (false, true) => format!("next: {words}"),
        (false, false) if words.ends_with("then") => format!("next: {words} "),
        (false, false) => format!("next: {words}: "),
    };
    let joined = format!("{}{words}", if said > 0 { " · " } else { "" });
    if said + columns(&joined) + columns(&command) <= page.width() {
        let mut spans = before.to_vec();
        spans.extend([
            (Tone::Plain, joined.as_str()),
            (Tone::Plain, command.as_str()),
        ]);
        page.spans(&spans);
        return;
    }
    if said > 0 {
        page.spans(before);
    }
    match command.is_empty() {
        true => page.line(&words),
        false => page.command(&[(Tone::Plain, words.as_str())], &command),
    }
}

/// `9 reads, 0 writes, 0.4 s`.
pub(super) fn traffic_text(traffic: Traffic) -> String {
    let number = |number: u64, noun| count(usize::try_from(number).unwrap_or(usize::MAX), noun);
    let wall = traffic
        .wall_ms
        .map(|ms| format!(", {}.{} s", ms / 1000, ms % 1000 / 100))
        .unwrap_or_default();
    format!(
        "{}, {}{wall}",
        number(traffic.reads, "read"),
        number(traffic.writes, "write")
    )
}
