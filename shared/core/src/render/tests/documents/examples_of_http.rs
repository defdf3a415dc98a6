//! One example of each document of the HTTP API and of `kedge token`, for the reference.

use super::super::{NOW, hold, topic};
use super::examples::{around, text};
use crate::documents::{self, Health, HealthProblem, HolderStatus, LeaseHolder, StackStanding};
use crate::model::{SecretText, StackName};
use crate::report::{Report, StackVerdict};
use crate::stored::hold::Holds;
use crate::stored::index::Entry;
use crate::stored::run::RunRecord;
use crate::stored::run_request::{Answer, AnswerOutcome, RequestedRun, RunRequest};
use crate::stored::token::{StackPattern, Token, TokenScope};

fn standing(name: &str) -> StackStanding {
    let entry = Entry {
        revision: "3f9a1c2b5d7e".to_owned(),
        record_sets: [].into(),
        retired: false,
        check_every: Default::default(),
        reads: [].into(),
    };
    let last_check = Some((NOW, StackVerdict::Drifted));
    let stack = StackName::new(name).unwrap();
    StackStanding::new(&stack, &entry, last_check, Some(NOW))
}

fn token() -> Token {
    Token {
        id: "9c2f4a6b8d0e1f35".to_owned(),
        name: "ci".to_owned(),
        hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        scopes: [TokenScope::Read, TokenScope::Check].into(),
        stacks: StackPattern::new("prod-*").unwrap(),
        created_by: "ana@laptop".to_owned(),
        created_at: NOW,
        expires_at: NOW.plus_ms(90 * 24 * 60 * 60 * 1000),
        revoked_at: None,
        last_used_at: Some(NOW),
    }
}

fn run(report: &Report) -> documents::Run {
    let request = RunRequest {
        id: "1790000000000-0badcafe".to_owned(),
        stack: StackName::new("dev").unwrap(),
        actor: "ci".to_owned(),
        at: NOW,
        asked: RequestedRun::Check,
    };
    let answer = Answer {
        at: NOW.plus_ms(1_200),
        outcome: AnswerOutcome::Done,
        document: text(&documents::check(report, &around())),
    };
    documents::asked_run(&request, Some(&answer), NOW).unwrap()
}

pub(super) fn examples(report: &Report, record: &RunRecord) -> Vec<(&'static str, String)> {
    let dev = StackName::new("dev").unwrap();
    let mut holds = Holds::default();
    holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    let holder = LeaseHolder::new(
        "automation",
        "1790000000000-0badcafe",
        NOW,
        NOW.plus_ms(15_000),
        HolderStatus::Working,
    );
    let status = documents::stack_status(standing("dev"), &holds, Some(holder), NOW);
    let page = documents::stacks(vec![standing("dev")], true);
    let secret = SecretText::new("kdg_9c2f4a6b8d0e1f35_…");
    let health = Health::new(
        vec![HealthProblem::LateChecks],
        NOW,
        Some(NOW.plus_ms(-60_000)),
        Some(12),
        Some(1),
    );
    vec![
        ("stacks", text(&page)),
        ("stack-status", text(&status)),
        ("run", text(&run(report))),
        (
            "runs",
            text(&documents::runs(
                &dev,
                std::slice::from_ref(record),
                &[],
                false,
            )),
        ),
        ("token", text(&documents::new_token(&token(), &secret, NOW))),
        ("tokens", text(&documents::tokens(&[token()], &[], NOW))),
        ("health", text(&health)),
        ("version", text(&documents::version("0.1.0"))),
    ]
}
