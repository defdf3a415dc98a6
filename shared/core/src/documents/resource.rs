//! How one resource stands.

use serde::Serialize;

use super::parts::{ResourceName, Text, Time, Value};
use super::words::{Cause, FailureCode, Kind, Provider, Unit, Verdict};
use crate::compare::{Difference, FieldDifference, ItemDifference};
use crate::live::ReadFailure;
use crate::model::{self, FieldName, field_spec};
use crate::report;

/// A resource that is not in sync, or of which there is something to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resource {
    /// Its full and unique key.
    pub key: Text,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Who has it.
    pub provider: Provider,
    /// Its name.
    pub name: Text,
    /// How it stands.
    pub verdict: Verdict,
    /// Why the whole resource is to be created or deleted, if so.
    pub cause: Option<Cause>,
    /// Whether it is recorded and gone.
    pub missing: bool,
    /// It drifted after this time, when a read without failures did not show the drift yet; `null` if
    /// nobody knows.
    pub changed_after: Option<Time>,
    /// It drifted before this time, when a read first showed it.
    pub changed_before: Option<Time>,
    /// The fields that differ.
    pub fields: Vec<Field>,
    /// Fields that differ, which a rule ignores.
    pub ignored: Vec<Field>,
    /// Why it could not be read, if so.
    pub failure: Option<Failure>,
    /// Why it can't be changed, if so.
    pub blocked: Option<Text>,
    /// Members of a binding that nobody declared.
    pub undeclared_members: Vec<Text>,
    /// Members of a binding that have its role under a condition.
    pub conditions: Vec<ConditionalMember>,
    /// Why it does not work, according to the provider.
    pub unhealthy: Vec<Text>,
    /// Other remarks.
    pub notes: Vec<Text>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Field {
    /// Its name.
    pub field: Text,
    /// The unit of its values, if they are numbers with a unit.
    pub unit: Option<Unit>,
    /// What the definitions say.
    pub declared: Option<Value>,
    /// What state says.
    pub recorded: Option<Value>,
    /// What the provider says.
    pub live: Option<Value>,
    /// Why it differs.
    pub cause: Cause,
    /// Of a set: each item that differs.
    pub items: Vec<Item>,
    /// Where it is declared.
    pub origin: Option<Origin>,
    /// Whether Kedge changed it twice, without effect.
    pub no_effect: bool,
}

/// An item of a set that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Item {
    /// The item: an address, a member.
    pub item: Text,
    /// Whether it is declared and not there; else it is there and not declared.
    pub missing: bool,
    /// Why it differs.
    pub cause: Cause,
    /// The condition under which a member has the role, if there is one.
    pub condition: Option<Text>,
}

/// A place in the definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Origin {
    /// The file.
    pub file: Text,
    /// The line, from 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub line: u32,
    /// Whether it is a default of an area or of the project.
    pub default: bool,
}

impl From<&model::Origin> for Origin {
    fn from(origin: &model::Origin) -> Self {
        Self {
            file: Text::new(&origin.file),
            line: origin.line,
            default: origin.is_default,
        }
    }
}

/// Why a resource could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// The reason as a word.
    pub code: FailureCode,
    /// The reason as a sentence.
    pub reason: Text,
    /// The permission that is missing, if it is about one.
    pub permission: Option<Text>,
}

impl From<&ReadFailure> for Failure {
    fn from(failure: &ReadFailure) -> Self {
        Self {
            code: (&failure.code).into(),
            reason: Text::new(&failure.reason),
            permission: failure.permission.as_deref().map(Text::new),
        }
    }
}

/// A member of a binding that has its role under a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConditionalMember {
    /// Who.
    pub member: Text,
    /// The condition, in words.
    pub condition: Text,
}

/// One resource of a report.
pub(super) fn resource(report: &report::Report, difference: &Difference) -> Resource {
    let Difference {
        key: resource,
        verdict,
        whole,
        fields,
        ignored,
        failure,
        blocked,
        foreign,
        conditions,
        unhealthy,
        notes,
        // Only plans need it.
        shown_by: _,
        // Its notes say it.
        ended_rules: _,
    } = difference;
    let ResourceName {
        key,
        kind,
        provider,
        name,
    } = resource.into();
    let fields_of = |fields: &[FieldDifference]| -> Vec<Field> {
        fields
            .iter()
            .map(|one| field(resource.kind(), one))
            .collect()
    };
    let window = report.windows.get(resource);
    let conditions = conditions.iter().map(|(member, words)| ConditionalMember {
        member: Text::new(member),
        condition: Text::new(words),
    });
    Resource {
        key,
        kind,
        provider,
        name,
        verdict: verdict.into(),
        cause: whole.as_ref().map(Into::into),
        missing: difference.is_missing(),
        changed_after: window.and_then(|window| window.after).map(Into::into),
        changed_before: window.map(|window| window.before.into()),
        fields: fields_of(fields),
        ignored: fields_of(ignored),
        failure: failure.as_ref().map(Into::into),
        blocked: blocked.as_deref().map(Text::new),
        undeclared_members: Text::all(foreign),
        conditions: conditions.collect(),
        unhealthy: Text::all(unhealthy),
        notes: Text::all(notes),
    }
}

fn field(kind: model::Kind, difference: &FieldDifference) -> Field {
    let FieldDifference {
        field,
        declared,
        recorded,
        live,
        cause,
        items,
        origin,
        stuck,
    } = difference;
    let value = |value: &Option<model::Value>| value.as_ref().map(Into::into);
    let item = |item: &ItemDifference| Item {
        item: Text::new(&item.item),
        missing: item.lacking,
        cause: (&item.cause).into(),
        condition: item.condition.as_deref().map(Text::new),
    };
    Field {
        field: Text::new(field.as_str()),
        unit: unit(kind, field),
        declared: value(declared),
        recorded: value(recorded),
        live: value(live),
        cause: cause.into(),
        items: items.iter().map(item).collect(),
        origin: origin.as_ref().map(Into::into),
        no_effect: *stuck,
    }
}

fn unit(kind: model::Kind, field: &FieldName) -> Option<Unit> {
    Unit::of(field_spec(kind, field)?.unit)
}
