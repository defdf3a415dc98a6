//! Google Pub/Sub: topics, subscriptions, and who holds a role on a topic.
//!
//! Reading: the two lists side by side, then the policy of each listed topic with a wanted role. A name is
//! never read by GET before it is created: Pub/Sub caches the 404. `read.rs` reads, `write.rs` and
//! `binding.rs` change.

mod auth;
mod binding;
mod call;
mod encode;
mod error;
mod health;
mod normalize;
mod org_policy;
mod read;
mod requests;
mod wire;
mod write;

use std::collections::BTreeSet;

use futures_util::future;
use kedge_core::change::{Applied, Change, ChangeError, Verb};
use kedge_core::live::{ScopeReading, Wanted};
use kedge_core::model::{Kind, ResourceKey};
use kedge_core::providers::Provider;

use self::call::Caller;
use crate::ports::{ProviderName, ReadPorts, WritePorts};
use crate::reads::{Reads, count};
use crate::session::Context;

/// What is known of Pub/Sub.
const PUBSUB: &Provider = ProviderName::Pubsub.entry();

/// Two lists, and the policy of each topic with a wanted role.
pub(super) fn reads(wanted: &Wanted) -> Reads {
    let bindings = wanted.keys.iter();
    let bindings = bindings.filter(|key| key.kind() == Kind::PubsubBinding);
    let topics: BTreeSet<&str> = bindings.map(ResourceKey::name_head).collect();
    Reads {
        lists: 2,
        own: count(topics.len()),
        ..Reads::default()
    }
}

/// A replacement deletes and creates; a policy is read and written; a patch may need the resource as it
/// is.
pub(super) fn requests_of_change(change: &Change) -> u64 {
    let is_binding = change.key.kind() == Kind::PubsubBinding;
    match change.verb {
        Verb::Replace => 2,
        _ if is_binding => 2,
        Verb::Update if encode::needs_live(&change.edits) => 2,
        Verb::Create | Verb::Update | Verb::Delete => 1,
    }
}

/// Reads one project: both lists at once, then the policy of each listed topic with a wanted role.
pub(super) async fn read_live<P: ReadPorts>(
    cx: Context<'_, P>,
    project: &str,
    wanted: &Wanted,
) -> ScopeReading {
    let caller = Caller::new(cx, project);
    let token = match auth::token(cx).await {
        Ok(token) => token,
        Err(failure) => return ScopeReading::failed(PUBSUB.kinds, &failure),
    };
    let in_common = Caller::new(cx.in_common(), project);
    let (topics, subscriptions) = future::join(
        read::topics(in_common, &token),
        read::subscriptions(in_common, &token),
    )
    .await;
    let mut reading = ScopeReading::default();
    read::bindings(caller, wanted, &topics, &mut reading).await;
    read::add_topics(caller, wanted, topics, &mut reading);
    read::add_subscriptions(caller, wanted, subscriptions, &mut reading);
    reading
}

/// Makes one change.
pub(super) async fn carry_out<P: WritePorts>(
    cx: Context<'_, P>,
    project: &str,
    change: &Change,
) -> Result<Applied, ChangeError> {
    let caller = Caller::new(cx, project);
    match change.key.kind() {
        Kind::PubsubTopic => write::topic(caller, change).await,
        Kind::PubsubSubscription => write::subscription(caller, change).await,
        Kind::PubsubBinding => binding::carry_out(caller, change).await,
        _ => Err(ChangeError::Failed {
            reason: "Pub/Sub has no such resource".to_owned(),
        }),
    }
}
