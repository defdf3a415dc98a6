//! What stands above and below a page: whose it is, the counts, what to do next.

use super::blocks::{Block, Label};
use super::page::{Page, Tone, WIDTH, count, flow};
use super::values::span_text;
use crate::compare::{Cause, Verdict};
use crate::model::{Allowance, Policy};
use crate::plan::GuardName;
use crate::render::view::{View, outside};
use crate::render::{RenderOptions, Traffic};
use crate::report::{InvalidBundle, Report, StackVerdict};
use crate::stored::hold::Hold;

/// The most problems of a set that a page lists; the push that stored it told them all.
const PROBLEMS_MAX: usize = 10;

/// `dev (from --stack) · definitions (local files), revision 3f9a1c2b7d10 · unattended: …`, or, of
/// stored definitions, `… · revision 3f9a1c2b7d10 main, ana, 2 h ago · unattended: …`.
pub(super) fn head(page: &mut Page, report: &Report, around: &RenderOptions<'_>) {
    let declared = &report.declared;
    let revision = &declared.revision;
    let definitions = match &report.invalid {
        Some(_) => format!("the last good definitions, revision {revision}"),
        None if around.definitions.contains(revision) => outside(around.definitions),
        None => format!("{}, revision {revision}", outside(around.definitions)),
    };
    let rest = format!(
        " (from {}) · {definitions} · unattended: {}",
        outside(around.stack_origin),
        policy_text(&report.plan.policy),
    );
    page.spans(&[
        (Tone::Strong, declared.stack.as_str()),
        (Tone::Plain, &rest),
    ]);
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
    let after = match (correct, policy.correct_after_ms) {
        (Allowance::None, _) | (_, 0) => String::new(),
        (_, ms) => format!(" after {}", span_text(i128::from(ms) * 1_000_000)),
    };
    format!(
        "correct {}{after}, deploy {}{protected}",
        correct.as_str(),
        deploy.as_str()
    )
}

/// Guards, the policy's own changes, and a stack that has no state yet.
pub(super) fn stack_blocks(report: &Report) -> Vec<Block> {
    let mut blocks: Vec<Block> = report.invalid.iter().map(invalid).collect();
    blocks.extend(open_run(report));
    for trip in &report.decided.refused {
        let what = match trip.guard {
            GuardName::DailyAutomatic => "automation stops; a person's `kedge up` is not held",
            GuardName::Changes | GuardName::Share | GuardName::Creates => {
                "the whole plan is refused"
            }
        };
        let tail = format!("{trip} · {what}");
        blocks.push(Block::of(Label::Guard, tail, Vec::new()));
    }
    blocks.extend(hold_blocks(report));
    if let Some(at) = report.plan.retired {
        let tail = format!("since {at}");
        let line =
            "nothing is done by itself; a person's `kedge up` or a push begins the stack anew";
        let lines = vec![vec![line.to_owned()]];
        blocks.push(Block::of(Label::Retired, tail, Vec::new()).with_lines(lines));
    }
    blocks.extend(report.plan.variables.iter().map(|variable| {
        let line =
            "what depends on it waits for a person's `kedge up`, and a tick changes nothing of it";
        let lines = vec![vec![line.to_owned()]];
        Block::of(Label::Variable, outside(&variable.to_string()), Vec::new()).with_lines(lines)
    }));
    let change = &report.plan.policy_change;
    if !change.loosened.is_empty() {
        // A key named on the command line is not heard on a protected stack (semantics 6.4).
        let needs = match report.plan.policy.protected {
            true => "loosening is destructive: needs the stack's name typed on a terminal",
            false => "loosening is destructive: needs a person's consent to the key policy",
        };
        let lines = vec![vec![needs.to_owned()]];
        let tail = format!("would become looser: {}", change.loosened.join(", "));
        blocks.push(Block::of(Label::Policy, tail, Vec::new()).with_lines(lines));
    }
    if !change.tightened.is_empty() {
        let tail = format!("stricter from now on: {}", change.tightened.join(", "));
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
fn invalid(bundle: &InvalidBundle) -> Block {
    let problems = bundle.problems.iter().flat_map(|problems| &problems.list);
    let rows: Vec<String> = problems
        .take(PROBLEMS_MAX)
        .map(|one| format!("{}:{}:{} {}", one.file, one.line, one.column, one.message))
        .collect();
    let all = bundle.problems.as_ref();
    let all = all.map_or(0, |problems| problems.list.len() + problems.left_out);
    let more = match all.saturating_sub(rows.len()) {
        0 => Vec::new(),
        more => vec![format!("and {more} more problems")],
    };
    let rows = rows
        .into_iter()
        .chain(more)
        .map(|row| outside(&row))
        .collect();
    let line = "drift is looked for by the last good revision; nothing is withdrawn or changed";
    Block::of(Label::Invalid, outside(&bundle.reason), rows).with_lines(vec![vec![line.to_owned()]])
}

/// Holds that stand, those that ended since the last check, and holds that can't be read.
pub(super) fn hold_blocks(report: &Report) -> Vec<Block> {
    let unread = report.holds_unread.iter().map(|unread| {
        let line = "nothing is corrected or deployed, whoever asks; still checked";
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
        Some(key) => format!("{} {}", key.kind().label(), outside(key.name())),
    };
    let (who, reason) = (outside(&hold.who), outside(&hold.reason));
    let (label, tail, line) = match hold.stands(report.read_at) {
        true => (
            Label::Held,
            format!("{what} · by {who} until {}: {reason}", hold.until),
            "not corrected, not deployed, whoever asks; still checked",
        ),
        false => (
            Label::HoldEnded,
            format!(
                "{what} · it was held by {who} until {}: {reason}",
                hold.until
            ),
            "corrections and deploys go on",
        ),
    };
    Block::of(label, tail, Vec::new()).with_lines(vec![vec![line.to_owned()]])
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
        (absent, "not there"),
        (blocked, "blocked"),
        (ignored, "ignored"),
        (unknown, "unknown"),
    ];
    let counts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let declared = report.declared.resources.len();
    let tail = format!("no state yet: {declared} declared · {}", counts.join(" · "));
    let line = match report.comparison.any_live {
        false if unknown > 0 => {
            "what could not be read may be live: nothing is made before it is read"
        }
        true => {
            "a tick changes nothing here; `kedge adopt` records what is live and changes nothing, \
             a person's `kedge up` changes what differs too"
        }
        false if absent == 0 => "none of it is live, and what is blocked nobody creates",
        false => "none of it is live: a deploy may create it",
    };
    Block::of(Label::NotAdoptedStack, tail, Vec::new()).with_lines(vec![vec![line.to_owned()]])
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
    part(report.count(&[Verdict::CatchingUp]), "settling");
    part(report.count(&[Verdict::Ignored]), "ignored");
    match report.count(&[Verdict::Orphan]) {
        1 => part(1, "orphan"),
        orphans => part(orphans, "orphans"),
    }
    part(report.comparison.unmanaged.len(), "unmanaged (kedge audit)");
    let foreign: usize = report
        .comparison
        .differences
        .values()
        .map(|one| one.foreign.len())
        .sum();
    match foreign {
        1 => part(1, "foreign member (kedge audit)"),
        members => part(members, "foreign members (kedge audit)"),
    }
    flow(&parts, " · ", WIDTH)
        .iter()
        .for_each(|line| page.line(line));
}

/// `9 reads, 0 writes · DRIFTED · next: kedge preview`.
pub(super) fn last(
    page: &mut Page,
    report: &Report,
    around: &RenderOptions<'_>,
    next: Option<&str>,
) {
    let verdict = report.verdict();
    let tone = match verdict {
        StackVerdict::Clean => Tone::Good,
        StackVerdict::NotAdopted | StackVerdict::Pending | StackVerdict::Incomplete => Tone::Warn,
        StackVerdict::Drifted | StackVerdict::Invalid => Tone::Bad,
    };
    let before = around
        .traffic
        .map(|traffic| format!("{} · ", traffic_text(traffic)));
    let after = next.map(|next| format!(" · next: {next}"));
    page.spans(&[
        (Tone::Plain, &before.unwrap_or_default()),
        (tone, &verdict.to_string()),
        (Tone::Plain, &after.unwrap_or_default()),
    ]);
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

/// The push that must come before anything else, if one must.
pub(super) fn push_first(report: &Report, around: &RenderOptions<'_>) -> Option<String> {
    let flags = report.push_first.as_ref()?;
    Some(command(report, around, &format!("push{flags}")))
}

/// A command for this stack; the stack is named where the shell does not remember it.
pub(super) fn command(report: &Report, around: &RenderOptions<'_>, verb: &str) -> String {
    let flags = around.flags;
    match around.stack_origin {
        "--stack" => format!("kedge {verb} --stack {}{flags}", report.declared.stack),
        _ => format!("kedge {verb}{flags}"),
    }
}
