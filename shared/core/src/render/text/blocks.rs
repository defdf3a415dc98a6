//! Blocks: a label, a name, and what there is to say of it. Resources of which the same is to be
//! said share one block (semantics 5.4): first the cause, then the names, then what to do.

use std::collections::BTreeSet;

use super::page::{Page, Tone, columns, count, flow, sentences_on};
use super::rows::rows;
use super::sentences::{needs_approval, sentences};
use crate::compare::{Cause, Difference, FieldDifference, Verdict};
use crate::hint::Hint;
use crate::live::ReadFailure;
use crate::model::{Declared, Kind, Origin, ResourceKey};
use crate::render::view::{View, outside};
use crate::render::{Hints, RenderOptions, Screen};

/// Lines below a label stand this much further in than the names beside it.
const BODY: usize = 2;
/// Where rows begin at the latest: behind the widest label. Rows are broken for this, so that they
/// do not depend on which blocks stand beside them.
const INDENT: usize = "NOT ADOPTED".len() + 2 + BODY;

/// How wide rows may be.
pub(super) fn row_width(screen: Screen) -> usize {
    screen.width.max(Screen::WIDTH_MIN).saturating_sub(INDENT)
}

/// What a block is about. The order is the order on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    Invalid,
    BeingChanged,
    BrokeOff,
    Guard,
    Held,
    HoldEnded,
    Retired,
    Variable,
    NotAdoptedStack,
    New,
    Drift,
    Blocked,
    Pending,
    Policy,
    NotAdopted,
    Orphan,
    Unknown,
    Ignored,
    CatchingUp,
    Note,
    Unmanaged,
    Foreign,
    Unused,
}

impl Label {
    fn text(self) -> (&'static str, Tone) {
        match self {
            Self::Invalid => ("INVALID", Tone::Bad),
            Self::BeingChanged => ("CHANGING", Tone::Warn),
            Self::BrokeOff => ("UNFINISHED", Tone::Warn),
            Self::Guard => ("GUARD", Tone::Bad),
            Self::Held => ("HELD", Tone::Warn),
            Self::HoldEnded => ("HOLD ENDED", Tone::Warn),
            Self::Retired => ("RETIRED", Tone::Warn),
            Self::Variable => ("VARIABLE", Tone::Warn),
            Self::Drift => ("DRIFT", Tone::Bad),
            Self::Blocked => ("BLOCKED", Tone::Warn),
            Self::Pending => ("PENDING", Tone::Warn),
            Self::Policy => ("POLICY", Tone::Warn),
            Self::NotAdoptedStack | Self::NotAdopted => ("NOT ADOPTED", Tone::Warn),
            Self::New => ("NEW", Tone::Warn),
            Self::Orphan => ("ORPHAN", Tone::Warn),
            Self::Unknown => ("UNKNOWN", Tone::Warn),
            Self::Ignored => ("IGNORED", Tone::Faint),
            Self::CatchingUp => ("CATCHING UP", Tone::Faint),
            Self::Note => ("NOTE", Tone::Warn),
            Self::Unmanaged => ("UNMANAGED", Tone::Faint),
            Self::Foreign => ("FOREIGN", Tone::Faint),
            Self::Unused => ("UNUSED", Tone::Faint),
        }
    }
}

/// What a block is about, if it is about several resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Kind(Kind),
    Provider(&'static str),
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) label: Label,
    /// Blocks that say the same of the same class of things are one.
    class: Option<Class>,
    names: Vec<(Kind, String)>,
    /// What stands behind the name.
    tail: String,
    rows: Vec<String>,
    origins: BTreeSet<String>,
    /// Each line's parts.
    lines: Vec<Vec<String>>,
    /// Short keys of what waits for approval.
    approve: Vec<String>,
}

impl Block {
    /// A block that is not about a resource.
    pub(super) fn of(label: Label, tail: String, rows: Vec<String>) -> Self {
        Self {
            label,
            class: None,
            names: Vec::new(),
            tail,
            rows,
            origins: BTreeSet::new(),
            lines: Vec::new(),
            approve: Vec::new(),
        }
    }

    pub(super) fn with_lines(self, lines: Vec<Vec<String>>) -> Self {
        Self { lines, ..self }
    }

    fn says_as(&self, other: &Self) -> bool {
        self.class.is_some()
            && self.class == other.class
            && self.label == other.label
            && self.tail == other.tail
            && self.rows == other.rows
            && self.lines == other.lines
            && self.approve.is_empty() == other.approve.is_empty()
    }

    fn head(&self) -> String {
        let name = match (self.names.as_slice(), self.class) {
            ([], _) => String::new(),
            ([(kind, name)], _) => format!("{} {name}", kind.label()),
            (names, Some(Class::Provider(provider))) => {
                format!("{provider}, {} resources", names.len())
            }
            (names, _) => {
                let label = names.first().map_or("resource", |(kind, _)| kind.label());
                count(names.len(), label)
            }
        };
        match (name.is_empty(), self.tail.is_empty()) {
            (_, true) => name,
            (true, false) => self.tail.clone(),
            (false, false) => format!("{name} · {}", self.tail),
        }
    }

    fn name_list(&self, most: usize, hints: Hints<'_>) -> Vec<String> {
        if self.names.len() < 2 {
            return Vec::new();
        }
        let is_mixed = matches!(self.class, Some(Class::Provider(_)));
        let name = |(kind, name): &(Kind, String)| match is_mixed {
            true => format!("{} {name}", kind.label()),
            false => name.clone(),
        };
        cut(self.names.iter().map(name), self.names.len(), most, hints)
    }
}

/// The first `most` of some names, and how many more there are.
pub(super) fn cut(
    names: impl Iterator<Item = String>,
    all: usize,
    most: usize,
    hints: Hints<'_>,
) -> Vec<String> {
    let mut list: Vec<String> = names.take(most).collect();
    if all > most {
        list.push(format!("and {} more ({})", all - most, hints(&Hint::Full)));
    }
    list
}

/// Names as rows, no more than the screen is to have.
pub(super) fn listed(names: &[String], around: &RenderOptions<'_>) -> Vec<String> {
    let most = around.screen.most();
    let list = cut(names.iter().cloned(), names.len(), most, around.hints);
    flow(&list, ", ", row_width(around.screen))
}

/// Makes one block of all that say the same; keeps the order of the first of each.
pub(super) fn joined(blocks: Vec<Block>) -> Vec<Block> {
    let mut joined: Vec<Block> = Vec::new();
    // Equal blocks meet when they are sorted by what they say; the order of names stays.
    let mut sorted: Vec<(usize, Block)> = blocks.into_iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| content(a).cmp(&content(b)));
    let mut firsts: Vec<usize> = Vec::new();
    for (number, block) in sorted {
        match joined.last_mut() {
            Some(last) if last.says_as(&block) => {
                last.names.extend(block.names);
                last.origins.extend(block.origins);
                last.approve.extend(block.approve);
            }
            _ => {
                joined.push(block);
                firsts.push(number);
            }
        }
    }
    let mut ordered: Vec<(usize, Block)> = firsts.into_iter().zip(joined).collect();
    ordered.sort_by_key(|(number, block)| (block.label, *number));
    ordered.into_iter().map(|(_, block)| block).collect()
}

type Content<'a> = (
    Label,
    Option<Class>,
    &'a str,
    &'a [String],
    &'a [Vec<String>],
    bool,
);

fn content(block: &Block) -> Content<'_> {
    (
        block.label,
        block.class,
        &block.tail,
        &block.rows,
        &block.lines,
        block.approve.is_empty(),
    )
}

/// Writes blocks under each other, names in one column.
pub(super) fn write(page: &mut Page, blocks: &[Block], hints: Hints<'_>) {
    let widest = blocks
        .iter()
        .map(|block| columns(block.label.text().0))
        .max();
    let margin = widest.unwrap_or(0) + 2;
    let indent = margin + BODY;
    let room = page.room(indent);
    for block in blocks {
        let (label, tone) = block.label.text();
        let pad = " ".repeat(margin.saturating_sub(columns(label)));
        let parts: Vec<String> = block.head().split(" · ").map(str::to_owned).collect();
        for (number, part) in flow(&parts, " · ", room).iter().enumerate() {
            let name = (Tone::Strong, part.as_str());
            match number {
                0 => page.hanging(&[(tone, label), (Tone::Plain, &pad), name], indent),
                _ => page.hanging(&[(Tone::Plain, &" ".repeat(indent)), name], indent),
            }
        }
        let names = flow(&block.name_list(page.most(), hints), ", ", room);
        let origins = origins_on(&block.origins, page.most(), hints, room);
        let sentences = block
            .lines
            .iter()
            .flat_map(|parts| sentences_on(parts, room));
        let sentences: Vec<String> = sentences.collect();
        let mut put = |tone, text: &str| {
            page.spans(&[(Tone::Plain, &" ".repeat(indent)), (tone, text)]);
        };
        block.rows.iter().for_each(|line| put(Tone::Plain, line));
        sentences.iter().for_each(|line| put(Tone::Plain, line));
        names.iter().for_each(|line| put(Tone::Plain, line));
        origins.iter().for_each(|line| put(Tone::Faint, line));
        if !block.approve.is_empty() {
            let keys = block.approve.clone();
            put(
                Tone::Plain,
                &format!("approve with `{}`", hints(&Hint::Allow { keys })),
            );
        }
    }
}

fn origins_on(
    origins: &BTreeSet<String>,
    most: usize,
    hints: Hints<'_>,
    room: usize,
) -> Vec<String> {
    let mut parts = cut(origins.iter().cloned(), origins.len(), most, hints);
    let Some(first) = parts.first_mut() else {
        return Vec::new();
    };
    *first = format!("declared in {first}");
    flow(&parts, ", ", room)
}

/// The blocks of every declared or recorded resource that has something to say.
pub(super) fn of_resources(view: &View<'_>, around: &RenderOptions<'_>) -> Vec<Block> {
    let differences = view.report.comparison.differences.values();
    differences
        .filter_map(|difference| of_resource(view, around, difference))
        .collect()
}

/// The block of one resource; none if there is nothing to say.
pub(super) fn of_resource(
    view: &View<'_>,
    around: &RenderOptions<'_>,
    difference: &Difference,
) -> Option<Block> {
    if let Some(failure) = &difference.failure {
        return Some(unknown(&difference.key, failure));
    }
    let key = &difference.key;
    let label = match difference.verdict {
        Verdict::Unknown => Label::Unknown,
        Verdict::InSync if difference.blocked.is_some() => Label::Blocked,
        Verdict::InSync if !difference.notes.is_empty() => Label::Note,
        Verdict::InSync => return None,
        Verdict::CatchingUp => Label::CatchingUp,
        Verdict::Ignored => Label::Ignored,
        Verdict::Orphan => Label::Orphan,
        Verdict::NotAdopted => Label::NotAdopted,
        Verdict::Pending => Label::Pending,
        Verdict::Drifted | Verdict::DriftedAndPending => Label::Drift,
    };
    let fields = match label {
        Label::Ignored => &difference.ignored,
        _ => &difference.fields,
    };
    let mut block = Block {
        rows: rows(key.kind(), fields, row_width(around.screen)),
        origins: origins(&view.report.declared, key, fields, label),
        lines: sentences(view, difference),
        ..Block::of(label, tail(view, around, difference), Vec::new())
    };
    if label == Label::CatchingUp && !view.report.is_changing(key) {
        let until = difference.shown_by.map(|at| at.clock(view.report.read_at));
        let until = until.map(|until| format!(" (until {until})"));
        let text = format!(
            "just changed, the provider is catching up{}",
            until.unwrap_or_default()
        );
        block.lines.push(vec![text]);
    }
    if needs_approval(view, key) {
        block.approve.push(view.short_key(key));
    }
    block.class = Some(Class::Kind(key.kind()));
    block.names.push((key.kind(), outside(key.name())));
    Some(block)
}

fn tail(view: &View<'_>, around: &RenderOptions<'_>, difference: &Difference) -> String {
    let mut parts = Vec::new();
    match difference.whole {
        Some(Cause::Missing) => parts.push("missing: it was recorded and is gone".to_owned()),
        Some(Cause::Interrupted) => {
            parts.push("missing: a replacement was begun and not finished".to_owned());
        }
        Some(Cause::New) => parts.push("new: declared, not created yet".to_owned()),
        Some(Cause::NotAdopted) => {
            parts.push("new: it did not exist when the stack was adopted".to_owned());
        }
        _ => {}
    }
    if difference.verdict == Verdict::DriftedAndPending {
        let text = match difference.is_since_adoption() {
            true => "drifted; it differed from its definition when it was adopted",
            false => "drifted, and its definition was edited",
        };
        parts.push(text.to_owned());
    }
    let window = view.report.windows.get(&difference.key);
    let window = window.filter(|_| around.times);
    parts.extend(window.map(|window| window.describe(view.report.read_at)));
    parts.join(" · ")
}

/// Where the fields that differ were declared, or the resource itself.
fn origins(
    declared: &Declared,
    key: &ResourceKey,
    fields: &[FieldDifference],
    label: Label,
) -> BTreeSet<String> {
    let of_fields: Vec<(&FieldDifference, &Origin)> = fields
        .iter()
        .filter_map(|field| Some((field, field.origin.as_ref()?)))
        .collect();
    let places: BTreeSet<&Origin> = of_fields.iter().map(|(_, origin)| *origin).collect();
    if places.is_empty() && label != Label::CatchingUp {
        let resource = declared.resources.get(key);
        return resource
            .map(|resource| resource.origin.to_string())
            .into_iter()
            .collect();
    }
    let is_one = places.len() == 1;
    let text = |place: &Origin| {
        let here = of_fields.iter().filter(|(_, origin)| *origin == place);
        let names: Vec<&str> = here.map(|(field, _)| field.field.as_str()).collect();
        match is_one {
            true => place.to_string(),
            false => format!("{place} ({})", outside(&names.join(", "))),
        }
    };
    places.into_iter().map(text).collect()
}

fn unknown(key: &ResourceKey, failure: &ReadFailure) -> Block {
    let reason = match failure.reason.as_str() {
        "" => failure.code.as_str().replace('-', " "),
        reason => outside(reason),
    };
    let permission = failure
        .permission
        .as_ref()
        .filter(|permission| !reason.contains(permission.as_str()))
        .map(|permission| format!("; needs {}", outside(permission)));
    let text = format!(
        "could not be checked: {reason}{}",
        permission.unwrap_or_default()
    );
    let lines = vec![vec![text]];
    Block {
        class: Some(Class::Provider(key.scope().provider().as_str())),
        names: vec![(key.kind(), outside(key.name()))],
        lines,
        ..Block::of(Label::Unknown, String::new(), Vec::new())
    }
}
