//! Reading a project into a [`ScopeReading`]: what fails is unknown, never absent.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use kedge_core::live::{FailureCode, Live, Proof, ReadFailure, ScopeReading, Wanted};
use kedge_core::model::{Kind, ResourceKey};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::auth::{self, Token};
use super::call::Caller;
use super::error::{self, Op};
use super::normalize::{self, Odd};
use super::requests::{Built, PubSubRequests};
use super::wire;
use crate::ports::{ReadPorts, ReadRequest};

/// The most pages of a list: ten times the 10,000 resources that a project may have.
const PAGES_MAX: usize = 100;

/// The elements of a list by short id, or why there is no list.
pub(super) type Listed<T> = Result<BTreeMap<String, Result<T, ReadFailure>>, ReadFailure>;

/// All topics of the project.
pub(super) async fn topics<P: ReadPorts>(
    caller: Caller<'_, P>,
    token: &Token,
) -> Listed<wire::Topic> {
    let request = |requests: PubSubRequests<'_>, page: Option<&str>| requests.topics(page);
    let items = list(caller, token, Op::ListTopics, "topics", request).await?;
    by_id(&items, "topics")
}

/// All subscriptions of the project.
pub(super) async fn subscriptions<P: ReadPorts>(
    caller: Caller<'_, P>,
    token: &Token,
) -> Listed<wire::Subscription> {
    let request = |requests: PubSubRequests<'_>, page: Option<&str>| requests.subscriptions(page);
    let items = list(
        caller,
        token,
        Op::ListSubscriptions,
        "subscriptions",
        request,
    )
    .await?;
    by_id(&items, "subscriptions")
}

async fn list<P: ReadPorts>(
    caller: Caller<'_, P>,
    token: &Token,
    op: Op,
    name: &str,
    request: impl Fn(PubSubRequests<'_>, Option<&str>) -> Built<ReadRequest>,
) -> Result<Vec<Value>, ReadFailure> {
    let mut items = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let response = caller
            .read(token, op, |requests| request(requests, next.as_deref()))
            .await?;
        let body = error::ok_body(op, caller.project(), &response)?;
        let page = wire::page(body, name).map_err(error::strange)?;
        items.extend(page.items);
        if page.next.is_none() {
            return Ok(items);
        }
        if page.next == next {
            return Err(inconsistent(
                "a page of the list refers to itself as the next one",
            ));
        }
        next = page.next;
    }
    Err(inconsistent("the list does not end"))
}

fn inconsistent(reason: &str) -> ReadFailure {
    ReadFailure {
        reason: reason.to_owned(),
        permission: None,
        code: FailureCode::Inconsistent,
    }
}

/// An element that can't be understood spoils itself; one without a name could be any, so it
/// spoils the list.
fn by_id<T: DeserializeOwned>(items: &[Value], collection: &str) -> Listed<T> {
    items
        .iter()
        .map(|item| {
            let name = wire::item_name(item);
            let id = name
                .and_then(|name| normalize::short_id(name, collection))
                .ok_or_else(|| error::strange(wire::Strange::OtherTypes))?;
            Ok((id.to_owned(), wire::item(item).map_err(error::strange)))
        })
        .collect()
}

/// Reads the wanted roles. Topics that are not listed have none, and no GET asks for them: a 404
/// would be remembered and hide the topic when it is created
/// (hashicorp/terraform-provider-google#4993).
#[expect(
    clippy::disallowed_methods,
    reason = "the list of topics is complete, and the policy was read"
)]
pub(super) async fn bindings<P: ReadPorts>(
    caller: Caller<'_, P>,
    wanted: &Wanted,
    topics: &Listed<wire::Topic>,
    reading: &mut ScopeReading,
) {
    let keys: Vec<&ResourceKey> = of_kind(wanted, Kind::PubsubBinding).collect();
    let topics = match topics {
        Ok(topics) => topics,
        Err(failure) => {
            reading.fail(Kind::PubsubBinding, failure.clone());
            return;
        }
    };
    let listed: BTreeSet<&str> = keys
        .iter()
        .map(|key| key.name_head())
        .filter(|topic| topics.contains_key(*topic))
        .collect();
    let reads: Vec<_> = listed
        .into_iter()
        .map(|topic| policy_of(caller, topic))
        .collect();
    // The lists are done, so the whole of the cap is free.
    let policies: BTreeMap<_, _> = stream::iter(reads)
        .buffer_unordered(caller.context().session.concurrency.max(1))
        .collect()
        .await;
    for key in keys {
        let key = key.clone();
        match policies.get(key.name_head()) {
            // Its topic is not listed, and has no bindings.
            None => reading.set_absent(key, Proof::not_in_complete_list()),
            Some(Err(failure)) => reading.set_unknown(key, failure.clone()),
            Some(Ok(policy)) => {
                let ours = wanted.members.get(&key);
                match normalize::members(policy, key.name_tail(), ours) {
                    Some(live) => reading.set_present(key, live),
                    None => reading.set_absent(key, Proof::not_in_policy()),
                }
            }
        }
    }
}

async fn policy_of<'t, P: ReadPorts>(
    caller: Caller<'_, P>,
    topic: &'t str,
) -> (&'t str, Result<wire::IamPolicy, ReadFailure>) {
    let read = async {
        let token = auth::token(caller.context()).await?;
        policy(caller, &token, Op::GetPolicy, topic).await
    };
    (topic, read.await)
}

/// A topic's policy.
async fn policy<P: ReadPorts>(
    caller: Caller<'_, P>,
    token: &Token,
    op: Op,
    topic: &str,
) -> Result<wire::IamPolicy, ReadFailure> {
    let response = caller
        .read(token, op, |requests| requests.policy(topic))
        .await?;
    let body = error::ok_body(op, caller.project(), &response)?;
    wire::policy(body).map_err(error::strange)
}

/// Adds the topics that were asked for or stand in an asked-for namespace.
pub(super) fn add_topics<P: ReadPorts>(
    caller: Caller<'_, P>,
    wanted: &Wanted,
    topics: Listed<wire::Topic>,
    reading: &mut ScopeReading,
) {
    let key = |id: &str| ResourceKey::pubsub_topic(caller.project(), id);
    add(
        wanted,
        Kind::PubsubTopic,
        key,
        topics,
        normalize::topic,
        reading,
    );
}

/// Adds the subscriptions that were asked for or stand in an asked-for namespace.
pub(super) fn add_subscriptions<P: ReadPorts>(
    caller: Caller<'_, P>,
    wanted: &Wanted,
    subscriptions: Listed<wire::Subscription>,
    reading: &mut ScopeReading,
) {
    let key = |id: &str| ResourceKey::pubsub_subscription(caller.project(), id);
    let salt = &caller.context().session.salt;
    let live = |sub: &wire::Subscription| normalize::subscription(caller.project(), salt, sub);
    add(
        wanted,
        Kind::PubsubSubscription,
        key,
        subscriptions,
        live,
        reading,
    );
}

#[expect(clippy::disallowed_methods, reason = "the list is complete")]
fn add<T>(
    wanted: &Wanted,
    kind: Kind,
    key: impl Fn(&str) -> ResourceKey,
    listed: Listed<T>,
    live: impl Fn(&T) -> Result<Live, Odd>,
    reading: &mut ScopeReading,
) {
    let listed = match listed {
        Ok(listed) => listed,
        Err(failure) => {
            reading.fail(kind, failure);
            return;
        }
    };
    let unlisted = |key: &&ResourceKey| !listed.contains_key(key.name());
    for key in of_kind(wanted, kind).filter(unlisted) {
        reading.set_absent(key.clone(), Proof::not_in_complete_list());
    }
    for (id, element) in listed {
        let key = key(&id);
        let ours = wanted
            .namespaces
            .iter()
            .any(|prefix| id.starts_with(prefix.as_str()));
        if !ours && !wanted.keys.contains(&key) {
            continue;
        }
        let odd = |odd: Odd| ReadFailure {
            reason: format!("the answer can't be used: {odd}"),
            permission: None,
            code: FailureCode::StrangeAnswer,
        };
        match element.and_then(|element| live(&element).map_err(odd)) {
            Ok(live) => reading.set_present(key, live),
            Err(failure) => reading.set_unknown(key, failure),
        }
    }
}

fn of_kind(wanted: &Wanted, kind: Kind) -> impl Iterator<Item = &ResourceKey> {
    wanted.keys.iter().filter(move |key| key.kind() == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strange_element_spoils_itself_and_a_nameless_one_the_list() {
        let good = json!({"name": "projects/p/topics/a"});
        let strange = json!({"name": "projects/p/topics/b", "labels": 7});
        let listed: Listed<wire::Topic> = by_id(&[good.clone(), strange], "topics");
        let listed = listed.unwrap();
        assert!(listed["a"].is_ok());
        let failure = listed["b"].as_ref().unwrap_err();
        assert_eq!(failure.code, FailureCode::StrangeAnswer);
        for nameless in [
            json!({"labels": {}}),
            json!({"name": 7}),
            json!({"name": "a"}),
            json!("a"),
        ] {
            let listed: Listed<wire::Topic> = by_id(&[good.clone(), nameless], "topics");
            assert!(listed.is_err());
        }
    }
}
