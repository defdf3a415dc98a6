//! Whether the run that state names as changing the stack still works, by the lease.
//!
//! It is told of the changes that this run began itself. What an earlier run began is resolved like any
//! change with an unknown end.

use std::collections::BTreeSet;

use kedge_core::compare::{OpenRun, Stage};
use kedge_core::model::Timestamp;
use kedge_core::state::{Applying, Intent, State};
use kedge_core::stored::lease as stored;

use super::read::read_lease;
use crate::error_chain::error_chain;
use crate::ports::{Store, StoredObject};

/// The run that began changes of which this state does not know the end. Reads the lease only where
/// there is one. `clock` is the time where the store does not say it with a read.
pub(crate) async fn open_run<S: Store>(
    store: &S,
    state: Option<&State>,
    clock: Timestamp,
) -> Option<OpenRun> {
    let state = state?;
    let applying = state.applying.as_ref()?;
    // What a run before it began is not its own.
    let is_its = |intent: &Intent| {
        let by = intent.begun_by.as_ref();
        by.is_some_and(|by| by.run == applying.run.id)
    };
    let intents = applying.intents.iter().filter(|(_, intent)| is_its(intent));
    let keys: BTreeSet<_> = intents.map(|(key, _)| key.clone()).collect();
    if keys.is_empty() {
        return None;
    }
    let open = |stage, read_at| {
        Some(OpenRun {
            run: applying.run.id.clone(),
            actor: applying.run.actor.clone(),
            stage,
            read_at,
            keys,
        })
    };
    match read_lease(store, &state.stack).await {
        Ok(Some((lease, object))) => {
            let read_at = object.read_at.unwrap_or(clock);
            open(stage(applying, &lease, &object, read_at), read_at)
        }
        Ok(None) => {
            let (last_seen, next) = (None, None);
            let stage = match applying.in_history {
                true => Stage::OutcomeUnknown,
                false => Stage::BrokeOff { last_seen, next },
            };
            open(stage, clock)
        }
        // Nothing of a look depends on it.
        Err(error) => {
            let why = error_chain(&error);
            open(Stage::Unread { why }, clock)
        }
    }
}

fn stage(
    applying: &Applying,
    lease: &stored::Lease,
    object: &StoredObject,
    read_at: Timestamp,
) -> Stage {
    let stands = !lease.released && read_at < object.written_at.plus_ms(lease.lease_ms);
    let is_its = lease.run == applying.run.id;
    match (is_its, stands) {
        (true, true) => Stage::Working {
            since: lease.since.unwrap_or(object.written_at),
        },
        // It went to its end, whoever had the lease since.
        _ if applying.in_history => Stage::OutcomeUnknown,
        (true, false) if lease.released => Stage::OutcomeUnknown,
        (true, false) => Stage::BrokeOff {
            last_seen: Some(object.written_at),
            next: None,
        },
        (false, stands) => Stage::BrokeOff {
            last_seen: None,
            next: stands.then(|| (lease.actor.clone(), lease.run.clone())),
        },
    }
}
