//! The steps of one change, each with its risk and what it would lose.
//!
//! Which fields differ comes from [`crate::compare`]; what setting one of them risks, from [`crate::risk`].

use super::{Finding, FindingKind, PlanInput, Step, lost};
use crate::change::Edit;
use crate::compare::{Cause, Difference, FieldDifference, ItemDifference};
use crate::live::{Detail, Live, Reading};
use crate::model::{
    DeclaredResource, FieldName, Kind, Recorded, ResourceKey, RiskRule, Value, field_spec,
};
use crate::risk::{Effect, OtherFields, Risk, effect_of_setting};

/// Making or deleting a whole resource.
pub(super) fn whole(
    input: PlanInput<'_>,
    key: &ResourceKey,
    cause: Cause,
    live: Option<&Live>,
) -> Step {
    let entry = key.kind().entry();
    let (risk, impact) = match cause {
        Cause::Removed => (Risk::Destructive, lost::by_deleting(input, key, live)),
        // Where the name has no other address, nobody is served worse by restoring it.
        Cause::Missing if still_serves(input, key) => {
            let (risk, note) = Risk::of_rule(entry.restored_beside_others());
            (risk, note.to_owned())
        }
        Cause::Missing | Cause::Interrupted => (Risk::Safe, entry.created_again.to_owned()),
        _ => (Risk::Safe, String::new()),
    };
    Step {
        edit: None,
        cause,
        risk,
        impact,
        replaces: false,
        one_way: false,
    }
}

/// Whether others serve under the name of a resource that is gone: addresses of the other family.
fn still_serves(input: PlanInput<'_>, key: &ResourceKey) -> bool {
    let others = (key.kind().entry().siblings)(key);
    let present = |other| input.live.reading(other).and_then(Reading::present);
    others.iter().any(|other| present(other).is_some())
}

/// Changing fields; what can't be changed becomes a finding.
pub(super) fn of_fields(
    difference: &Difference,
    declared: Option<&DeclaredResource>,
    live: Option<&Live>,
) -> (Vec<Step>, Vec<Finding>) {
    let (mut steps, mut findings) = (Vec::new(), Vec::new());
    for field in &difference.fields {
        if field.stuck {
            let message = "kedge changed it twice without effect; it does not try again".to_owned();
            findings.push(finding(difference, field, FindingKind::DidNotTake, message));
        } else if field.items.is_empty() {
            match of_value(difference.key.kind(), field, declared, live) {
                Ok(step) => steps.push(step),
                Err(why) => {
                    let message = why.to_owned();
                    findings.push(finding(difference, field, FindingKind::Impossible, message));
                }
            }
        } else {
            let is_exclusive = declared.is_some_and(|declared| declared.exclusive);
            of_items(difference, field, is_exclusive, &mut steps, &mut findings);
        }
    }
    let cut_off = live.and_then(cut_off);
    if let Some((_, true)) = cut_off {
        steps.iter_mut().for_each(replace);
    }
    for step in steps.iter_mut().filter(|step| step.replaces) {
        let lost = lost::by_replacing(difference.key.kind(), declared, live);
        step.impact.push_str(&lost);
        if let Some((why, _)) = cut_off {
            step.impact = format!("{why}; {}", step.impact);
        }
    }
    (steps, findings)
}

/// Why a subscription gets no message ever again, and whether changing it in place is in vain.
fn cut_off(live: &Live) -> Option<(&'static str, bool)> {
    match live.detail {
        Detail::OrphanedSubscription => {
            Some(("its topic was deleted, so it delivers nothing", false))
        }
        Detail::DetachedSubscription => Some((
            "it is detached from its topic, so it delivers nothing",
            true,
        )),
        Detail::DnsRecords(_) | Detail::None => None,
    }
}

/// Has a step made by deleting the resource and making it again.
fn replace(step: &mut Step) {
    if !step.replaces {
        step.replaces = true;
        step.risk = Risk::Destructive;
        step.impact = "it is set when the resource is replaced".to_owned();
    }
}

/// A field that waits for a person since adoption goes on waiting when somebody changes it meanwhile,
/// a set with all its items (semantics 7.1).
pub(super) fn leave_to_a_person(
    steps: &mut [Step],
    recorded: &Recorded,
    declared: Option<&DeclaredResource>,
) {
    let is_pending = |field: &FieldName| {
        let now = declared.and_then(|declared| declared.fields.get(field));
        let then = recorded.pending_adoption.get(field);
        now.is_some_and(|now| then == Some(&now.value))
    };
    for step in steps {
        if step.cause != Cause::NotAdoptedAndDrifted
            && step
                .edit
                .as_ref()
                .is_some_and(|edit| is_pending(edit.field()))
        {
            step.cause = Cause::NotAdopted;
        }
    }
}

fn finding(
    difference: &Difference,
    field: &FieldDifference,
    kind: FindingKind,
    message: String,
) -> Finding {
    Finding {
        key: difference.key.clone(),
        field: Some(field.field.clone()),
        kind,
        message,
    }
}

fn of_value(
    kind: Kind,
    field: &FieldDifference,
    declared: Option<&DeclaredResource>,
    live: Option<&Live>,
) -> Result<Step, &'static str> {
    let Some(to) = &field.declared else {
        return Err("it is not declared");
    };
    let others = other_fields(kind, &field.field, declared, live);
    let effect = effect_of_setting(kind, &field.field, field.live.as_ref(), to, others);
    let (risk, note, replaces, one_way) = match effect {
        Effect::InPlace {
            risk,
            note,
            one_way,
        } => (risk, note, false, one_way),
        Effect::Replace { note } => (Risk::Destructive, note, true, false),
        Effect::Impossible { note } => return Err(note),
    };
    // What has expired is only worth a word where it was drift that let it expire.
    let note = match (risk, field.cause) {
        (Risk::Safe, Cause::Edited | Cause::NotAdopted) => "",
        _ => note,
    };
    let edit = Some(Edit::Set {
        field: field.field.clone(),
        to: to.clone(),
    });
    Ok(Step {
        edit,
        cause: field.cause,
        risk,
        impact: note.to_owned(),
        replaces,
        one_way,
    })
}

/// What to say of a member that holds the role under a condition (semantics 2.4).
fn under_condition(item: &ItemDifference, condition: &str) -> String {
    let member = &item.item;
    match (item.lacking, item.cause) {
        (true, _) => format!(
            "{member} has the role only under the condition {condition}: a person narrowed it, and \
             kedge does not undo that; remove the condition at Google, or take the member out of the \
             definitions"
        ),
        (false, Cause::Removed) => format!(
            "{member} is no longer declared and has the role under the condition {condition}: kedge \
             leaves what a person set; remove it at Google"
        ),
        (false, _) => format!(
            "{member} is not declared and has the role under the condition {condition}: kedge leaves \
             what a person set; remove it at Google, or declare the binding without `authoritative`"
        ),
    }
}

/// What else of the resource decides what a change of this field means.
fn other_fields<'a>(
    kind: Kind,
    field: &FieldName,
    declared: Option<&'a DeclaredResource>,
    live: Option<&'a Live>,
) -> OtherFields<'a> {
    let is_live = |name: &FieldName| -> Option<&'a Value> { live?.fields.get(name) };
    let is_declared = |name: &FieldName| -> Option<&'a Value> {
        let field = declared?.fields.get(name)?;
        Some(&field.value)
    };
    let spec = field_spec(kind, field);
    let followed = spec.and_then(|spec| spec.follows());
    let followed = followed.as_ref();
    let worse = spec.and_then(|spec| spec.worse);
    OtherFields {
        worse: worse.and_then(|worse| is_live(&FieldName::known(worse.field))),
        followed: followed.and_then(is_live),
        followed_then: followed.and_then(|name| is_declared(name).or_else(|| is_live(name))),
    }
}

/// Items of a set: addresses and members (semantics 2.2, 2.4, 6.1).
fn of_items(
    difference: &Difference,
    field: &FieldDifference,
    is_exclusive: bool,
    steps: &mut Vec<Step>,
    findings: &mut Vec<Finding>,
) {
    let spec = field_spec(difference.key.kind(), &field.field);
    let Some(rules) = spec.map(|spec| spec.items) else {
        return;
    };
    let is_removed = |item: &ItemDifference| !item.lacking && item.cause == Cause::Removed;
    let swaps = field.items.iter().any(is_removed);
    for item in &field.items {
        let (name, text) = (field.field.clone(), item.item.clone());
        if let Some(condition) = &item.condition {
            let message = under_condition(item, condition);
            findings.push(finding(difference, field, FindingKind::Condition, message));
            continue;
        }
        let rule = match (item.lacking, item.cause) {
            (true, Cause::Edited) if swaps => rules.swapped_in,
            (true, Cause::Drifted) => rules.restored,
            (true, _) => RiskRule::Safe,
            (false, Cause::Removed) => rules.removed,
            (false, _) if rules.foreign_only_if_exclusive && !is_exclusive => {
                let message =
                    format!("{text} is not declared; it stays, since the node is not `exclusive`");
                findings.push(finding(
                    difference,
                    field,
                    FindingKind::NotExclusive,
                    message,
                ));
                continue;
            }
            (false, _) => rules.foreign_removed,
        };
        let (risk, note) = Risk::of_rule(rule);
        let edit = match item.lacking {
            true => Edit::Add {
                field: name,
                item: text,
            },
            false => Edit::Remove {
                field: name,
                item: text,
            },
        };
        // A field both drifted and edited follows the stricter policy, a set with all its items
        // (semantics 5.2).
        let cause = match (field.cause, item.cause) {
            (_, Cause::NotAdopted) => Cause::NotAdopted,
            (Cause::EditedAndDrifted | Cause::NotAdoptedAndDrifted, _) => Cause::EditedAndDrifted,
            (_, cause) => cause,
        };
        steps.push(Step {
            edit: Some(edit),
            cause,
            risk,
            impact: note.to_owned(),
            replaces: false,
            one_way: false,
        });
    }
}
