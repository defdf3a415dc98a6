//! `kedge check`: is something wrong?

use super::blocks::{self, Block, Label};
use super::frame;
use super::page::Page;
use crate::compare::{Difference, Verdict};
use crate::model::{Kind, ResourceKey};
use crate::render::RenderOptions;
use crate::render::view::{View, outside};
use crate::report::{Report, StackVerdict};

/// The most names of one block; the rest is in `kedge preview`.
const NAMES_MAX: usize = 20;
/// The most unmanaged names (semantics 9.5); the rest is in `kedge audit`.
const UNMANAGED_MAX: usize = 10;

/// What is wrong with a stack, as text.
#[must_use]
pub fn check_text(report: &Report, around: &RenderOptions<'_>) -> String {
    let view = View::new(report);
    let mut page = Page::new(around.colour);
    frame::head(&mut page, report, around);
    let mut blocks = frame::stack_blocks(report);
    blocks.extend(resources(&view, around));
    blocks.extend(unmanaged(report, around));
    let most = if around.verbose {
        usize::MAX
    } else {
        NAMES_MAX
    };
    blocks::write(&mut page, &blocks::joined(blocks), most);
    frame::counts(&mut page, report);
    frame::last(&mut page, report, around, next(report, around).as_deref());
    page.finish()
}

/// The blocks of the resources; of a stack without state only what could not be read and what is blocked.
pub(super) fn resources(view: &View<'_>, around: &RenderOptions<'_>) -> Vec<Block> {
    if !view.report.is_not_adopted() {
        return blocks::of_resources(view, around);
    }
    let mut blocks = vec![frame::not_adopted(view)];
    let differences = view.report.comparison.differences.values();
    let said = differences.filter(|one| one.failure.is_some() || one.blocked.is_some());
    blocks.extend(said.filter_map(|one| blocks::of_resource(view, around, one)));
    blocks
}

/// What is live and nobody's, and apart from it what bears our mark.
fn unmanaged(report: &Report, around: &RenderOptions<'_>) -> Vec<Block> {
    let comparison = &report.comparison;
    let is_stray = |key: &&ResourceKey| comparison.strays.contains(*key);
    let (strays, others): (Vec<_>, Vec<_>) = comparison.unmanaged.iter().partition(is_stray);
    let others = listed(
        &others,
        "neither declared nor recorded; never touched",
        around,
    );
    let strays = listed(&strays, STRAY, around);
    let strays = strays.map(|block| block.with_lines(vec![vec![STRAY_HINT.to_owned()]]));
    others.into_iter().chain(strays).collect()
}

/// What is said of record sets that bear the stack's mark and that nobody knows.
pub(super) const STRAY: &str =
    "has this stack's mark, neither declared nor recorded; never touched";
/// What to do about them.
pub(super) const STRAY_HINT: &str =
    "kedge made it, as far as its comment tells: declare it, or delete it by hand";

fn listed(keys: &[&ResourceKey], tail: &str, around: &RenderOptions<'_>) -> Option<Block> {
    let most = if around.verbose {
        usize::MAX
    } else {
        UNMANAGED_MAX
    };
    let name = |kind: Kind, name: &str| format!("{} {}", kind.label(), outside(name));
    let names = keys.iter().map(|key| name(key.kind(), key.name()));
    match keys {
        [] => None,
        [one] => {
            let tail = format!("{} · {tail}", name(one.kind(), one.name()));
            Some(Block::of(Label::Unmanaged, tail, Vec::new()))
        }
        _ => {
            let tail = format!("{} resources · {tail}", keys.len());
            let list = blocks::cut(names, keys.len(), most, "kedge audit");
            Some(Block::of(Label::Unmanaged, tail, blocks::listed(&list)))
        }
    }
}

/// What to do next, if anything.
fn next(report: &Report, around: &RenderOptions<'_>) -> Option<String> {
    if report.verdict() == StackVerdict::Clean {
        return None;
    }
    if report.unverified.is_some() {
        return Some(frame::command(report, around, "check"));
    }
    if report.invalid.is_some() || report.push_first.is_some() {
        return frame::push_first(report, around);
    }
    if let Some(unread) = &report.holds_unread {
        let command = frame::command(report, around, "release --replace");
        return (!unread.is_newer).then_some(command);
    }
    if !report.comparison.has_state && report.comparison.any_live {
        return Some(frame::command(report, around, "adopt"));
    }
    let is_loosened = !report.plan.policy_change.loosened.is_empty();
    let has_moved = !report.plan.variables.is_empty();
    if !report.plan.changes.is_empty() || is_loosened || has_moved {
        return Some(frame::command(report, around, "preview"));
    }
    if !report.comparison.has_state && !report.records().is_empty() {
        return Some(frame::command(report, around, "up"));
    }
    if report.held() > 0 {
        return Some(frame::command(report, around, &release(report)));
    }
    // What nobody can put back is settled by what the definitions say (semantics 7.2).
    let differs = report.count(&[
        Verdict::Drifted,
        Verdict::DriftedAndPending,
        Verdict::Pending,
        Verdict::NotAdopted,
    ]);
    let is_ill = |one: &Difference| one.is_drift() && one.fields.is_empty();
    let ill = report.comparison.differences.values();
    let next = match ill.filter(|one| is_ill(one)).count() {
        ill if ill == differs => "repair it at the provider, or add an ignore rule",
        _ => "edit the definitions, or add an ignore rule",
    };
    (differs > 0).then(|| next.to_owned())
}

/// The release that ends what is held: of the whole stack, or of the one resource that is.
fn release(report: &Report) -> String {
    let standing = report.holds.iter();
    let mut keys = standing
        .filter(|hold| hold.stands(report.read_at))
        .map(|hold| hold.key.as_ref());
    match (keys.next(), keys.next()) {
        (Some(Some(only)), None) => format!("release {}", outside(only.name())),
        (Some(Some(_)), Some(Some(_))) if keys.all(|key| key.is_some()) => {
            "release --all".to_owned()
        }
        _ => "release".to_owned(),
    }
}
