//! `kedge audit`: everything, with what nobody declared and what is overlooked.

use std::collections::BTreeMap;

use super::blocks::{self, Block, Label};
use super::check::{STRAY, STRAY_HINT, resources};
use super::page::{Page, count};
use super::{frame, next};
use crate::compare::Verdict;
use crate::model::Kind;
use crate::render::RenderOptions;
use crate::render::view::{View, outside};
use crate::report::Report;

/// Everything that is known of a stack, as text.
#[must_use]
pub fn audit_text(report: &Report, around: &RenderOptions<'_>) -> String {
    let view = View::new(report);
    let mut page = Page::new(around.screen);
    frame::head(&mut page, report, around);
    let mut blocks = frame::stack_blocks(report, &report.automation.refused, around);
    blocks.extend(resources(&view, around));
    blocks.extend(ignored_beside(&view, around));
    blocks.extend(unmanaged(report, around));
    blocks.extend(foreign(report, around));
    blocks.extend(unused(report, around));
    blocks::write(&mut page, &blocks::joined(blocks), around.hints);
    frame::counts(&mut page, report);
    frame::last(&mut page, report, around, next::after_check(report));
    page.finish()
}

/// Fields that a rule overlooks on resources that differ besides.
fn ignored_beside(view: &View<'_>, around: &RenderOptions<'_>) -> Vec<Block> {
    let differences = view.report.comparison.differences.values();
    differences
        .filter(|one| one.verdict != Verdict::Ignored && !one.ignored.is_empty())
        .map(|one| {
            let tail = outside(&one.key.labelled());
            let rows = super::rows::rows(
                one.key.kind(),
                &one.ignored,
                blocks::row_width(around.screen),
            );
            Block::of(Label::Ignored, tail, rows)
        })
        .collect()
}

fn unmanaged(report: &Report, around: &RenderOptions<'_>) -> Vec<Block> {
    let comparison = &report.comparison;
    let mut kinds: BTreeMap<(Kind, bool), Vec<String>> = BTreeMap::new();
    for key in &comparison.unmanaged {
        kinds
            .entry((key.kind(), comparison.strays.contains(key)))
            .or_default()
            .push(outside(key.name()));
    }
    let block = |((kind, is_stray), names): ((Kind, bool), Vec<String>)| {
        let number = count(names.len(), kind.label());
        let (text, lines) = match is_stray {
            true => (STRAY, vec![vec![STRAY_HINT.to_owned()]]),
            false => ("neither declared nor recorded; never touched", Vec::new()),
        };
        let tail = format!("{number} · {text}");
        Block::of(Label::Unmanaged, tail, blocks::listed(&names, around)).with_lines(lines)
    };
    kinds.into_iter().map(block).collect()
}

fn foreign(report: &Report, around: &RenderOptions<'_>) -> Vec<Block> {
    let differences = report.comparison.differences.values();
    differences
        .filter(|one| !one.foreign.is_empty())
        .map(|one| {
            let tail = format!(
                "binding {} · members that are not declared; left alone",
                outside(one.key.name())
            );
            let name = |member: &String| match one.conditions.get(member) {
                None => outside(member),
                Some(condition) => outside(&format!("{member} (under the condition {condition})")),
            };
            let names: Vec<String> = one.foreign.iter().map(name).collect();
            Block::of(Label::Foreign, tail, blocks::listed(&names, around))
        })
        .collect()
}

fn unused(report: &Report, around: &RenderOptions<'_>) -> Option<Block> {
    let names: Vec<String> = report
        .declared
        .unused
        .iter()
        .map(|key| outside(key))
        .collect();
    let tail = format!(
        "{} in the definitions without effect",
        count(names.len(), "key")
    );
    (!names.is_empty()).then(|| Block::of(Label::Unused, tail, blocks::listed(&names, around)))
}
