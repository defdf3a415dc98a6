//! What a schedule and a list of all stacks ask.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::model::StackName;

use super::Engine;
use crate::ports::{Clock, Store};
use crate::registry;
use crate::schedule::{self, DueWork, LastTick, ScheduleError, Scope, Standing};

impl<P: Clock, S: Store> Engine<'_, P, S> {
    /// Says what a schedule has to do now. A group of checks fits under this limit of requests; none:
    /// requests are not limited. Send it, and then call [`Engine::keep_schedule`].
    ///
    /// # Errors
    /// When the registry or what the last tick left can't be used.
    pub async fn due(&self, scope: Scope, limit: Option<u64>) -> Result<DueWork, ScheduleError> {
        let store = self.settings.budget.gated(self.store, None);
        schedule::read(
            &store,
            scope,
            limit,
            self.ports.now(),
            self.settings.read_only,
        )
        .await
    }

    /// Notes that what was due is on its way, so that the next tick does not send it again. False: another
    /// tick was first, and sent the same. Read-only mode notes nothing: each tick then checks all stacks.
    ///
    /// # Errors
    /// When it can't be written.
    pub async fn keep_schedule(&self, due: &DueWork) -> Result<bool, ScheduleError> {
        if self.settings.read_only {
            return Ok(true);
        }
        let store = self.settings.budget.gated(self.store, None);
        schedule::keep(&store, due, self.settings.budget.permits()).await
    }

    /// What the last tick left; none if there was none.
    ///
    /// # Errors
    /// When the store can't say, or what it left can't be read.
    pub async fn last_tick(&self) -> Result<Option<LastTick>, ScheduleError> {
        let store = self.settings.budget.gated(self.store, None);
        schedule::last_tick(&store, self.ports.now()).await
    }

    /// How the stacks stand, in order: so many of those whose names come after this one, and fit. Retired
    /// ones too.
    ///
    /// # Errors
    /// When the registry or a stack can't be read.
    pub async fn standings(
        &self,
        after: Option<&StackName>,
        most: usize,
        fits: &dyn Fn(&StackName) -> bool,
    ) -> Result<Vec<Standing>, ScheduleError> {
        let store = self.settings.budget.gated(self.store, None);
        let index = registry::read(&store).await?.index;
        let wanted = |stack: &StackName| after.is_none_or(|after| stack > after) && fits(stack);
        let wanted = index.stacks.into_iter().filter(|(stack, _)| wanted(stack));
        let reads: Vec<_> = wanted
            .take(most)
            .map(|(stack, entry)| schedule::standing(&store, stack, entry))
            .collect();
        let reads = stream::iter(reads).buffered(self.settings.budget.permits());
        Ok(reads.try_collect().await?)
    }
}
