//! `kedge accept`: the edit that makes what is live declared.

use super::page::{Page, Tone};
use crate::accept::{Accepted, Doing};
use crate::hint::Hint;
use crate::model::ResourceKey;
use crate::render::view::outside;
use crate::render::{Hints, Screen};

/// The edits, file and line first; files are under `root`. `then` is what an edit counts from: a check
/// of the files, or a push of them.
#[must_use]
pub fn accept_text(
    key: &ResourceKey,
    accepted: &Accepted,
    root: &str,
    then: &Hint,
    screen: Screen,
    hints: Hints<'_>,
) -> String {
    let mut page = Page::new(screen);
    let name = outside(key.name());
    page.spans(&[(Tone::Strong, &outside(&key.labelled()))]);
    for edit in &accepted.edits {
        let file = match root.trim_end_matches('/') {
            "" | "." => edit.origin.file.to_string(),
            root => format!("{root}/{}", edit.origin.file),
        };
        let place = format!("{file}:{}", edit.origin.line);
        let text = |items: &[String]| {
            let items: Vec<String> = items.iter().map(|item| outside(item)).collect();
            items.join(", ")
        };
        let doing = match &edit.doing {
            Doing::Replace(line) => vec![format!("write  {}", outside(line))],
            Doing::Add(line) => vec![format!(
                "add    {}  (to {name}, which now has a default)",
                outside(line)
            )],
            Doing::Remove(name) => vec![format!("remove {}", outside(name))],
            Doing::RemoveResource => vec![format!("remove {name}, which does not exist any more")],
            Doing::Items { list, add, remove } => [("add to", add), ("remove from", remove)]
                .into_iter()
                .filter(|(_, items)| !items.is_empty())
                .map(|(what, items)| format!("{what} {list}: {}", text(items)))
                .collect(),
        };
        for line in doing {
            page.spans(&[
                (Tone::Plain, "  "),
                (Tone::Warn, &place),
                (Tone::Plain, "  "),
                (Tone::Plain, &line),
            ]);
        }
    }
    for (field, why) in &accepted.cannot {
        let field = field
            .as_ref()
            .map(|field| format!("{}: ", outside(field.as_str())));
        page.line(&format!(
            "  cannot be accepted: {}{}",
            field.unwrap_or_default(),
            outside(why)
        ));
    }
    if accepted.is_shared {
        page.line(
            "Every stack reads these files, so the edit applies to all of them. To ignore the \
             difference in one stack, add an ignore rule to kedge.yaml.",
        );
    }
    if accepted.edits.is_empty() {
        page.command(
            &[(
                Tone::Plain,
                "next: add an ignore rule, or restore what is declared: ",
            )],
            &hints(&Hint::Preview),
        );
    } else {
        page.line("Nothing was written.");
        page.command(
            &[(Tone::Plain, "next: edit the files, then: ")],
            &hints(then),
        );
    }
    page.finish()
}
