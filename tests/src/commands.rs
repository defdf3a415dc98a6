//! What a person asks of a stack besides `up`: adopt, forget, refresh, retire, hold, release.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a scenario that can't go on has failed"
)]

use kedge_core::model::ResourceKey;
use kedge_core::record::{Answer, MassAbsence};
use kedge_core::report::{Changed, Report};
use kedge_core::stored::hold::{Hold, Holds};
use kedge_engine::{HoldError, HoldRequest, ReleaseRequest, RunError, StateCommand};

use crate::authority::Authorisation;
use crate::executor::Crashed;
use crate::stack::{Stack, Upped};

impl Stack {
    /// Asks for something, and has it done.
    ///
    /// # Panics
    /// When the run fails.
    pub fn command(&self, request: &StateCommand) -> (Report, Changed) {
        match self.ask(request) {
            Ok(Ok(done)) => done,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    /// The same with its error.
    ///
    /// # Errors
    /// When it crashed; within, those of the engine.
    pub fn ask(&self, request: &StateCommand) -> Result<Upped, Crashed> {
        self.up(&Authorisation::Command(request.clone()))
    }

    /// What a request would come to.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When it crashes.
    pub fn dry_run(&self, request: &StateCommand) -> Result<Report, RunError> {
        let (bundle, invocation) = (self.set(), self.invocation());
        let engine = self.engine(&bundle, &self.variables, &invocation);
        let checked = self.run(engine.dry_run(&self.name, request));
        checked.map(|checked| checked.report)
    }

    /// What is gone all at once.
    ///
    /// # Panics
    /// When that can't be found out.
    #[must_use]
    pub fn mass_absence(&self) -> MassAbsence {
        let report = self.dry_run(&StateCommand::ConfirmAbsence {
            expected_digest: None,
        });
        match report
            .expect("a report")
            .command
            .map(|command| command.answer)
        {
            Some(Answer::Absent(absence)) => absence,
            other => panic!("{other:?}"),
        }
    }

    /// A person says that what is gone all at once is gone.
    pub fn confirm_absence(&self) -> (Report, Changed) {
        let seen = Some(self.mass_absence().digest);
        self.command(&StateCommand::ConfirmAbsence {
            expected_digest: seen,
        })
    }

    /// Holds a resource, or without one the stack, for so many minutes.
    ///
    /// # Panics
    /// When it can't.
    pub fn hold(&self, key: Option<ResourceKey>, minutes: i64) -> Holds {
        let request = HoldRequest {
            keys: key.into_iter().collect(),
            reason: "broker upgrade".to_owned(),
            length_ms: minutes * 60_000,
            replace: false,
        };
        self.try_hold(&request).expect("a hold")
    }

    /// The same with its error.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When it crashes.
    pub fn try_hold(&self, request: &HoldRequest) -> Result<Holds, HoldError> {
        let (bundle, invocation) = (self.set(), self.invocation());
        let engine = self.engine(&bundle, &self.variables, &invocation);
        self.run(engine.hold(&self.name, request))
    }

    /// Releases the holds of a resource, or without one of the stack, whoever set them.
    ///
    /// # Panics
    /// When it can't.
    pub fn release(&self, key: Option<ResourceKey>) -> Vec<Hold> {
        let request = match key {
            Some(key) => ReleaseRequest::Keys([key].into()),
            None => ReleaseRequest::Stack,
        };
        self.try_release(&request).expect("released")
    }

    /// The same with its error.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When it crashes.
    pub fn try_release(&self, request: &ReleaseRequest) -> Result<Vec<Hold>, HoldError> {
        let (bundle, invocation) = (self.set(), self.invocation());
        let engine = self.engine(&bundle, &self.variables, &invocation);
        let released = self.run(engine.release(&self.name, request));
        released.map(|(_, released)| released)
    }

    /// Again, and it changes nothing: neither the world nor the store.
    ///
    /// # Panics
    /// When it does.
    pub fn assert_done(&self, request: &StateCommand) {
        let world = self.ports.sandbox.world();
        let (writes, stored) = (self.ports.writes(), self.ports.store.writes.get());
        let (_, changed) = self.command(request);
        assert_eq!(changed.results, []);
        assert_eq!(self.ports.writes(), writes);
        assert_eq!(self.ports.store.writes.get(), stored);
        assert_eq!(self.ports.sandbox.world(), world);
    }
}
