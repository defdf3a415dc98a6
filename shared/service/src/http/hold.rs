//! `hold` and `release`. Neither waits for a run that works: the answer says until when it may begin
//! changes without knowing of the hold.

use std::collections::BTreeSet;

use kedge_core::documents::{self, CurrentRun};
use kedge_core::model::{StackName, span_ms};
use kedge_core::stored::token::Token;
use kedge_engine::ports::{Clock, Random, Store};
use kedge_engine::{HoldRequest, LeaseHolder, ReleaseRequest};

use super::Routed;
use super::answer::Reply;
use super::body::{self, HoldBody, ReleaseBody, invalid};
use super::problem::{Problem, ProblemKind};
use crate::queue::Queue;
use crate::service::Service;

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    pub(super) async fn hold(
        &self,
        routed: &Routed<'_>,
        token: &Token,
        stack: &StackName,
    ) -> Result<Reply, Problem> {
        let HoldBody {
            length,
            reason,
            keys,
        } = HoldBody::read(routed)?;
        let wrong = || invalid("`for` is a duration: `90s`, `15m`, `2h` or `7d`");
        let length_ms = span_ms(&length).ok_or_else(wrong)?;
        self.may_write()?;
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, &token.name, None);
        self.known(&engine, stack).await?;
        let keys = match keys.is_empty() {
            true => BTreeSet::new(),
            false => engine
                .resolve_keys(stack, &keys)
                .await
                .map_err(|error| Problem::of_run(stack, &error))?,
        };
        let request = HoldRequest {
            keys,
            reason,
            length_ms,
            replace: false,
        };
        let holds = engine.hold(stack, &request).await;
        let holds = holds.map_err(|error| Problem::of_hold(stack, &error))?;
        // The hold stands, whatever is known of who works.
        let unaware = engine.unaware_of_holds(stack).await.ok().flatten();
        let current_run = unaware.as_ref().map(current_run);
        let now = self.ports.now();
        Reply::json(&documents::holds(stack, &holds, &[], current_run, now))
    }

    pub(super) async fn release(
        &self,
        routed: &Routed<'_>,
        token: &Token,
        stack: &StackName,
    ) -> Result<Reply, Problem> {
        let ReleaseBody { keys } = body::read(routed)?;
        body::bounded("keys", &keys)?;
        self.may_write()?;
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, &token.name, None);
        self.known(&engine, stack).await?;
        let request = match keys.is_empty() {
            true => ReleaseRequest::Stack,
            false => {
                let holds = engine.holds(stack).await;
                let holds = holds.map_err(|error| Problem::of_hold(stack, &error))?;
                let unknown = |why| Problem::new(ProblemKind::UnknownResource, why);
                ReleaseRequest::Keys(holds.named(&keys).map_err(unknown)?)
            }
        };
        let released = engine.release(stack, &request).await;
        let (left, released) = released.map_err(|error| Problem::of_hold(stack, &error))?;
        let now = self.ports.now();
        Reply::json(&documents::holds(stack, &left, &released, None, now))
    }

    fn may_write(&self) -> Result<(), Problem> {
        match self.settings.read_only {
            true => Err(Problem::of(ProblemKind::ReadOnly)),
            false => Ok(()),
        }
    }
}

fn current_run(holder: &LeaseHolder) -> CurrentRun {
    let seconds = u64::try_from(holder.begins_for_ms / 1000).unwrap_or_default();
    CurrentRun::new(&holder.actor, &holder.run, holder.since, seconds)
}
