//! What a run found and did, as one value: every page shows it, and every exit code says it.
//!
//! Nothing is decided here. Pages are in [`crate::render`], what is kept of a run in `run_record.rs`.

mod outcome;
mod run_record;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compare::{Cause, Comparison, Difference, OpenRun, Verdict};
use crate::definitions::Problems;
use crate::hint::Hint;
use crate::model::{Declared, Recorded, ResourceKey, Timestamp};
use crate::plan::{Decided, Finding, FindingKind, Plan};
use crate::ran_out::RanOut;
use crate::record::CommandOutcome;
use crate::stored::bundle::StoredBundle;
use crate::stored::hold::{Hold, UnreadHolds};
use crate::stored::state::Window;

pub use crate::model::StackVerdict;
pub use outcome::{ChangeResult, Changed, Outcome};
pub use run_record::About;

/// The stored definitions could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidBundle {
    /// Why not.
    pub reason: String,
    /// What is wrong with them, where they could be read.
    pub problems: Option<Problems>,
    /// Whether the report goes by local files, as a preview does, and not by the last good revision.
    pub beside: bool,
}

/// What was found of one stack, and what may be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Why the stored definitions could not be used, if so. The rest then follows the last good
    /// revision: drift is reported, and nothing is changed (semantics 4.1).
    pub invalid: Option<InvalidBundle>,
    /// What the store holds as declared, where it was read.
    pub stored: Option<Arc<StoredBundle>>,
    /// The push that must come first: what is shown is not stored, or what is stored can't be used.
    pub push_first: Option<Hint>,
    /// What should be. Shared: it is large, and a look and its report both need it.
    pub declared: Arc<Declared>,
    /// What differs.
    pub comparison: Comparison,
    /// What could be done.
    pub plan: Plan,
    /// What may be done, by the authority that was asked for.
    pub decided: Decided,
    /// What automation would do, whoever asked; nothing for a command about state.
    pub automation: Decided,
    /// When the providers were read.
    pub read_at: Timestamp,
    /// When everything was last read without a failure, if ever before.
    pub last_good_read_at: Option<Timestamp>,
    /// When each drift came about.
    pub windows: BTreeMap<ResourceKey, Window>,
    /// Holds to tell of: those that stand, and those that ended and were not told yet.
    pub holds: Vec<Hold>,
    /// Why holds could not be read, where they were looked for: then everything is held.
    pub holds_unread: Option<UnreadHolds>,
    /// Why what earlier checks remembered can't be used, if so: every drift counts as new then.
    pub watch_unread: Option<String>,
    /// The command about state, if the run is one.
    pub command: Option<CommandOutcome>,
    /// The run whose changes have no known end, if there is one.
    pub open_run: Option<OpenRun>,
    /// Why nothing is known: state changed during each observation (semantics 3.4).
    pub unverified: Option<String>,
    /// The limit that kept something from being read, if one did: what all that was to be read needs,
    /// and what was left for it.
    pub ran_out: Option<RanOut>,
}

impl Report {
    /// What is said where the checks before are forgotten.
    #[must_use]
    pub fn forgot_checks(&self) -> Option<String> {
        let why = self.watch_unread.as_ref()?;
        Some(format!(
            "what earlier checks remembered can't be read, so every drift counts as new: {why}"
        ))
    }

    /// How the stack stands. Unmanaged and ignored things don't count, nor do orphans without
    /// `prune` (semantics 9.5).
    #[must_use]
    pub fn verdict(&self) -> StackVerdict {
        let floor = match self.plan.variables.is_empty() {
            true => StackVerdict::Clean,
            // What is declared is not known here, so nobody can say that nothing differs (4.6).
            false => StackVerdict::Pending,
        };
        self.verdict_as_declared_here().max(floor)
    }

    /// How the stack stands by what is declared with the variables that are set here.
    fn verdict_as_declared_here(&self) -> StackVerdict {
        let comparison = &self.comparison;
        let worst = comparison
            .differences
            .values()
            .map(|difference| match difference.verdict {
                Verdict::Unknown => StackVerdict::Incomplete,
                Verdict::InSync | Verdict::CatchingUp | Verdict::Ignored => StackVerdict::Clean,
                // Nothing drifts that was never adopted (semantics 7.1).
                _ if !comparison.has_state => StackVerdict::NotAdopted,
                Verdict::Drifted | Verdict::DriftedAndPending => StackVerdict::Drifted,
                Verdict::Pending => StackVerdict::Pending,
                Verdict::NotAdopted => StackVerdict::NotAdopted,
                Verdict::Orphan if self.plan.policy.prune => StackVerdict::Pending,
                Verdict::Orphan => StackVerdict::Clean,
            });
        if self.invalid.is_some() {
            return StackVerdict::Invalid;
        }
        if self.unverified.is_some() {
            return StackVerdict::Incomplete;
        }
        let floor = match self.plan.policy_change.loosened.is_empty() {
            _ if self.is_not_adopted() => StackVerdict::NotAdopted,
            false => StackVerdict::Pending,
            true => StackVerdict::Clean,
        };
        worst.max().unwrap_or(StackVerdict::Clean).max(floor)
    }

    /// How the stack stands after a run that made these changes, as far as it can tell without a look.
    #[must_use]
    pub fn verdict_after(&self, changed: &Changed) -> StackVerdict {
        let is_done = !changed.results.is_empty() && self.exit_code_after(changed) == 0;
        match is_done {
            true => StackVerdict::Clean,
            false => self.verdict(),
        }
    }

    /// Whether the stack has no state yet (semantics 7.1). One that declares nothing needs none.
    #[must_use]
    pub fn is_not_adopted(&self) -> bool {
        !self.comparison.has_state && !self.declared.resources.is_empty()
    }

    /// How many resources stand like this.
    #[must_use]
    pub fn count(&self, verdicts: &[Verdict]) -> usize {
        let all = self.comparison.differences.values();
        all.filter(|difference| verdicts.contains(&difference.verdict))
            .count()
    }

    /// Whether a run is changing this resource now.
    #[must_use]
    pub fn is_changing(&self, key: &ResourceKey) -> bool {
        let run = self.open_run.as_ref();
        run.is_some_and(|run| run.is_changing(key))
    }

    /// Whether a resource differs from its definition in a way that is not overlooked.
    #[must_use]
    pub fn differs(&self, key: &ResourceKey) -> bool {
        self.comparison
            .differences
            .get(key)
            .is_some_and(|difference| difference.verdict > Verdict::Ignored)
    }

    /// Whether a declared resource is there, as far as it could be read.
    #[must_use]
    pub fn is_live(&self, key: &ResourceKey) -> bool {
        self.comparison
            .differences
            .get(key)
            .is_some_and(|difference| {
                difference.verdict != Verdict::Unknown
                    && !matches!(
                        difference.whole,
                        Some(Cause::New | Cause::NotAdopted | Cause::Missing | Cause::Interrupted)
                    )
            })
    }

    /// What state is to say of resources without a write to a provider; none drops what it said.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<ResourceKey, Option<Recorded>> {
        match &self.command {
            Some(command) => &command.recording.records,
            None => &self.comparison.records,
        }
    }

    /// How many resources nothing is done about since a person holds them.
    #[must_use]
    pub fn held(&self) -> usize {
        let findings = self.plan.findings.iter();
        findings
            .filter(|finding| finding.kind == FindingKind::Held)
            .count()
    }

    /// Whether the record of variables follows those of this run: a person's `up` that leaves nothing
    /// of what depends on one that moved (semantics 4.6).
    #[must_use]
    pub fn follows_variables(&self) -> bool {
        self.decided.variables_granted && self.command.is_none() && self.leaves_no_variable_open()
    }

    /// The resources that depend on a missing or new variable: nobody knows here what is declared
    /// of them, also after this run (semantics 4.6).
    pub fn depends_on_moved_variable(&self) -> impl Fn(&ResourceKey) -> bool + '_ {
        let any = !self.plan.variables.is_empty() && !self.follows_variables();
        move |key| any && self.plan.variable_of(&self.declared, key).is_some()
    }

    /// Whether everything that depends on a variable that moved is decided.
    fn leaves_no_variable_open(&self) -> bool {
        let depends = |key: &ResourceKey| self.plan.variable_of(&self.declared, key).is_some();
        let unread = |difference: &Difference| {
            difference.verdict == Verdict::Unknown && depends(&difference.key)
        };
        let stays = |finding: &Finding| {
            let kinds = [
                FindingKind::Held,
                FindingKind::DependsOn,
                FindingKind::Blocked,
            ];
            kinds.contains(&finding.kind) && depends(&finding.key)
        };
        !(self.decided.left().any(|left| depends(left.key))
            || self.comparison.differences.values().any(unread)
            || self.plan.findings.iter().any(stays))
    }

    /// Whether an `up` with every consent would do anything.
    #[must_use]
    pub fn has_something_to_do(&self) -> bool {
        !self.plan.changes.is_empty()
            || !self.records().is_empty()
            || (!self.plan.policy_change.loosened.is_empty() && !self.plan.held)
            || !self.plan.policy_change.tightened.is_empty()
            || !self.plan.variables.is_empty()
            || (self.plan.retired.is_some() && !self.plan.held)
    }

    /// The exit code of an `up`: how the stack stands after it. A change that was not made is an
    /// error, whatever the rest says; what a person holds is left, and nothing failed (semantics 9.5).
    #[must_use]
    pub fn exit_code_after(&self, changed: &Changed) -> u8 {
        if changed.has_failed() {
            return 1;
        }
        let policy_waits =
            !self.plan.policy_change.loosened.is_empty() && !self.decided.policy_granted;
        let (verdict, variables_wait) = match self.follows_variables() {
            true => (self.verdict_as_declared_here(), false),
            false => (self.verdict(), !self.plan.variables.is_empty()),
        };
        let left = policy_waits
            || variables_wait
            || self.decided.leaves_any()
            || !self.plan.findings.is_empty();
        match verdict {
            StackVerdict::Incomplete | StackVerdict::Invalid => 3,
            _ if !changed.is_complete() => 2,
            StackVerdict::Clean => 0,
            _ if left => 2,
            _ => 0,
        }
    }
}
