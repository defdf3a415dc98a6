//! `kedge.accept/1`: the edits of the definitions that make declared what is live.

use serde::Serialize;

use super::parts::{ResourceName, Text, field};
use super::words::{AcceptAction, Kind, Provider};
use crate::accept::{Acceptance, Accepted, Doing};
use crate::model::ResourceKey;

format_name!(Accept: AcceptFormat => "kedge.accept/1");

/// The edits of the definitions that make declared what is live: `kedge accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accept {
    /// The name and number of this format.
    pub format: AcceptFormat,
    /// The resource's key.
    pub key: Text,
    /// What sort of resource it is.
    pub kind: Kind,
    /// Who has it.
    pub provider: Provider,
    /// The resource's name.
    pub name: Text,
    /// The edits.
    pub edits: Vec<AcceptEdit>,
    /// What can't be accepted.
    pub cannot: Vec<NotAcceptable>,
    /// Whether an edit applies to other stacks too.
    pub affects_other_stacks: bool,
}

/// An edit of a definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AcceptEdit {
    /// The field; `null`: the whole resource.
    pub field: Option<Text>,
    /// The file.
    pub file: Text,
    /// The line, from 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub line: u32,
    /// What to do there.
    pub action: AcceptAction,
    /// The new line, of `replace` and `add`; the key, of `remove`.
    pub text: Option<Text>,
    /// The key of the list, of `edit-list`.
    pub list: Option<Text>,
    /// Items to add to the list.
    pub add: Vec<Text>,
    /// Items to remove from the list.
    pub remove: Vec<Text>,
}

/// A difference that no edit can accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotAcceptable {
    /// The field; `null`: the whole resource.
    pub field: Option<Text>,
    /// Why not.
    pub reason: Text,
}

impl From<&Acceptance> for AcceptEdit {
    fn from(edit: &Acceptance) -> Self {
        let nothing: &[String] = &[];
        let (action, text, list, add, remove) = match &edit.doing {
            Doing::Replace(line) => (AcceptAction::Replace, Some(line), None, nothing, nothing),
            Doing::Add(line) => (AcceptAction::Add, Some(line), None, nothing, nothing),
            Doing::Remove(name) => (AcceptAction::Remove, Some(name), None, nothing, nothing),
            Doing::RemoveResource => (AcceptAction::RemoveResource, None, None, nothing, nothing),
            Doing::Items { list, add, remove } => (
                AcceptAction::EditList,
                None,
                Some(list),
                add.as_slice(),
                remove.as_slice(),
            ),
        };
        let text_of = |text: Option<&String>| text.map(|text| Text::new(text));
        Self {
            field: field(edit.field.as_ref()),
            file: Text::new(&edit.origin.file),
            line: edit.origin.line,
            action,
            text: text_of(text),
            list: text_of(list),
            add: Text::all(add),
            remove: Text::all(remove),
        }
    }
}

/// The edits that accept what is live.
#[must_use]
pub fn accept(key: &ResourceKey, accepted: &Accepted) -> Accept {
    let ResourceName {
        key,
        kind,
        provider,
        name,
    } = key.into();
    let cannot = accepted.cannot.iter();
    Accept {
        format: AcceptFormat::V1,
        key,
        kind,
        provider,
        name,
        edits: accepted.edits.iter().map(Into::into).collect(),
        cannot: cannot
            .map(|(name, why)| NotAcceptable {
                field: field(name.as_ref()),
                reason: Text::new(why),
            })
            .collect(),
        affects_other_stacks: accepted.is_shared,
    }
}
