//! What to do next. It never undoes what a person did on purpose, and is never what would be refused.

use crate::compare::{Difference, Verdict};
use crate::hint::Hint;
use crate::live::{FailureCode, ReadFailure};
use crate::model::ResourceKey;
use crate::record::{Answer, CommandOutcome, Forgotten};
use crate::render::consent::Commands;
use crate::render::view::outside;
use crate::report::{Changed, Report, StackVerdict};
use crate::stored::hold::Hold;

/// What to do next: in words, with a command, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) words: String,
    pub(super) hint: Option<Hint>,
}

impl Next {
    pub(super) fn of(hint: Hint) -> Self {
        Self {
            words: String::new(),
            hint: Some(hint),
        }
    }

    fn after(words: &str, hint: Hint) -> Self {
        Self {
            words: words.to_owned(),
            hint: Some(hint),
        }
    }

    fn words(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            hint: None,
        }
    }
}

/// After a check or an audit.
pub(super) fn after_check(report: &Report) -> Option<Next> {
    if report.verdict() == StackVerdict::Clean {
        return None;
    }
    if let Some(first) = first_of_all(report) {
        return Some(first);
    }
    if !report.comparison.has_state && report.comparison.any_live {
        return Some(Next::of(Hint::Adopt));
    }
    let plan = &report.plan;
    let is_loosened = !plan.policy_change.loosened.is_empty() && !plan.held;
    if !plan.changes.is_empty() || is_loosened || !plan.variables.is_empty() {
        return Some(Next::of(Hint::Preview));
    }
    if !report.comparison.has_state && !report.records().is_empty() {
        return Some(Next::of(Hint::up()));
    }
    Some(without_changes(report).unwrap_or_else(|| Next::of(Hint::Preview)))
}

/// After a preview.
pub(super) fn after_preview(report: &Report, commands: Commands) -> Option<Next> {
    // What only state would learn from a deploy is no reason to call for one.
    if report.verdict() == StackVerdict::Clean {
        return None;
    }
    if let Some(first) = first_of_all(report) {
        return Some(first);
    }
    let Commands {
        person,
        named,
        typed,
        overriding,
        unattended: _,
    } = commands;
    let command = [person, named, typed, overriding]
        .into_iter()
        .flatten()
        .next();
    let next = command.map(Next::of).or_else(|| without_changes(report));
    let again = || Next::after("resolve that, then", Hint::Check);
    Some(next.unwrap_or_else(again))
}

/// After a run: the verdict of its report is older than its changes.
pub(super) fn after_changes(report: &Report, changed: &Changed) -> Option<Next> {
    if changed.results.is_empty() && report.holds_unread.is_some() {
        return first_of_all(report);
    }
    let needs_person = report.decided.leaves_any();
    let answer = report.command.as_ref().map(|command| &command.answer);
    if matches!(answer, Some(Answer::Retired { .. })) && (needs_person || !changed.is_complete()) {
        return after_retire(report).or_else(|| Some(Next::of(Hint::Retire)));
    }
    if changed.results.is_empty() && !needs_person && report.held() > 0 {
        return held(report);
    }
    if needs_person || !changed.is_complete() {
        Some(Next::of(Hint::Preview))
    } else if !changed.results.is_empty() || report.verdict() != StackVerdict::Clean {
        Some(Next::of(Hint::Check))
    } else {
        None
    }
}

/// After a command about state: what it leaves. The report is older than what the command records.
pub(super) fn after_command(report: &Report, command: &CommandOutcome) -> Option<Next> {
    if let Some(first) = first_of_all(report) {
        return Some(first);
    }
    match &command.answer {
        Answer::Refreshed => after_check(report),
        Answer::Adopted(adoption) => unread(report, Hint::Adopt).or_else(|| {
            let is_left = !adoption.pending.is_empty() || !adoption.left.is_empty();
            (is_left || differs_beside(report, &adoption.equal)).then(|| Next::of(Hint::Preview))
        }),
        Answer::Forgotten(means) => unread(report, Hint::Check).or_else(|| {
            let waits = |one: &Forgotten| matches!(one, Forgotten::NotAdopted | Forgotten::New);
            let keys: Vec<ResourceKey> = means.keys().cloned().collect();
            let is_left = means.values().any(waits) || differs_beside(report, &keys);
            is_left.then(|| Next::of(Hint::Preview))
        }),
        Answer::Absent(absence) if absence.keys.is_empty() => after_check(report),
        Answer::Absent(_) if !command.recording.absent.is_empty() => after_check(report),
        Answer::Absent(absence) => {
            let digest = Some(absence.digest.clone());
            Some(if_gone(Hint::ConfirmAbsence { digest }))
        }
        Answer::Retired { .. } => after_retire(report),
    }
}

/// What a `retire` leaves.
fn after_retire(report: &Report) -> Option<Next> {
    let is_left = report.decided.leaves_any() || !report.plan.findings.is_empty();
    let waits = || (report.held() > 0).then(|| held(report)).flatten();
    unread(report, Hint::Retire)
        .or_else(waits)
        .or_else(|| is_left.then(|| Next::after("resolve that, then", Hint::Retire)))
}

/// Whether anything besides these differs.
fn differs_beside(report: &Report, keys: &[ResourceKey]) -> bool {
    let mut differences = report.comparison.differences.values();
    differences.any(|one| differs(&one) && !keys.contains(&one.key))
}

/// What must come before anything else, if something must.
fn first_of_all(report: &Report) -> Option<Next> {
    if report.unverified.is_some() {
        return Some(Next::of(Hint::Check));
    }
    if report.open_run.as_ref().is_some_and(|run| run.is_working()) {
        return Some(Next::after("wait for that run, then", Hint::Check));
    }
    match (&report.push_first, &report.invalid) {
        (Some(push), None) => return Some(Next::of(push.clone())),
        // Only what was stored with a mistake is corrected first; the local files may be right already.
        (Some(push), Some(invalid)) => {
            return Some(match invalid.problems.is_some() && !invalid.beside {
                true => Next::after("correct the definitions, then", push.clone()),
                false => Next::of(push.clone()),
            });
        }
        (None, Some(_)) => {
            let words = "upgrade kedge: a newer version stored these definitions";
            return Some(Next::words(words));
        }
        (None, None) => {}
    }
    let unread = report.holds_unread.as_ref()?;
    Some(match unread.is_newer {
        true => Next::words("upgrade kedge: a newer version wrote the holds"),
        false => Next::after(
            "find out what was held, then hold it again",
            Hint::ReplaceHolds,
        ),
    })
}

/// What to do where the plan has nothing that could be done.
fn without_changes(report: &Report) -> Option<Next> {
    let differences = || report.comparison.differences.values();
    if let Some(unread) = unread(report, Hint::Check) {
        return Some(unread);
    }
    if report.held() > 0 {
        return held(report);
    }
    // What nobody can correct is resolved by what the definitions say (semantics 7.2).
    let is_ill = |one: &&Difference| one.is_drift() && one.fields.is_empty();
    let open = || differences().filter(differs);
    if let Some(first) = open().find(|one| one.blocked.is_none() && !is_ill(one)) {
        let words = "add an ignore rule, or edit the definitions as this says";
        let key = short_key(report, &first.key);
        return Some(Next::after(words, Hint::Accept { key }));
    }
    if open().any(|one| one.blocked.is_some()) {
        return Some(Next::after(UNBLOCK, Hint::Check));
    }
    open().next()?;
    Some(Next::words(
        "repair it at the provider, or add an ignore rule",
    ))
}

/// What to do about resources that could not be read, and then again.
fn unread(report: &Report, again: Hint) -> Option<Next> {
    let differences = || report.comparison.differences.values();
    let failures = || differences().filter_map(|one| one.failure.as_ref());
    if failures().any(|failure| failure.code == FailureCode::MassAbsence) {
        return Some(if_gone(Hint::ConfirmAbsence { digest: None }));
    }
    let ran_out = |failure: &ReadFailure| {
        matches!(
            failure.code,
            FailureCode::OutOfRequests | FailureCode::OutOfTime
        )
    };
    failures().next()?;
    Some(match failures().all(ran_out) {
        true => Next::of(again),
        false => Next::after("fix why UNKNOWN could not be read, then", again),
    })
}

fn if_gone(confirm: Hint) -> Next {
    Next::after("if they are really gone, confirm it", confirm)
}

fn differs(one: &&Difference) -> bool {
    matches!(
        one.verdict,
        Verdict::Drifted | Verdict::DriftedAndPending | Verdict::Pending | Verdict::NotAdopted
    )
}

/// What to do about what is in the way of something declared.
const UNBLOCK: &str = "resolve what is blocked, then";

/// The shortest name that means this resource and no other of the stack.
pub(super) fn short_key(report: &Report, key: &ResourceKey) -> String {
    let is_alone = |name: &&str| {
        let keys = report.comparison.differences.keys();
        keys.filter(|other| other.answers_to(name)).count() == 1
    };
    let short = [key.name_head(), key.name()].into_iter().find(is_alone);
    short.map_or_else(|| key.to_string(), str::to_owned)
}

/// Who holds what differs, and until when: only they know why, and a hold ends by itself.
fn held(report: &Report) -> Option<Next> {
    let standing = report.holds.iter();
    let standing: Vec<&Hold> = standing
        .filter(|hold| hold.stands(report.read_at))
        .collect();
    let last = standing.iter().map(|hold| hold.until).max()?;
    let mut people: Vec<String> = standing.iter().map(|hold| outside(&hold.who)).collect();
    people.sort_unstable();
    people.dedup();
    let holds = match standing.len() {
        1 => "hold",
        _ => "last hold",
    };
    Some(Next::words(format!(
        "wait until the {holds} ends at {}, or ask {}",
        last.until_text(report.read_at),
        people.join(", ")
    )))
}
