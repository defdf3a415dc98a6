//! `kedge check`: is something wrong?

use super::blocks::{self, Block, Label};
use super::page::Page;
use super::{frame, next};
use crate::model::ResourceKey;
use crate::render::RenderOptions;
use crate::render::view::{View, outside};
use crate::report::Report;

/// What is wrong with a stack, as text.
#[must_use]
pub fn check_text(report: &Report, around: &RenderOptions<'_>) -> String {
    let view = View::new(report);
    let mut page = Page::new(around.screen);
    frame::head(&mut page, report, around);
    let mut blocks = frame::stack_blocks(report, &report.automation.refused, around);
    blocks.extend(resources(&view, around));
    blocks.extend(unmanaged(report, around));
    blocks::write(&mut page, &blocks::joined(blocks), around.hints);
    frame::counts(&mut page, report);
    frame::last(&mut page, report, around, next::after_check(report));
    page.finish()
}

/// The blocks of the resources; of a stack without state only what could not be read and what is blocked.
pub(super) fn resources(view: &View<'_>, around: &RenderOptions<'_>) -> Vec<Block> {
    if !view.report.is_not_adopted() {
        return blocks::of_resources(view, around);
    }
    let mut blocks = vec![frame::not_adopted(view)];
    let differences = view.report.comparison.differences.values();
    let shown = differences.filter(|one| one.failure.is_some() || one.blocked.is_some());
    blocks.extend(shown.filter_map(|one| blocks::of_resource(view, around, one)));
    blocks
}

/// What is live and unmanaged; what has this stack's mark stands apart.
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

/// What is said of record sets that have the stack's mark and are neither declared nor recorded.
pub(super) const STRAY: &str =
    "has this stack's mark, neither declared nor recorded; never touched";
/// What to do about them.
pub(super) const STRAY_HINT: &str =
    "its comment says that kedge created it: declare it, or delete it by hand";

fn listed(keys: &[&ResourceKey], tail: &str, around: &RenderOptions<'_>) -> Option<Block> {
    let names: Vec<String> = keys.iter().map(|key| outside(&key.labelled())).collect();
    match names.as_slice() {
        [] => None,
        [one] => {
            let tail = format!("{one} · {tail}");
            Some(Block::of(Label::Unmanaged, tail, Vec::new()))
        }
        _ => {
            let tail = format!("{} resources · {tail}", keys.len());
            let list = blocks::listed(&names, around);
            Some(Block::of(Label::Unmanaged, tail, list))
        }
    }
}
