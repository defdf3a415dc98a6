//! Fields that differ: the three truths in columns.

use super::page::{columns, flow};
use super::values::{plain_text, value_text};
use crate::compare::{Cause, FieldDifference, ItemDifference};
use crate::model::{FieldName, Kind, Value};
use crate::render::view::outside;

const TRUTHS: [&str; 3] = ["declared", "recorded", "live"];

/// One field: its name and what the three truths say of it.
struct Row {
    name: String,
    truths: [String; 3],
    items: Vec<String>,
}

/// The fields that differ, on lines of at most `width` columns where that is possible.
pub(super) fn rows(kind: Kind, fields: &[FieldDifference], width: usize) -> Vec<String> {
    let rows: Vec<Row> = fields.iter().map(|field| row(kind, field)).collect();
    let fits = |row: &&Row| columns(&one_line(row, [0; 4])) <= width;
    let widths = widths(rows.iter().filter(fits));
    let name_width = rows.iter().map(|row| columns(&row.name)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for row in &rows {
        if fits(&row) {
            let aligned = one_line(row, widths);
            lines.push(if columns(&aligned) <= width {
                aligned
            } else {
                one_line(row, [0; 4])
            });
        } else {
            lines.extend(stacked(row, name_width, width));
        }
        let pad = " ".repeat(columns(&row.name) + 2);
        lines.extend(row.items.iter().map(|item| format!("{pad}{item}")));
    }
    lines
}

fn row(kind: Kind, field: &FieldDifference) -> Row {
    let FieldDifference {
        field: name,
        declared,
        recorded,
        live,
        cause: _,
        items,
        origin: _,
        stuck: _,
    } = field;
    let declared_value = declared.as_ref();
    let other = |value: Option<&Value>| repeated(kind, name, value, declared_value);
    Row {
        name: outside(name.as_str()),
        truths: [
            value_text(kind, name, declared_value),
            other(recorded.as_ref()),
            other(live.as_ref()),
        ],
        items: items_text(items, recorded.is_some()),
    }
}

/// A value beside the declared one; where they are equal its meaning is not said again.
fn repeated(
    kind: Kind,
    name: &FieldName,
    value: Option<&Value>,
    declared: Option<&Value>,
) -> String {
    match value {
        Some(value) if Some(value) == declared => plain_text(kind, name, value),
        value => value_text(kind, name, value),
    }
}

/// The items of a set that are too many or lacking, with the reason. Of a set that is not recorded
/// nothing is known but what is declared and live.
fn items_text(items: &[ItemDifference], is_recorded: bool) -> Vec<String> {
    let mut groups: Vec<(String, &str, Vec<String>)> = Vec::new();
    for item in items {
        let (what, why) = match (item.lacking, item.cause) {
            _ if item.condition.is_some() => ("narrowed", "only under a condition"),
            (true, Cause::Drifted | Cause::EditedAndDrifted) => {
                ("lacking", "removed outside kedge")
            }
            (true, Cause::Edited) => ("lacking", "newly declared"),
            (true, _) if !is_recorded => ("lacking", "declared, and not live"),
            (true, _) => ("lacking", "not there when it was adopted"),
            (false, Cause::Removed) => ("too many", "no longer declared"),
            (false, Cause::Drifted | Cause::EditedAndDrifted) => {
                ("too many", "added outside kedge")
            }
            (false, _) if !is_recorded => ("too many", "live, and not declared"),
            (false, _) => ("too many", "there before it was adopted"),
        };
        let text = outside(&item.item);
        match groups.iter_mut().find(|(w, y, _)| w == what && *y == why) {
            Some((_, _, texts)) => texts.push(text),
            None => groups.push((what.to_owned(), why, vec![text])),
        }
    }
    groups
        .into_iter()
        .map(|(what, why, texts)| format!("{what}: {} ({why})", texts.join(", ")))
        .collect()
}

fn cells(row: &Row) -> [String; 4] {
    let [declared, recorded, live] = &row.truths;
    [
        row.name.clone(),
        format!("declared {declared}"),
        format!("recorded {recorded}"),
        format!("live {live}"),
    ]
}

fn widths<'a>(rows: impl Iterator<Item = &'a Row>) -> [usize; 4] {
    let mut widths = [0; 4];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(cells(row)) {
            *width = (*width).max(columns(&cell));
        }
    }
    widths
}

fn one_line(row: &Row, widths: [usize; 4]) -> String {
    let padded = cells(row)
        .into_iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// One truth a line, for what is too long to stand side by side.
fn stacked(row: &Row, name_width: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (word, truth) in TRUTHS.into_iter().zip(&row.truths) {
        let name = if lines.is_empty() {
            row.name.as_str()
        } else {
            ""
        };
        let head = format!("{name:name_width$}  {word:8} ");
        let room = width.saturating_sub(columns(&head)).max(20);
        let parts: Vec<String> = truth.split(", ").map(str::to_owned).collect();
        for (number, part) in flow(&parts, ", ", room).into_iter().enumerate() {
            lines.push(match number {
                0 => format!("{head}{part}"),
                _ => format!("{}{part}", " ".repeat(columns(&head))),
            });
        }
    }
    lines
}
