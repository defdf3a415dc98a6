//! What is lost when a resource is deleted, or deleted and made again (semantics 6.1).

use std::collections::BTreeSet;

use super::PlanInput;
use crate::live::{Live, Reading};
use crate::model::{
    DeclaredResource, FieldName, Fields, Kind, ResourceKey, Value, default_value, items,
};

const TOPIC: FieldName = FieldName::known("topic");
const ENDPOINT: FieldName = FieldName::known("push_endpoint");
const AUDIENCE: FieldName = FieldName::known("push_audience");

/// What is lost when a resource is deleted.
pub(super) fn by_deleting(input: PlanInput<'_>, key: &ResourceKey, live: Option<&Live>) -> String {
    let recorded = input.comparison.recorded(input.state, key);
    let ours = recorded.map(|recorded| recorded.ours(key.kind()));
    let (going, staying) = split(key.kind(), ours.as_ref(), live);
    match key.kind() {
        Kind::KafkaTopic => "all its messages are deleted".to_owned(),
        Kind::PubsubSubscription => "its backlog and its own IAM policy are lost".to_owned(),
        Kind::PubsubTopic => {
            let lost = "its subscriptions and its policy are lost";
            match listeners(input, key).join(", ").as_str() {
                "" => lost.to_owned(),
                names => format!(
                    "{lost}; left behind, {names} of this stack would never get a message again"
                ),
            }
        }
        Kind::PubsubBinding => {
            let lost = match going.as_slice() {
                [one] => format!("{one} loses the role"),
                some => format!("{} lose the role", some.join(", ")),
            };
            let conditions = live.into_iter().flat_map(|live| &live.conditions);
            let kept: Vec<String> = conditions
                .map(|(member, words)| format!("{member} keeps it under the condition {words}"))
                .collect();
            match kept.join(", ").as_str() {
                "" => lost,
                kept => format!("{lost}; {kept}"),
            }
        }
        Kind::DnsRecordSet => {
            let lost = format!("the name no longer resolves to {}", going.join(", "));
            match staying.join(", ").as_str() {
                "" => lost,
                others => format!("{lost}; it still does to {others}, which was never ours"),
            }
        }
    }
}

/// The live items that are ours, and those that are not.
fn split<'a>(
    kind: Kind,
    ours: Option<&Fields>,
    live: Option<&'a Live>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    static NONE: BTreeSet<String> = BTreeSet::new();
    let ours = ours.and_then(|ours| items(kind, ours)).unwrap_or(&NONE);
    let live = live.and_then(|live| items(kind, &live.fields));
    let live = live.into_iter().flatten().map(String::as_str);
    live.partition(|item| ours.contains(*item))
}

/// The stack's own subscriptions that hang on a topic.
fn listeners<'a>(input: PlanInput<'a>, topic: &ResourceKey) -> Vec<&'a str> {
    let recorded = input
        .state
        .into_iter()
        .flat_map(|state| state.resources.keys());
    let declared = input.declared.resources.keys();
    let ours: BTreeSet<&ResourceKey> = recorded.chain(declared).collect();
    let hangs_on_it = |key: &&ResourceKey| {
        let live = input.live.reading(key).and_then(Reading::present);
        let on = live.and_then(|live| live.fields.get(&TOPIC)?.as_text());
        key.kind() == Kind::PubsubSubscription
            && key.scope() == topic.scope()
            && on == Some(topic.name())
    };
    let found = ours.into_iter().filter(hangs_on_it);
    found.map(ResourceKey::name).collect()
}

/// Whether an audience is the endpoint's URL, which a token has that names none.
fn is_the_same(audience: &Value, endpoint: Option<&Value>) -> bool {
    let text = |value: &Value| value.to_string().trim_end_matches('/').to_owned();
    endpoint.is_some_and(|endpoint| text(audience) == text(endpoint))
}

/// What a replacement does not bring back: settings that nobody declared, as far as they were read,
/// and that a new one would not have.
pub(super) fn by_replacing(
    kind: Kind,
    declared: Option<&DeclaredResource>,
    live: Option<&Live>,
) -> String {
    let endpoint = live.and_then(|live| live.fields.get(&ENDPOINT));
    let is_lost = |(name, value): &(&FieldName, &Value)| {
        let is_declared = declared.is_some_and(|declared| declared.fields.contains_key(name));
        let is_endpoint = **name == AUDIENCE && is_the_same(value, endpoint);
        !is_declared && !is_endpoint && default_value(kind, name).as_ref() != Some(*value)
    };
    let fields = live.into_iter().flat_map(|live| &live.fields);
    let lost: Vec<String> = fields
        .filter(is_lost)
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    match lost.is_empty() {
        true => String::new(),
        false => format!(", and what is not declared: {}", lost.join(", ")),
    }
}
