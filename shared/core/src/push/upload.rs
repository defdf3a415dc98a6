//! What holds only for definitions that somebody put at `upload/` (semantics 7.6). Nobody is there to
//! agree to anything, and what is found there may have lain for a while.

use super::{PushInput, Refusal};
use crate::model::{Policy, Timestamp};
use crate::plan::policy_in_force;

/// What is known of an upload. Times are by the store's clock.
#[derive(Debug, Clone, Copy)]
pub struct UploadInput<'a> {
    /// When it was put there.
    pub put_at: Timestamp,
    /// What was put before this time is older than what is stored; none if nothing can be used that is.
    pub newer_than: Option<Timestamp>,
    /// The policy that the stored definitions ask for. What of it waits for a person waits already.
    pub stored_policy: Option<&'a Policy>,
    /// Why state can't be read, if so.
    pub state_unread: Option<&'a str>,
    /// Whether the stack is retired.
    pub is_retired: bool,
}

pub(super) fn judge(input: PushInput<'_>, upload: UploadInput<'_>, refusals: &mut Vec<Refusal>) {
    if upload.is_retired {
        let stack = input.declared.stack.clone();
        refusals.push(Refusal::Retired { stack });
    }
    if input.same_content {
        return;
    }
    let is_older = |newer_than| upload.put_at < newer_than;
    if let (Some(stored), true) = (input.stored, upload.newer_than.is_some_and(is_older)) {
        refusals.push(Refusal::Outdated {
            revision: stored.revision(),
            by: stored.pushed.actor.clone(),
        });
    }
    if let Some(reason) = upload.state_unread {
        let reason = reason.to_owned();
        refusals.push(Refusal::LooseningUnknown { reason });
    }
    let loosened = |policy| policy_in_force(input.in_force, policy).1.loosened;
    let waiting = upload.stored_policy.map(loosened).unwrap_or_default();
    let mut loosened = loosened(&input.declared.policy);
    loosened.retain(|one| !waiting.contains(one));
    if !loosened.is_empty() {
        refusals.push(Refusal::Loosens { loosened });
    }
}
