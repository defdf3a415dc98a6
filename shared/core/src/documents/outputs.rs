//! `kedge.outputs/1`: the names that other programs need.

use serde::Serialize;

use super::parts::{ResourceName, Text};
use super::words::{Kind, Provider};
use crate::model::DeclaredResource;
use crate::report::Report;

format_name!(Outputs: OutputsFormat => "kedge.outputs/1");

/// What a stack consists of, for whoever uses it: `kedge outputs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outputs {
    /// The name and number of this format.
    pub format: OutputsFormat,
    /// The stack.
    pub stack: Text,
    /// The declared resources, by key.
    pub resources: Vec<Output>,
}

/// A declared resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Output {
    /// Its full and unique key.
    pub key: Text,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Who has it.
    pub provider: Provider,
    /// Its name.
    pub name: Text,
    /// Its name as other programs use it: a full Pub/Sub name, a domain with its addresses.
    pub full_name: Text,
    /// Whether it is there now.
    pub live: bool,
}

/// What a stack consists of.
#[must_use]
pub fn outputs(report: &Report) -> Outputs {
    let one = |resource: &DeclaredResource| {
        let ResourceName {
            key,
            kind,
            provider,
            name,
        } = (&resource.key).into();
        Output {
            key,
            kind,
            provider,
            name,
            full_name: Text::new(&full_name(resource)),
            live: report.is_live(&resource.key),
        }
    };
    Outputs {
        format: OutputsFormat::V1,
        stack: Text::of(&report.declared.stack),
        resources: report.declared.resources.values().map(one).collect(),
    }
}

/// The name under which other programs know a resource: a full Pub/Sub name, a domain with its
/// addresses.
#[must_use]
pub fn full_name(resource: &DeclaredResource) -> String {
    let key = &resource.key;
    let fields = resource.fields.values();
    let sets = fields.filter_map(|field| field.value.as_set());
    let items: Vec<&str> = sets.flatten().map(String::as_str).collect();
    key.kind().entry().full_name(key, &items.join(", "))
}
