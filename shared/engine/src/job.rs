//! What is asked of a run, by whom, and why it could not be carried out.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::definitions::{Bundle, Problems};
use kedge_core::model::{Scope, StackName, Timestamp};
use kedge_core::plan::{GuardName, PlanSummary};
use kedge_core::report::{ChangeResult, Changed, Report};
use thiserror::Error;

use crate::grants::GrantError;
use crate::lease::{LeaseError, LeaseTimes};
use crate::ports::{ETag, StoreError};
use crate::registry::RegistryError;
use crate::retry::Wait;
use crate::session::Endpoints;
use crate::state_command::StateCommand;
use crate::state_store::StateStoreError;

/// A step of a run that takes time, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A scope is being read.
    Reading(&'a Scope),
    /// It was read, or not.
    HasRead(&'a Scope),
    /// A provider is waited for before it is asked again.
    Waiting(Wait),
    /// So many changes are about to be made.
    Applying(usize),
    /// A change ended.
    ChangeResult(&'a ChangeResult),
    /// What checks remember could not be kept; the run goes on.
    NotRemembered(&'a StateStoreError),
    /// The record of the run could not be kept; what it did is done, and in state.
    NotRecorded(&'a StateStoreError),
    /// The lease could not be given back; it ends by itself.
    NotReleased(&'a LeaseError),
}

/// What is asked of a run.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The stack.
    pub stack: &'a StackName,
    /// Its definitions.
    pub bundle: &'a Bundle,
    /// Config values that win over the stack's file (`KEDGE_CONFIG_<NAME>`).
    pub overrides: &'a BTreeMap<String, String>,
    /// Where the providers' APIs are.
    pub endpoints: &'a Endpoints,
    /// When the run must have ended.
    pub deadline: Timestamp,
    /// Whether DNS names that nobody declared are reported too.
    pub every_dns_name: bool,
    /// Whether what checks remember is written.
    pub remember: bool,
    /// Who asks, and where: `ana@laptop`, a CI actor.
    pub actor: &'a str,
    /// What started the run: `cli`, `unattended`.
    pub trigger: &'a str,
    /// How the lease is kept.
    pub lease: LeaseTimes,
    /// The version of the stored definitions that `set` was read from; none for local files. Before
    /// the lease is given back it is looked whether they moved (semantics 8.6).
    pub definitions: Option<&'a ETag>,
    /// When they were stored; none for local files. A retired stack is begun anew by what was stored
    /// after that (semantics 7.5).
    pub pushed_at: Option<Timestamp>,
    /// Is told of each step. Must not wait.
    pub progress: &'a dyn Fn(Progress<'_>),
}

/// What a person agreed to.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    /// Destructive changes by key or short name, and `policy`.
    pub allow: Vec<String>,
    /// Whether they typed the stack's name on a terminal.
    pub name_typed: bool,
    /// Guards they override.
    pub overrides: BTreeSet<GuardName>,
    /// The plan they saw; none if they agreed to whatever the plan is.
    pub digest: Option<String>,
    /// The parts of the plan they saw, where they are known.
    pub expected: Option<PlanSummary>,
}

/// Who says that a plan may be carried out.
#[derive(Debug, Clone)]
pub enum Authorisation {
    /// Nobody is at hand: the policy alone (what a tick does).
    Unattended,
    /// A person agreed.
    Person(Consent),
    /// A person asks for something else than to make the stack what it is declared to be.
    Command(StateCommand),
}

impl Authorisation {
    /// The word of the run in history.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Unattended | Self::Person(_) => "up",
            Self::Command(command) => command.verb(),
        }
    }
}

/// A run could not be carried out.
#[derive(Debug, Error)]
pub enum RunError {
    /// The definitions can't be used.
    #[error("the definitions can't be used")]
    Definitions(Problems),
    /// The stored definitions can't be used, and no revision of them either.
    #[error("the stored definitions can't be used; nothing is changed: {0}")]
    NoBundle(String),
    /// The store failed.
    #[error("the stored definitions could not be read")]
    Store(#[from] StoreError),
    /// State could not be read or written.
    #[error("state could not be read")]
    Memory(#[from] StateStoreError),
    /// The lease could not be read.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The run looked, and went no further or stopped while it made changes.
    #[error("{}", stopped_text(stopped, source))]
    Stopped {
        /// What was seen, and what was done before.
        stopped: Box<Stopped>,
        /// Why it stopped.
        #[source]
        source: StopError,
    },
    /// Nothing is recorded of the stack.
    #[error("nothing is recorded of stack `{stack}` yet: `kedge adopt` records what is live")]
    NothingRecorded {
        /// The stack.
        stack: StackName,
    },
    /// Other resources are gone than the person saw.
    #[error(
        "what is gone moved: it was {expected}, and is {now} ({count} resources); nothing was confirmed"
    )]
    AbsenceMoved {
        /// The digest of what they saw.
        expected: String,
        /// The digest now.
        now: String,
        /// How many there are now.
        count: usize,
    },
    /// A protected stack is not retired.
    #[error(
        "stack `{stack}` is protected and can't be retired: take the protection away first, which is \
         a change of the key `policy`"
    )]
    RetireProtected {
        /// The stack.
        stack: StackName,
    },
    /// A resource was named that nobody knows, or that may be one of several.
    #[error("{0}")]
    Name(String),
}

fn moved_text(moved: &[String]) -> String {
    match moved {
        [] => String::new(),
        moved => format!("; moved: {}", moved.join(", ")),
    }
}

fn stopped_text(stopped: &Stopped, source: &StopError) -> String {
    match source {
        StopError::Registry(_) => {
            "the stack is retired, and the registry of stacks could not be updated: run the command \
             again"
                .to_owned()
        }
        _ if stopped.has_begun() => {
            let done = stopped.changed.done();
            format!("the run stopped after {done} of its changes")
        }
        _ => "nothing was changed".to_owned(),
    }
}

/// What a run had seen and done when it stopped.
#[derive(Debug)]
pub struct Stopped {
    /// What was seen.
    pub report: Report,
    /// What was done, and what was not begun.
    pub changed: Changed,
}

impl Stopped {
    /// Whether it had come to make changes.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.changed.results.is_empty()
    }
}

/// Why a run that had looked went no further.
#[derive(Debug, Error)]
pub enum StopError {
    /// State could not be read or written.
    #[error(transparent)]
    Memory(#[from] StateStoreError),
    /// Another run has the stack, or the lease could not be had or was lost.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The consent to what can't be taken back does not hold.
    #[error("the consent can't be used")]
    Grant(#[from] GrantError),
    /// The stack is retired, and the registry does not say so yet.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// State moved, and the look after that failed.
    #[error(transparent)]
    Look(Box<RunError>),
    /// The plan is not the one that was agreed to.
    #[error("the plan moved: it was {agreed}, and is {now}{}", moved_text(moved))]
    PlanMoved {
        /// The digest that was agreed to.
        agreed: String,
        /// The digest of the plan now.
        now: String,
        /// What moved, where it is known.
        moved: Vec<String>,
    },
    /// A protected stack takes consent to a plan that was seen, not to any plan.
    #[error("stack `{stack}` is protected: consent needs the digest of the plan (`--plan {now}`)")]
    NeedsDigest {
        /// The stack.
        stack: StackName,
        /// The digest of the plan now.
        now: String,
    },
    /// A guard of a protected stack gives way only to its name, typed.
    #[error(
        "stack `{stack}` is protected: a guard is overridden only on a terminal, with the stack's \
         name typed"
    )]
    OverrideNeedsName {
        /// The stack.
        stack: StackName,
    },
    /// A key was named that is not in the plan, or that fits several.
    #[error("{0}")]
    Allow(String),
}
