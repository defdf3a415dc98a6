//! Creating, patching and deleting topics and subscriptions. The bodies are made in `encode.rs`.

use kedge_core::change::{Applied, Change, ChangeError, Verb};
use serde::de::DeserializeOwned;

use super::call::Caller;
use super::error::{self, Op};
use super::requests::{Built, PubSubRequests};
use super::{PUBSUB, auth, encode, wire};
use crate::ports::{ReadRequest, WritePorts, WriteRequest};
use crate::retry::WriteAnswer;

/// What a change came to.
pub(super) type WriteResult = Result<Applied, ChangeError>;

/// Changes a topic.
pub(super) async fn topic<P: WritePorts>(caller: Caller<'_, P>, change: &Change) -> WriteResult {
    let id = change.key.name();
    match change.verb {
        Verb::Create => {
            let body = encode::new_topic(change).map_err(unfit)?;
            create(caller, Op::CreateTopic, change, |requests| {
                requests.create_topic(id, &body)
            })
            .await
        }
        Verb::Update => {
            let live = live(caller, change, Op::GetTopic, |requests| requests.topic(id)).await?;
            let edit = encode::topic_patch(change, live).map_err(unfit)?;
            let body = wire::TopicPatch {
                topic: edit.body,
                update_mask: edit.mask,
            };
            patch(caller, Op::PatchTopic, change, |requests| {
                requests.patch_topic(id, &body)
            })
            .await
        }
        Verb::Delete => {
            delete(caller, Op::DeleteTopic, change, |requests| {
                requests.delete_topic(id)
            })
            .await
        }
        // Its subscriptions would be orphaned; nothing of a topic needs it.
        Verb::Replace => Err(unfit("a topic is never replaced".to_owned())),
    }
}

/// Changes a subscription.
pub(super) async fn subscription<P: WritePorts>(
    caller: Caller<'_, P>,
    change: &Change,
) -> WriteResult {
    let id = change.key.name();
    let drop_it = || {
        delete(caller, Op::DeleteSubscription, change, |r| {
            r.delete_subscription(id)
        })
    };
    match change.verb {
        Verb::Create | Verb::Replace => {
            // Before anything is deleted, so that a body that can't be made stops it in time.
            let body = encode::new_subscription(caller.project(), change).map_err(unfit)?;
            let put = || {
                create(caller, Op::CreateSubscription, change, |r| {
                    r.create_subscription(id, &body)
                })
            };
            if change.verb == Verb::Create {
                return put().await;
            }
            drop_it().await?;
            put().await.map_err(half_replaced)
        }
        Verb::Update => {
            let get = |requests: PubSubRequests<'_>| requests.subscription(id);
            let live = live(caller, change, Op::GetSubscription, get).await?;
            let edit = encode::subscription_patch(caller.project(), change, live).map_err(unfit)?;
            let body = wire::SubscriptionPatch {
                subscription: edit.body,
                update_mask: edit.mask,
            };
            patch(caller, Op::PatchSubscription, change, |r| {
                r.patch_subscription(id, &body)
            })
            .await
        }
        Verb::Delete => drop_it().await,
    }
}

fn unfit(reason: encode::Unfit) -> ChangeError {
    ChangeError::Failed { reason }
}

/// The old one is gone and the new one is not there, or not surely: neither "not made" nor "made",
/// so it stays in state as ours and the next run finishes it (semantics 8.1).
fn half_replaced(error: ChangeError) -> ChangeError {
    ChangeError::OutcomeUnknown {
        reason: format!("it was deleted and is not created again: {error}"),
    }
}

async fn create<P: WritePorts>(
    caller: Caller<'_, P>,
    op: Op,
    change: &Change,
    build: impl Fn(PubSubRequests<'_>) -> Built<WriteRequest>,
) -> WriteResult {
    // Its name was free when the plan was made: what is there now is what our lost attempt made.
    let is_ours = |answer: &WriteAnswer| {
        (answer.after_ambiguous || change.begun_before) && error::is_already_there(&answer.response)
    };
    send(caller, op, change, build, is_ours).await
}

/// A patch sets values and may be repeated.
async fn patch<P: WritePorts>(
    caller: Caller<'_, P>,
    op: Op,
    change: &Change,
    build: impl Fn(PubSubRequests<'_>) -> Built<WriteRequest>,
) -> WriteResult {
    send(caller, op, change, build, |_| false).await
}

async fn delete<P: WritePorts>(
    caller: Caller<'_, P>,
    op: Op,
    change: &Change,
    build: impl Fn(PubSubRequests<'_>) -> Built<WriteRequest>,
) -> WriteResult {
    let is_gone = |answer: &WriteAnswer| error::is_not_found(&answer.response);
    send(caller, op, change, build, is_gone).await
}

/// Sends one write. `is_so_already`: an answer that is no success, but says that nothing is left to do.
async fn send<P: WritePorts>(
    caller: Caller<'_, P>,
    op: Op,
    change: &Change,
    build: impl Fn(PubSubRequests<'_>) -> Built<WriteRequest>,
    is_so_already: impl Fn(&WriteAnswer) -> bool,
) -> WriteResult {
    let answer = caller.write(op, build).await?;
    if error::is_done(&answer.response) || is_so_already(&answer) {
        return Ok(Applied {
            catching_up_ms: PUBSUB.catching_up_ms,
        });
    }
    Err(error::refused(
        op,
        change,
        caller.project(),
        &answer.response,
        answer.after_ambiguous,
    ))
}

/// The resource as it is now, where a patch must write back a part of it whole.
async fn live<P: WritePorts, T: DeserializeOwned + Default>(
    caller: Caller<'_, P>,
    change: &Change,
    op: Op,
    build: impl Fn(PubSubRequests<'_>) -> Built<ReadRequest>,
) -> Result<T, ChangeError> {
    if !encode::needs_live(&change.edits) {
        return Ok(T::default());
    }
    let token = auth::token(caller.context())
        .await
        .map_err(error::not_begun)?;
    let response = caller
        .read(&token, op, build)
        .await
        .map_err(error::not_begun)?;
    let body = error::ok_body(op, caller.project(), &response).map_err(error::not_begun)?;
    wire::resource(body)
        .map_err(error::strange)
        .map_err(error::not_begun)
}
