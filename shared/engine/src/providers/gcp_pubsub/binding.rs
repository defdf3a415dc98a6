//! Changing who holds a role: read the policy, change our members in it, write it back under the
//! same etag, and begin again if somebody else was quicker. Everything else in the policy is
//! written back as it was read.

use kedge_core::change::{Applied, Change, ChangeError, Verb};

use super::call::Caller;
use super::encode::{self, Members};
use super::error::{self, Op};
use super::{PUBSUB, auth, wire};
use crate::ports::WritePorts;

/// Writes in all. Each lost race means that somebody else's write went through.
const ROUNDS_MAX: u32 = 6;
/// The first wait after a lost race is a random part of this (Terraform begins with 1 s:
/// magic-modules, tpgiamresource/iam.go.tmpl); each later one of twice as much.
const BACKOFF_FIRST_MS: u64 = 1_000;

/// Changes the members of a role on a topic.
pub(super) async fn carry_out<P: WritePorts>(
    caller: Caller<'_, P>,
    change: &Change,
) -> Result<Applied, ChangeError> {
    let (topic, role) = (change.key.name_head(), change.key.name_tail());
    let members = encode::members(change).map_err(|reason| ChangeError::Failed { reason })?;
    let mut round = 0;
    let mut said = String::new();
    loop {
        let Some(mut policy) = policy_to_change(caller, change, &members).await? else {
            return Ok(Applied::default());
        };
        if let Some((member, condition)) = members.narrowed(&policy, role) {
            return Err(ChangeError::Blocked {
                reason: format!(
                    "{member} has the role only under the condition {condition}: a person narrowed it a \
                     moment ago, and kedge does not undo that"
                ),
                fix: None,
            });
        }
        if !members.apply(&mut policy, role) {
            return Ok(applied(round));
        }
        if round == ROUNDS_MAX {
            return Err(ChangeError::Failed {
                reason: format!(
                    "{said}; somebody else changed the policy of {topic} during each of {ROUNDS_MAX} attempts"
                ),
            });
        }
        match caller
            .write(Op::SetPolicy, |requests| {
                requests.set_policy(topic, &policy)
            })
            .await
        {
            Ok(answer) if error::is_done(&answer.response) => return Ok(applied(1)),
            Ok(answer) if error::is_policy_conflict(&answer.response) => {
                // The etag is spent, so no earlier attempt of this round can land any more.
                said = error::status_and_words(&answer.response);
                pause(caller, topic, round, &said).await?;
                round += 1;
            }
            Ok(answer) => {
                let ambiguous = answer.after_ambiguous;
                let (op, project) = (Op::SetPolicy, caller.project());
                let error = error::refused(op, change, project, &answer.response, ambiguous);
                return look_up(caller, change, &members, error).await;
            }
            Err(error) => return look_up(caller, change, &members, error).await,
        }
    }
}

/// Nothing is waited for when nothing was written.
fn applied(writes: u32) -> Applied {
    Applied {
        catching_up_ms: if writes == 0 {
            0
        } else {
            PUBSUB.catching_up_ms
        },
    }
}

/// The policy as it is; none if the topic is gone and there is nothing left to take away.
async fn policy_to_change<P: WritePorts>(
    caller: Caller<'_, P>,
    change: &Change,
    members: &Members,
) -> Result<Option<wire::IamPolicy>, ChangeError> {
    let topic = change.key.name_head();
    let op = if members.add.is_empty() {
        Op::GetPolicy
    } else {
        Op::GetPolicyToGrant
    };
    let not_begun = error::not_begun;
    let token = auth::token(caller.context()).await.map_err(not_begun)?;
    let response = caller
        .read(&token, op, |requests| requests.policy(topic))
        .await
        .map_err(not_begun)?;
    if error::is_not_found(&response) {
        if change.verb == Verb::Delete {
            return Ok(None);
        }
        return Err(error::refused(
            op,
            change,
            caller.project(),
            &response,
            false,
        ));
    }
    let body = error::ok_body(op, caller.project(), &response).map_err(not_begun)?;
    let policy = wire::policy(body).map_err(|strange| not_begun(error::strange(strange)))?;
    Ok(Some(policy))
}

/// A write of unknown outcome is looked up: done if the policy is as wanted.
async fn look_up<P: WritePorts>(
    caller: Caller<'_, P>,
    change: &Change,
    members: &Members,
    error: ChangeError,
) -> Result<Applied, ChangeError> {
    if !matches!(error, ChangeError::OutcomeUnknown { .. }) {
        return Err(error);
    }
    match policy_to_change(caller, change, members).await {
        Ok(None) => Ok(applied(1)),
        Ok(Some(mut policy)) => {
            if members.apply(&mut policy, change.key.name_tail()) {
                // It may still land.
                return Err(error);
            }
            Ok(applied(1))
        }
        Err(_) => Err(error),
    }
}

/// Waits a random time, if the run has it.
async fn pause<P: WritePorts>(
    caller: Caller<'_, P>,
    topic: &str,
    round: u32,
    said: &str,
) -> Result<(), ChangeError> {
    let cx = caller.context();
    let wait_ms = 1 + cx.ports.next_u64() % (BACKOFF_FIRST_MS << round.min(10));
    let left = cx.session.budget.ms_to_begin(cx.ports.monotonic_ms());
    if i64::try_from(wait_ms).unwrap_or(i64::MAX) >= left {
        return Err(ChangeError::Failed {
            reason: format!(
                "{said}; somebody else kept changing the policy of {topic} until the run ended"
            ),
        });
    }
    cx.ports.sleep_ms(wait_ms).await;
    Ok(())
}
