//! What is known of stacks: how they stood, what ran, what happened.

use kedge_core::documents::{self, StackStanding};
use kedge_core::model::StackName;
use kedge_core::stored::run_request::RunRequest;
use kedge_engine::ports::{Clock, Random, Store};
use kedge_engine::{Engine, Query as HistoryQuery, RunReadError, Standing};

use super::answer::Reply;
use super::problem::{Problem, ProblemKind};
use super::query::Query;
use crate::queue::Queue;
use crate::requests;
use crate::service::Service;
use crate::tokens::Verified;

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    /// A page of the stacks that a token is for.
    pub(super) async fn stacks(
        &self,
        verified: &Verified,
        query: &Query,
    ) -> Result<Reply, Problem> {
        let budget = self.http_budget()?;
        let token = &verified.token;
        let engine = self.http_engine(&budget, &token.name, None);
        let fits = |stack: &StackName| token.stacks.fits(stack);
        // One more says whether there is another page.
        let wanted = query.limit.saturating_add(1);
        let mut page = engine
            .standings(query.after.as_ref(), wanted, &fits)
            .await?;
        let is_last = page.len() <= query.limit;
        page.truncate(query.limit);
        let stacks = page.iter().map(standing).collect();
        Reply::json(&documents::stacks(stacks, !is_last))
    }

    /// One stack.
    pub(super) async fn stack(&self, stack: &StackName) -> Result<Reply, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, "", None);
        let known = self.known(&engine, stack).await?;
        let holds = engine.holds(stack).await;
        let holds = holds.map_err(|error| Problem::of_hold(stack, &error))?;
        let lease = engine.lease_holder(stack).await;
        let lease = lease.map_err(|error| Problem::of_lease(stack, &error))?;
        let lease = lease.as_ref().map(Into::into);
        let now = self.ports.now();
        Reply::json(&documents::stack_status(
            standing(&known),
            &holds,
            lease,
            now,
        ))
    }

    /// The runs that changed something.
    pub(super) async fn runs(&self, stack: &StackName, query: &Query) -> Result<Reply, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, "", None);
        self.known(&engine, stack).await?;
        let history = engine.runs(stack, &history_query(query)).await?;
        Reply::json(&documents::runs(
            stack,
            &history.runs,
            &history.unread,
            history.more,
        ))
    }

    /// Pushes and runs.
    pub(super) async fn history(&self, stack: &StackName, query: &Query) -> Result<Reply, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, "", None);
        self.known(&engine, stack).await?;
        let history = engine.history(stack, &history_query(query)).await?;
        Reply::json(&kedge_engine::documents::history(stack, &history))
    }

    /// One run: one that was asked for, else one that is in history.
    pub(super) async fn run(
        &self,
        stack: &StackName,
        id: &str,
        query: &Query,
    ) -> Result<Reply, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, "", None);
        self.known(&engine, stack).await?;
        let unknown = || Problem::of(ProblemKind::UnknownRun);
        if !RunRequest::is_id(id) {
            return Err(unknown());
        }
        if let Some(request) = requests::read(self.store, stack, id).await? {
            return Ok(self.awaited(&request, query.wait_s).await?.0);
        }
        let newer = || {
            Problem::new(
                ProblemKind::Unusable,
                "the record of this run can't be read",
            )
        };
        let record = engine.run(stack, id).await.map_err(|error| match error {
            RunReadError::Store(error) => error.into(),
            RunReadError::Stored(_) => newer(),
        })?;
        let record = record.ok_or_else(unknown)?;
        Reply::json(&documents::recorded_run(&record).ok_or_else(newer)?)
    }

    /// What the registry has of a stack. Only who may see it gets here.
    pub(super) async fn known(
        &self,
        engine: &Engine<'_, P, S>,
        stack: &StackName,
    ) -> Result<Standing, Problem> {
        let found = engine.standings(None, 1, &|one| one == stack).await?;
        let unknown = || {
            let problem = Problem::of(ProblemKind::UnknownStack);
            problem.next("GET /v1/stacks lists the stacks of your token")
        };
        found.into_iter().next().ok_or_else(unknown)
    }
}

fn history_query(query: &Query) -> HistoryQuery {
    HistoryQuery {
        most: query.most,
        ..HistoryQuery::default()
    }
}

fn standing(standing: &Standing) -> StackStanding {
    let Standing {
        stack,
        entry,
        last_check,
        last_good_read_at,
    } = standing;
    StackStanding::new(stack, entry, *last_check, *last_good_read_at)
}
