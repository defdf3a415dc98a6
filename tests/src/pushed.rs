//! A stack whose definitions are stored: pushes, rollbacks, and runs by what the store holds.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a scenario that can't go on has failed"
)]

use std::collections::BTreeMap;

use crate::authority::Authorisation;
use bytes::Bytes;
use kedge_core::documents::{NoticeCode, RefusalCode, Word as _};
use kedge_core::push::{Ancestry, PushConsent};
use kedge_core::report::{Changed, Report};
use kedge_core::stored::bundle::Commit;
use kedge_engine::RunError;
use kedge_engine::ports::{Condition, Store as _};
use kedge_engine::{CheckRequest, FolderPush, PushError, PushOutcome, PushReport, PushRequest};

use crate::executor::Crashed;
use crate::stack::{Stack, apply};

/// What a push is asked with. Commits are numbers here: a later one descends from each earlier one.
#[derive(Debug, Clone, Default)]
pub struct Pushing {
    /// The commit; 0 for a folder without git.
    pub commit: u32,
    /// What was agreed to.
    pub consent: PushConsent,
}

/// A push of this commit.
#[must_use]
pub fn commit(number: u32) -> Pushing {
    Pushing {
        commit: number,
        consent: PushConsent::default(),
    }
}

impl Pushing {
    fn id(&self) -> Option<Commit> {
        (self.commit > 0).then(|| Commit {
            id: format!("{:040x}", self.commit),
            edited: false,
        })
    }

    fn ancestry(&self, stored: &Commit) -> Ancestry {
        let stored = u32::from_str_radix(&stored.id, 16).unwrap_or(u32::MAX);
        match self.commit {
            0 => Ancestry::NotChecked("no git".to_owned()),
            own if stored <= own => Ancestry::Descends,
            _ => Ancestry::DoesNotDescend,
        }
    }
}

impl Stack {
    /// Pushes the definition files as they are now.
    ///
    /// # Errors
    /// When it crashed; within, those of the engine.
    pub fn try_push(&self, pushing: &Pushing) -> Result<Result<PushReport, PushError>, Crashed> {
        self.ports.executor.run(self.pushes(pushing))
    }

    /// The same beside something else.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn pushes(&self, pushing: &Pushing) -> Result<PushReport, PushError> {
        let (bundle, commit, invocation) = (self.set(), pushing.id(), self.invocation());
        let ancestry = |stored: &Commit| pushing.ancestry(stored);
        let request = PushRequest::Folder(FolderPush {
            bundle: &bundle,
            commit: commit.as_ref(),
            branch: Some("main"),
            ancestry: &ancestry,
            consent: &pushing.consent,
        });
        let engine = self.engine(&bundle, &self.variables, &invocation);
        engine.push(&self.name, request).await
    }

    /// The same where it succeeds.
    ///
    /// # Panics
    /// When it does not.
    pub fn push(&self, pushing: &Pushing) -> PushReport {
        match self.try_push(pushing) {
            Ok(Ok(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    /// Why a push is refused, as words. Nothing is stored by it.
    ///
    /// # Panics
    /// When it is not.
    pub fn refused(&self, pushing: &Pushing) -> Vec<&'static str> {
        let before = self.ports.store.writes.get();
        let refusals = match self.try_push(pushing) {
            Ok(Err(PushError::Refused(refusals))) => refusals,
            other => panic!("{other:?}"),
        };
        assert_eq!(self.ports.store.writes.get(), before, "{refusals:?}");
        refusals
            .iter()
            .map(|one| RefusalCode::from(one).as_str())
            .collect()
    }

    /// Brings a revision back.
    ///
    /// # Errors
    /// When it crashed; within, those of the engine.
    pub fn rollback(&self, revision: &str) -> Result<Result<PushReport, PushError>, Crashed> {
        let (none, invocation) = (BTreeMap::new(), self.invocation());
        let mut engine = self.engine_stored(&none, &invocation);
        engine.settings.actor = "bo@desk";
        let run = engine.rollback(&self.name, revision);
        self.ports.executor.run(run)
    }

    /// Looks at the stack by what is stored.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When it crashes.
    pub fn check_stored(&self) -> Result<Report, RunError> {
        let (none, invocation) = (BTreeMap::new(), self.invocation());
        let engine = self.engine_stored(&none, &invocation);
        let checked = self.run(engine.check(&self.name, &CheckRequest::default()));
        checked.map(|checked| checked.report)
    }

    /// One run of `up` by what is stored.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When it crashes.
    pub fn up_stored(&self, by: &Authorisation) -> Result<(Report, Changed), RunError> {
        let (none, invocation) = (BTreeMap::new(), self.invocation());
        let engine = self.engine_stored(&none, &invocation);
        self.run(apply(&engine, &self.name, by))
    }

    /// Again, and nothing changes: the same push stores nothing, and neither a tick nor a person
    /// changes anything by what is stored.
    ///
    /// # Panics
    /// When something does.
    pub fn assert_pushed(&self, pushing: &Pushing) {
        self.assert_stored(pushing);
        let _ = self.check_stored();
        let (world, writes) = (self.ports.sandbox.world(), self.ports.writes());
        for by in [Authorisation::Unattended, crate::stack::person(&[])] {
            let (_, changed) = self.up_stored(&by).expect("a run");
            assert_eq!(changed.results, []);
        }
        assert_eq!(self.ports.sandbox.world(), world);
        assert_eq!(self.ports.writes(), writes);
    }

    /// One run of `up` by what is stored, while another set is pushed as commit 2.
    ///
    /// # Panics
    /// When either fails.
    pub fn up_beside_a_push(&self, other: &Self) -> Changed {
        let (none, invocation, pushing) = (BTreeMap::new(), self.invocation(), commit(2));
        let (bundle, id) = (other.set(), pushing.id());
        let ancestry = |stored: &Commit| pushing.ancestry(stored);
        let request = PushRequest::Folder(FolderPush {
            bundle: &bundle,
            commit: id.as_ref(),
            branch: None,
            ancestry: &ancestry,
            consent: &pushing.consent,
        });
        let engine = self.engine_stored(&none, &invocation);
        let mut theirs = engine;
        theirs.settings.actor = "bo@desk";
        let pushes = async {
            self.ports.executor.sleep(5).await;
            theirs.push(&self.name, request).await
        };
        let ups = apply(&engine, &self.name, &Authorisation::Unattended);
        let both = futures_util::future::join(pushes, ups);
        let (pushed, upped) = self
            .ports
            .executor
            .run(both)
            .expect("no crash point is set");
        pushed.expect("a push");
        upped.expect("a run").1
    }

    /// Again, the same push stores nothing.
    ///
    /// # Panics
    /// When it does.
    pub fn assert_stored(&self, pushing: &Pushing) {
        let before = self.ports.store.writes.get();
        let report = self.push(pushing);
        assert_eq!(report.outcome, PushOutcome::Unchanged, "{report:?}");
        assert_eq!(self.ports.store.writes.get(), before);
    }

    /// Pushes this stack's files and another's of the same world at the same time, as commit 2.
    ///
    /// # Panics
    /// When it crashes.
    pub fn push_beside(&self, other: &Self) -> [Result<PushReport, PushError>; 2] {
        let (none, pushing) = (BTreeMap::new(), commit(2));
        let (sets, id) = ([self.set(), other.set()], pushing.id());
        let ancestry = |stored: &Commit| pushing.ancestry(stored);
        let request = |bundle| {
            PushRequest::Folder(FolderPush {
                bundle,
                commit: id.as_ref(),
                branch: None,
                ancestry: &ancestry,
                consent: &pushing.consent,
            })
        };
        let invocation = self.invocation();
        let engine = self.engine_stored(&none, &invocation);
        let both = futures_util::future::join(
            engine.push(&self.name, request(&sets[0])),
            engine.push(&other.name, request(&sets[1])),
        );
        let (first, second) = self
            .ports
            .executor
            .run(both)
            .expect("no crash point is set");
        [first, second]
    }

    /// Puts an object into the store behind the engine's back.
    ///
    /// # Panics
    /// When the store fails.
    pub fn put_object(&self, key: &str, text: &str) {
        let bytes = Bytes::from(text.to_owned());
        let put = self.ports.put(key, bytes, Condition::None);
        assert!(matches!(self.ports.executor.run(put), Ok(Ok(_))));
    }
}

/// What was said of a push, as words.
#[must_use]
pub fn notices(report: &PushReport) -> Vec<&'static str> {
    report
        .notices
        .iter()
        .map(|one| NoticeCode::from(one).as_str())
        .collect()
}
