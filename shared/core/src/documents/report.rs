//! `kedge.report/1`: how a stack stands, and of a preview what would be done about it.

use serde::Serialize;

use super::parts::{
    self, Finding, Hold, Policy, RefusingGuard, ResourceName, Stats, Surroundings, Text, Time,
    Traffic,
};
use super::plan::{self, Commands, Plan};
use super::problems::{self, Problem};
use super::resource::{Resource, resource};
use super::words::{FailureCode, RunStage, StackVerdict};
use crate::compare::{self, Difference, Stage, Verdict};
use crate::plan::MovedVariable;
use crate::ran_out;
use crate::render::Hints;
use crate::report::{self, InvalidBundle};

format_name!(Report: ReportFormat => "kedge.report/1");

/// How a stack stands: `kedge check`, `kedge audit` and `kedge preview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The name and number of this format.
    pub format: ReportFormat,
    /// The stack.
    pub stack: Text,
    /// The revision of the definitions.
    pub revision: Text,
    /// Where the definitions were read from: local files (`preview` also names the stored revision), or
    /// the stored revision, who pushed it and when.
    pub definitions: Option<Text>,
    /// The worst of what was found.
    pub verdict: StackVerdict,
    /// What `check` exits with, without `--fail-on`.
    pub exit_code: u8,
    /// Why the stored definitions can't be used, if so. The rest then uses the last good revision.
    pub invalid: Option<InvalidDefinitions>,
    /// Why nothing is known, if state changed during each attempt to check. Every resource is then
    /// `unknown`, with the code `being-changed`.
    pub unverified: Option<Text>,
    /// The limit of this run that kept something from being read, if one did.
    pub ran_out: Option<RanOut>,
    /// The run that began changes whose outcome is not known, if there is one.
    pub open_run: Option<OpenRun>,
    /// `false` before the stack's first `up`: nothing in it counts as drift then.
    pub has_state: bool,
    /// When the providers were read.
    pub read_at: Time,
    /// When they were last read before without a failure.
    pub last_good_read_at: Option<Time>,
    /// The policy in force.
    pub policy: Policy,
    /// What the definitions change about it.
    pub policy_change: PolicyChange,
    /// Environment variables that are missing or new since a person's last `up`.
    pub variables: Vec<ChangedVariable>,
    /// How many resources there are, by verdict.
    pub counts: Counts,
    /// Resources that are not in sync, or of which there is something to say.
    pub resources: Vec<Resource>,
    /// What Kedge can't or won't change.
    pub findings: Vec<Finding>,
    /// Guards that refuse the whole plan.
    pub guards: Vec<RefusingGuard>,
    /// Holds in force, and those that ended since the last check.
    pub holds: Vec<Hold>,
    /// Why holds could not be read, if so. Everything is held then.
    pub holds_unread: Option<Text>,
    /// Why what earlier checks remembered can't be used, if so. Every drift counts as new then.
    pub watch_unread: Option<Text>,
    /// What is live under the stack's names, neither declared nor recorded. For DNS: record sets with
    /// the stack's mark; with `audit`, the whole zone.
    pub unmanaged: Vec<ResourceName>,
    /// Services, projects or zones where something could not be read.
    pub unread_scopes: Vec<Text>,
    /// Keys of the definitions that are accepted but not used, as `file:line key`.
    pub unused_keys: Vec<Text>,
    /// Of `preview`: what would be done.
    pub plan: Option<Plan>,
    /// Of `kedge preview`: the commands that do it.
    pub commands: Option<Commands>,
    /// How much was asked of the providers.
    pub traffic: Option<Traffic>,
    /// The same in detail; `null` without `--stats`.
    pub stats: Option<Stats>,
}

/// Why the stored definitions can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InvalidDefinitions {
    /// Why, as a sentence.
    pub reason: Text,
    /// What is wrong with them, if they could be read.
    pub problems: Vec<Problem>,
}

impl From<&InvalidBundle> for InvalidDefinitions {
    fn from(invalid: &InvalidBundle) -> Self {
        let problems = invalid.problems.as_ref();
        Self {
            reason: Text::new(&invalid.reason),
            problems: problems.map(problems::list).unwrap_or_default(),
        }
    }
}

/// A limit of a run that kept something from being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RanOut {
    /// Which limit: `out-of-requests` or `out-of-time`.
    pub code: FailureCode,
    /// Of `out-of-requests`: how many requests it would take to read everything.
    pub requests_needed: Option<u64>,
    /// Of `out-of-requests`: how many requests were left for it.
    pub requests_left: Option<u64>,
    /// All of this as a sentence.
    pub text: Text,
}

impl From<&ran_out::RanOut> for RanOut {
    fn from(ran_out: &ran_out::RanOut) -> Self {
        let (requests_needed, requests_left) = match ran_out {
            ran_out::RanOut::Requests { needs, left } => (Some(*needs), Some(*left)),
            ran_out::RanOut::Time => (None, None),
        };
        Self {
            code: (&ran_out.code()).into(),
            requests_needed,
            requests_left,
            text: Text::of(ran_out),
        }
    }
}

/// A run that began changes whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenRun {
    /// Its id.
    pub run: Text,
    /// Who runs it.
    pub actor: Text,
    /// What became of it.
    pub stage: RunStage,
    /// If it is working: since when it has the lease.
    pub since: Option<Time>,
    /// If it broke off: when it last renewed its lease, if that is known.
    pub last_seen: Option<Time>,
    /// If it broke off: who has the stack now, if somebody has.
    pub next: Option<NextRun>,
    /// When this was read. All times here are the store's.
    pub read_at: Time,
    /// The resources whose change has no known outcome.
    pub keys: Vec<Text>,
    /// All of this as a sentence.
    pub text: Text,
}

/// The run that has the stack now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextRun {
    /// Who runs it.
    pub actor: Text,
    /// Its id.
    pub run: Text,
}

impl From<&compare::OpenRun> for OpenRun {
    fn from(run: &compare::OpenRun) -> Self {
        let (since, last_seen, next) = match &run.stage {
            Stage::Working { since } => (Some(*since), None, None),
            Stage::BrokeOff { last_seen, next } => (None, *last_seen, next.as_ref()),
            Stage::OutcomeUnknown | Stage::Unread { .. } => (None, None, None),
        };
        Self {
            run: Text::new(&run.run),
            actor: Text::new(&run.actor),
            stage: (&run.stage).into(),
            since: since.map(Into::into),
            last_seen: last_seen.map(Into::into),
            next: next.map(|(actor, run)| NextRun {
                actor: Text::new(actor),
                run: Text::new(run),
            }),
            read_at: run.read_at.into(),
            keys: run.keys.iter().map(Text::of).collect(),
            text: Text::of(run),
        }
    }
}

/// What the definitions change about the policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PolicyChange {
    /// What allows automation less. It is in force already.
    pub allows_less: Vec<Text>,
    /// What would allow automation more. It waits until a person approves the key `policy`.
    pub allows_more: Vec<Text>,
}

/// An environment variable that is missing or new since a person's last `up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangedVariable {
    /// Its name.
    pub name: Text,
    /// Whether it was set then, and is missing now; else it is new.
    pub was_set: bool,
}

/// How many resources there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// In the definitions.
    pub declared: u64,
    /// Declared or recorded: the sum of those below, `unmanaged` apart.
    pub compared: u64,
    /// With the verdict `in-sync`.
    pub in_sync: u64,
    /// With the verdict `drifted`.
    pub drifted: u64,
    /// With the verdict `drifted-and-pending`.
    pub drifted_and_pending: u64,
    /// With the verdict `pending`.
    pub pending: u64,
    /// With the verdict `not-adopted`.
    pub not_adopted: u64,
    /// With the verdict `orphan`.
    pub orphan: u64,
    /// With the verdict `unknown`.
    pub unknown: u64,
    /// With the verdict `catching-up`.
    pub catching_up: u64,
    /// With the verdict `ignored`.
    pub ignored: u64,
    /// In `unmanaged`.
    pub unmanaged: u64,
}

impl Counts {
    fn new(report: &report::Report) -> Self {
        let count = |verdict| parts::count(report.count(&[verdict]));
        Self {
            declared: parts::count(report.declared.resources.len()),
            compared: parts::count(report.comparison.differences.len()),
            in_sync: count(Verdict::InSync),
            drifted: count(Verdict::Drifted),
            drifted_and_pending: count(Verdict::DriftedAndPending),
            pending: count(Verdict::Pending),
            not_adopted: count(Verdict::NotAdopted),
            orphan: count(Verdict::Orphan),
            unknown: count(Verdict::Unknown),
            catching_up: count(Verdict::CatchingUp),
            ignored: count(Verdict::Ignored),
            unmanaged: parts::count(report.comparison.unmanaged.len()),
        }
    }
}

/// How a stack stands.
#[must_use]
pub fn check(report: &report::Report, around: &Surroundings<'_>) -> Report {
    let comparison = &report.comparison;
    let resources = comparison.differences.values().filter(|one| is_told(one));
    let change = &report.plan.policy_change;
    let variable = |variable: &MovedVariable| ChangedVariable {
        name: Text::new(&variable.name()),
        was_set: variable.was_set,
    };
    Report {
        format: ReportFormat::V1,
        stack: Text::of(&report.declared.stack),
        revision: Text::new(&report.declared.revision),
        definitions: around.definitions(),
        verdict: (&report.verdict()).into(),
        exit_code: report.verdict().exit_code(false),
        invalid: report.invalid.as_ref().map(Into::into),
        unverified: report.unverified.as_deref().map(Text::new),
        ran_out: report.ran_out.as_ref().map(Into::into),
        open_run: report.open_run.as_ref().map(Into::into),
        has_state: comparison.has_state,
        read_at: report.read_at.into(),
        last_good_read_at: report.last_good_read_at.map(Into::into),
        policy: (&report.plan.policy).into(),
        policy_change: PolicyChange {
            allows_less: Text::all(&change.tightened),
            allows_more: Text::all(&change.loosened),
        },
        variables: report.plan.variables.iter().map(variable).collect(),
        counts: Counts::new(report),
        resources: resources.map(|one| resource(report, one)).collect(),
        findings: parts::findings(report),
        guards: parts::guards(report),
        holds: parts::holds(report),
        holds_unread: parts::holds_unread(report),
        watch_unread: report.watch_unread.as_deref().map(Text::new),
        unmanaged: comparison.unmanaged.iter().map(Into::into).collect(),
        unread_scopes: comparison.unread_scopes.iter().map(Text::of).collect(),
        unused_keys: Text::all(&report.declared.unused),
        plan: None,
        commands: None,
        traffic: around.traffic(),
        stats: around.stats.clone(),
    }
}

/// How a stack stands, and what would be done about it. `hints` says the commands; none: whoever reads it
/// uses no command line.
#[must_use]
pub fn preview(
    report: &report::Report,
    around: &Surroundings<'_>,
    hints: Option<Hints<'_>>,
) -> Report {
    Report {
        plan: Some(plan::plan(report)),
        commands: hints.map(|hints| plan::commands(report, hints)),
        ..check(report, around)
    }
}

/// Whether there is more to say of a resource than that it is in sync.
fn is_told(difference: &Difference) -> bool {
    difference.verdict != Verdict::InSync
        || difference.blocked.is_some()
        || !difference.foreign.is_empty()
        || !difference.conditions.is_empty()
        || !difference.notes.is_empty()
}
