//! Deeds on Pub/Sub. They go through the API itself: a console has no other way either.

use super::{Deed, PersonResult};
use crate::Options;
use crate::call::{Call, Content, Object};
use crate::faults::Quirks;
use crate::pubsub::{self, Binding};
use crate::world::World;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

pub(super) fn act(world: &mut World, options: &Options, deed: &Deed, now_ms: i64) -> PersonResult {
    let project = &options.gcp_project;
    let topic_path = |name: &str| full(project, "topics", name);
    let sub_path = |name: &str| full(project, "subscriptions", name);
    let mut send = |method: &str, path: &str, body: Value| send(world, method, path, &body, now_ms);
    Some(match deed {
        Deed::CreatePubsubTopic { topic, fields } => send("PUT", &topic_path(topic), json!(fields)),
        Deed::PatchPubsubTopic { topic, fields } => {
            send("PATCH", &topic_path(topic), patch("topic", fields))
        }
        Deed::DeletePubsubTopic { topic } => send("DELETE", &topic_path(topic), json!({})),
        Deed::CreateSubscription {
            subscription,
            topic,
            fields,
        } => {
            let mut fields = fields.clone();
            fields.insert("topic".to_owned(), json!(topic_path(topic)));
            send("PUT", &sub_path(subscription), json!(fields))
        }
        Deed::PatchSubscription {
            subscription,
            fields,
        } => send(
            "PATCH",
            &sub_path(subscription),
            patch("subscription", fields),
        ),
        Deed::SetPushEndpoint {
            subscription,
            endpoint,
        } => {
            let push = match endpoint {
                Some(endpoint) => json!({"pushEndpoint": endpoint}),
                None => json!({}),
            };
            let path = format!("{}:modifyPushConfig", sub_path(subscription));
            send("POST", &path, json!({"pushConfig": push}))
        }
        Deed::DeleteSubscription { subscription } => {
            send("DELETE", &sub_path(subscription), json!({}))
        }
        Deed::DetachSubscription { subscription } => send(
            "POST",
            &format!("{}:detach", sub_path(subscription)),
            json!({}),
        ),
        Deed::SetPubsubTopicState { topic, state, of } => {
            let (name, state) = (topic_path(topic), state.as_deref());
            pubsub::set_state(&mut world.pubsub, &name, of.as_deref(), state)
        }
        Deed::SetSubscriptionState {
            subscription,
            state,
            of,
        } => {
            let (name, state) = (sub_path(subscription), state.as_deref());
            pubsub::set_state(&mut world.pubsub, &name, of.as_deref(), state)
        }
        Deed::SetIamCondition { topic, .. }
        | Deed::AddIamMember { topic, .. }
        | Deed::RemoveIamMember { topic, .. }
        | Deed::SetIamBinding { topic, .. }
        | Deed::RemoveIamBinding { topic, .. } => {
            let name = topic_path(topic);
            grant(world, &name, deed, now_ms)
        }
        _ => return None,
    })
}

/// Short names are in the project; full ones are taken as they are.
fn full(project: &str, collection: &str, name: &str) -> String {
    if name.contains('/') {
        name.to_owned()
    } else {
        format!("projects/{project}/{collection}/{name}")
    }
}

fn patch(key: &str, fields: &Object) -> Value {
    let mask: Vec<&str> = fields.keys().map(String::as_str).collect();
    json!({key: fields, "updateMask": mask.join(",")})
}

/// What is encoded in a full name: all but RFC 3986's unreserved characters and the `/` between its parts.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

fn send(
    world: &mut World,
    method: &str,
    name: &str,
    body: &Value,
    now_ms: i64,
) -> Result<(), String> {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/v1/{}", utf8_percent_encode(name, IN_NAME)))
        .body(Bytes::from(body.to_string()))
        .map_err(|error| error.to_string())?;
    let call = Call::read(request);
    let answer = pubsub::answer(&mut world.pubsub, &call, &Quirks::default(), now_ms);
    if answer.is_success() {
        return Ok(());
    }
    let reason = match &answer.content {
        Content::Json(body) => body.pointer("/error/message").and_then(Value::as_str),
        Content::Html(_) => None,
    };
    Err(reason.unwrap_or("refused").to_owned())
}

fn grant(world: &mut World, topic: &str, deed: &Deed, now_ms: i64) -> Result<(), String> {
    let mut bindings =
        pubsub::bindings(&world.pubsub, topic).ok_or_else(|| format!("no topic {topic}"))?;
    let (role, members) = match deed {
        Deed::AddIamMember { role, member, .. } => {
            let mut members = members_of(&bindings, role);
            members.push(member.clone());
            (role, members)
        }
        Deed::RemoveIamMember { role, member, .. } => {
            let mut members = members_of(&bindings, role);
            let before = members.len();
            members.retain(|known| !known.eq_ignore_ascii_case(member));
            if members.len() == before {
                return Err(format!("{member} does not have {role}"));
            }
            (role, members)
        }
        Deed::SetIamBinding { role, members, .. } => (role, members.clone()),
        Deed::RemoveIamBinding { role, .. } => (role, Vec::new()),
        Deed::SetIamCondition {
            role,
            member,
            condition,
            ..
        } => {
            let mut members = members_of(&bindings, role);
            members.retain(|known| !known.eq_ignore_ascii_case(member));
            bindings.push(Binding {
                role: role.clone(),
                members: vec![member.clone()],
                condition: Some(json!(condition)),
            });
            (role, members)
        }
        _ => return Err("not a deed on a policy".to_owned()),
    };
    bindings.retain(|binding| binding.role != *role || binding.condition.is_some());
    bindings.push(Binding {
        role: role.clone(),
        members,
        condition: None,
    });
    let policy = json!({"policy": {"version": 3, "bindings": bindings}});
    send(
        world,
        "POST",
        &format!("{topic}:setIamPolicy"),
        &policy,
        now_ms,
    )
}

fn members_of(bindings: &[Binding], role: &str) -> Vec<String> {
    bindings
        .iter()
        .filter(|binding| binding.role == role && binding.condition.is_none())
        .flat_map(|binding| binding.members.clone())
        .collect()
}
