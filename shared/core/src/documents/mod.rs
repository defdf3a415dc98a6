//! What Kedge says to machines: each JSON document as a type, with the functions that make it.
//!
//! One file for each document; what several share is in `parts`, the closed sets of words in `words`.
//! Nothing is decided here. `docs/schema` and the reference in `docs/json.md` are made from these types
//! by the tests, so a comment on a field is documentation. While the number of a format stays, keys are
//! only added: none is renamed, removed or changes its meaning.

#[macro_use]
mod format;

mod accept;
mod changed;
mod error;
mod health;
mod history;
mod holds;
mod outputs;
mod parts;
mod plan;
mod problems;
mod push;
mod report;
mod resource;
mod run;
mod schemas;
mod stack;
mod stacks;
mod state_command;
mod tokens;
mod unlocked;
mod upload;
mod words;

pub use accept::{Accept, AcceptEdit, NotAcceptable, accept};
pub use changed::{ChangeResult, Changed, changed};
pub use error::{Error, Failed, RefusalReason, error};
pub use health::{Health, Version, version};
pub use history::{
    FieldChange, FoundChange, History, HistoryChange, HistoryPush, HistoryRun, InterruptedRun,
    history,
};
pub use holds::{CurrentRun, Holds, holds};
pub use outputs::{Output, Outputs, full_name, outputs};
pub use parts::{
    FieldEdit, Finding, Guards, Hold, Policy, ProviderStats, Reason, RefusingGuard, ResourceName,
    Stats, StoreStats, Surroundings, Text, Time, Traffic, Value, WaitingStep,
};
pub use plan::{Commands, Plan, PlannedChange, PlannedStep, StateOnly};
pub use problems::{Problem, Problems, problems};
pub use push::{Push, PushNotice, push};
pub use report::{
    ChangedVariable, Counts, InvalidDefinitions, NextRun, OpenRun, PolicyChange, RanOut, Report,
    check, preview,
};
pub use resource::{ConditionalMember, Failure, Field, Item, Origin, Resource};
pub use run::{Run, Runs, asked_run, recorded_run, runs};
pub use schemas::{DefinitionSchema, Schemas, schemas};
pub use stack::{Stack, stack};
pub use stacks::{StackStanding, StackStatus, Stacks, stack_status, stacks};
pub use state_command::{StateCommand, StateResource, state_command};
pub use tokens::{NewToken, Token, Tokens, new_token, tokens};
pub use unlocked::{LeaseHolder, Unlocked, unlocked};
pub use upload::{Upload, UploadAnswer, UploadOf, UploadProblem, UploadedObject, upload};
pub use words::{
    AcceptAction, Action, Allowance, Cause, CommandName, FailureCode, FindingKind, FoundOutcome,
    Guard, HealthProblem, HealthStatus, HolderStatus, Kind, NoticeCode, OnMissing, Outcome,
    Provider, PushOutcome, ReasonCode, RefusalCode, RequestName, Risk, RunStage, RunStatus,
    StackVerdict, StateResult, TokenScope, TokenStatus, Unit, UploadOutcome, Verb, Verdict, Who,
    Word,
};

/// A document: what a command prints, whole.
pub trait Document: serde::Serialize {}

/// A document as the text that is printed.
///
/// # Errors
/// None of these types makes JSON fail; the signature is that of the encoder.
pub fn json_text(document: &impl Document) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(document)?;
    Ok(text + "\n")
}
