//! What happened to a stack, for whoever asks.

use kedge_core::model::{StackName, Timestamp};
use kedge_core::stored::run::RunRecord;

use super::Engine;
use crate::history::{self, History, Query, RunReadError};
use crate::ports::{Clock, Random, Store, StoreError};

impl<P: Clock + Random, S: Store> Engine<'_, P, S> {
    /// Pushes and runs of a stack, newest first.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn history(&self, stack: &StackName, query: &Query) -> Result<History, StoreError> {
        history::history(&self.store_of(stack), stack, query).await
    }

    /// Waits for the record of a run that followed this revision, until a time. None if none came.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn await_run(
        &self,
        stack: &StackName,
        revision: &str,
        until: Timestamp,
    ) -> Result<Option<RunRecord>, StoreError> {
        history::await_run(self.ports, &self.store_of(stack), stack, revision, until).await
    }

    /// Runs of a stack, newest first, without pushes.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn runs(&self, stack: &StackName, query: &Query) -> Result<History, StoreError> {
        history::of_runs(&self.store_of(stack), stack, query).await
    }

    /// The record of one run; none if no run of this id changed anything.
    ///
    /// # Errors
    /// When the store can't say, or it can't be read.
    pub async fn run(
        &self,
        stack: &StackName,
        id: &str,
    ) -> Result<Option<RunRecord>, RunReadError> {
        history::run(&self.store_of(stack), stack, id).await
    }
}
