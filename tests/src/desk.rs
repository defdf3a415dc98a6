//! What somebody does to a stack from their desk, to be driven beside runs: leases, holds, history.

use std::collections::BTreeMap;

use kedge_core::model::Timestamp;
use kedge_core::stored::hold::Holds;
use kedge_core::stored::run::RunRecord;
use kedge_engine::{
    CheckRequest, Checked, Engine, History, HoldError, HoldRequest, LeaseError, LeaseHolder,
    Progress, Query, RunError,
};

use crate::authority::Authorisation;
use crate::ports::SimPorts;
use crate::stack::{Stack, Upped, apply};

/// Who works at the other desk.
pub const BEN: &str = "ben@desk";

impl Stack {
    /// Works with the engine of Ben's desk.
    async fn at_desk<T>(&self, work: impl AsyncFnOnce(&Engine<'_, SimPorts, SimPorts>) -> T) -> T {
        let (none, invocation) = (BTreeMap::new(), self.invocation());
        let mut engine = self.engine_stored(&none, &invocation);
        engine.settings.actor = BEN;
        work(&engine).await
    }

    /// Who has the lease.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn lease_holder(&self) -> Result<Option<LeaseHolder>, LeaseError> {
        self.at_desk(async |engine| engine.lease_holder(&self.name).await)
            .await
    }

    /// Ben takes the lease from its holder.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn unlock(&self, from: &LeaseHolder) -> Result<(), LeaseError> {
        self.at_desk(async |engine| engine.unlock(from).await).await
    }

    /// Ben replaces a lease that can't be read.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn replace_lease(&self) -> Result<(), LeaseError> {
        self.at_desk(async |engine| engine.replace_lease(&self.name).await)
            .await
    }

    /// Ben holds something.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn bens_hold(&self, request: &HoldRequest) -> Result<Holds, HoldError> {
        self.at_desk(async |engine| engine.hold(&self.name, request).await)
            .await
    }

    /// The run that may not know of a hold.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn unaware_of_holds(&self) -> Result<Option<LeaseHolder>, LeaseError> {
        self.at_desk(async |engine| engine.unaware_of_holds(&self.name).await)
            .await
    }

    /// Waits until it knows, or ended.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn await_hold(&self, holder: &LeaseHolder) -> Result<bool, LeaseError> {
        self.at_desk(async |engine| engine.await_hold(holder).await)
            .await
    }

    /// What happened.
    ///
    /// # Panics
    /// When the store can't say.
    #[expect(clippy::expect_used, reason = "a scenario that can't go on has failed")]
    pub async fn history(&self, query: &Query) -> History {
        self.at_desk(async |engine| engine.history(&self.name, query).await)
            .await
            .expect("a history")
    }

    /// Waits for a run that follows this revision.
    ///
    /// # Panics
    /// When the store can't say.
    #[expect(clippy::expect_used, reason = "a scenario that can't go on has failed")]
    pub async fn await_run(&self, revision: &str, until: Timestamp) -> Option<RunRecord> {
        self.at_desk(async |engine| engine.await_run(&self.name, revision, until).await)
            .await
            .expect("the store's word")
    }

    /// One check of this runner.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn checking(&self, progress: &dyn Fn(Progress<'_>)) -> Result<Checked, RunError> {
        let (bundle, invocation) = (self.set(), self.invocation());
        let mut engine = self.engine(&bundle, &self.variables, &invocation);
        engine.settings.progress = progress;
        engine.check(&self.name, &CheckRequest::default()).await
    }

    /// One run of this runner that may change something.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn applying(&self, by: &Authorisation, progress: &dyn Fn(Progress<'_>)) -> Upped {
        let (bundle, invocation) = (self.set(), self.invocation());
        let mut engine = self.engine(&bundle, &self.variables, &invocation);
        engine.settings.progress = progress;
        apply(&engine, &self.name, by).await
    }
}
