//! A word is the same in documents, in messages, and in records of runs, which `history` reads back.

use std::collections::BTreeSet;

use super::{Word, plans, runs, service, stands};
use crate::change::Verb;
use crate::compare::{Fate, Verdict};
use crate::live::FailureCode;
use crate::model::{Allowance, OnMissing};
use crate::plan::GuardName;
use crate::report::{Outcome, StackVerdict};
use crate::risk::Risk;
use crate::stored::run_request::{AnswerOutcome, RequestedRun};
use crate::stored::token::TokenScope;

/// These are all values of the core, and each has the word of its document.
#[track_caller]
fn same<W, C>(values: &[C], word: impl Fn(&C) -> &'static str)
where
    W: Word + Ord + std::fmt::Debug + for<'a> From<&'a C>,
{
    for value in values {
        assert_eq!(W::from(value).as_str(), word(value));
        assert_eq!(W::parse(word(value)), Some(W::from(value)));
    }
    let found: BTreeSet<W> = values.iter().map(Into::into).collect();
    assert_eq!(found, W::ALL.iter().copied().collect());
}

#[test]
fn how_things_stand() {
    let verdicts = [
        Verdict::InSync,
        Verdict::CatchingUp,
        Verdict::Ignored,
        Verdict::Orphan,
        Verdict::NotAdopted,
        Verdict::Pending,
        Verdict::Drifted,
        Verdict::DriftedAndPending,
        Verdict::Unknown,
    ];
    same::<stands::Verdict, _>(&verdicts, |one| one.as_str());
    let verdicts = [
        StackVerdict::Clean,
        StackVerdict::NotAdopted,
        StackVerdict::Pending,
        StackVerdict::Drifted,
        StackVerdict::Incomplete,
        StackVerdict::Invalid,
    ];
    same::<stands::StackVerdict, _>(&verdicts, |one| one.as_str());
    let codes = [
        FailureCode::NoCredentials,
        FailureCode::Unauthenticated,
        FailureCode::Forbidden,
        FailureCode::ScopeNotFound,
        FailureCode::NotRunning,
        FailureCode::RateLimited,
        FailureCode::ProviderError,
        FailureCode::Network,
        FailureCode::StrangeAnswer,
        FailureCode::Inconsistent,
        FailureCode::ListedOnly,
        FailureCode::MassAbsence,
        FailureCode::BeingChanged,
        FailureCode::InTransition,
        FailureCode::BeingDeleted,
        FailureCode::OutOfRequests,
        FailureCode::OutOfTime,
    ];
    same::<stands::FailureCode, _>(&codes, |one| one.as_str());
}

#[test]
fn what_would_be_done() {
    let verbs = [Verb::Create, Verb::Update, Verb::Replace, Verb::Delete];
    same::<plans::Verb, _>(&verbs, |one| one.as_str());
    let risks = [Risk::Safe, Risk::Disruptive, Risk::Destructive];
    same::<plans::Risk, _>(&risks, |one| one.as_str());
    same::<plans::Guard, _>(&GuardName::ALL, |one| one.as_str());
    let allowances = [Allowance::None, Allowance::Safe, Allowance::Disruptive];
    same::<plans::Allowance, _>(&allowances, |one| one.as_str());
    let choices = [OnMissing::Alert, OnMissing::Recreate];
    same::<plans::OnMissing, _>(&choices, |one| one.as_str());
}

#[test]
fn how_a_change_ended() {
    let reason = String::new;
    let outcomes = [
        Outcome::Done,
        Outcome::Blocked {
            reason: reason(),
            fix: None,
        },
        Outcome::Failed { reason: reason() },
        Outcome::Unknown { reason: reason() },
        Outcome::NotBegun { reason: reason() },
        Outcome::Held { reason: reason() },
    ];
    same::<runs::Outcome, _>(&outcomes, Outcome::as_str);
    let found: BTreeSet<&str> = [Fate::Open, Fate::Made, Fate::NotMade]
        .map(Fate::as_str)
        .into();
    let words = runs::FoundOutcome::ALL.iter().map(|one| one.as_str());
    assert_eq!(found, words.collect());
}

#[test]
fn what_is_asked_for_over_http() {
    let asked = [
        RequestedRun::Check,
        RequestedRun::Preview,
        RequestedRun::Up {
            digest: String::new(),
            allow: Vec::new(),
        },
    ];
    same::<service::RequestName, _>(&asked, RequestedRun::as_str);
    same::<service::TokenScope, _>(&TokenScope::ALL, |one| one.as_str());
    for outcome in AnswerOutcome::ALL {
        assert_eq!(service::RunStatus::from(outcome).as_str(), outcome.as_str());
    }
}
