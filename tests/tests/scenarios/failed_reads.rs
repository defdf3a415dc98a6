//! What could not be read is unknown: never missing, never created, never deleted, and the rest of
//! the check stands.

use std::cell::RefCell;

use kedge_core::compare::{Cause, Verdict};
use kedge_core::live::FailureCode;
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::Progress;
use kedge_engine::Wait;
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::stack::{Stack, describe, difference, person, topic, verdict};
use serde_json::json;

use super::{deed, set_config, status};

/// A stack of each provider with something to create, delete, replace and correct in each.
fn troubled(prune: bool) -> Stack {
    let mut stack = Stack::new();
    let policy = "correct: safe, deploy: disruptive, correct_after: 0, on_missing: recreate";
    stack.policy(&format!("{policy}, prune: {prune}"));
    let mut stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(10);
    stack.topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", "partitions: 2"),
        ("new", ""),
    ]);
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b"}));
    deed(
        &stack,
        json!({"do": "delete_subscription", "subscription": "dev-mail-sub"}),
    );
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
    );
    // Somebody's: a list that is empty has nothing in it to be of the wrong type.
    deed(
        &stack,
        json!({"do": "create_subscription", "subscription": "other", "topic": "dev-mail"}),
    );
    stack
}

/// The failures of the issue, each with the word for machines.
fn failures() -> Vec<(&'static str, Effect, FailureCode)> {
    vec![
        ("401", status(401), FailureCode::Unauthenticated),
        ("403", status(403), FailureCode::Forbidden),
        ("404", status(404), FailureCode::ScopeNotFound),
        ("429", status(429), FailureCode::RateLimited),
        ("500", status(500), FailureCode::ProviderError),
        (
            "timeout",
            Effect::Latency { ms: 20_000 },
            FailureCode::Network,
        ),
        ("cut", Effect::CutBody, FailureCode::Network),
        (
            "html",
            Effect::HtmlBody { code: 200 },
            FailureCode::StrangeAnswer,
        ),
        ("types", Effect::WrongTypes, FailureCode::StrangeAnswer),
        (
            "lost",
            Effect::LoseAnswer { applied: false },
            FailureCode::Network,
        ),
    ]
}

/// Every resource of the provider is unknown, and no other.
fn assert_unknown(report: &Report, provider: &str, code: FailureCode, name: &str) {
    for (key, difference) in &report.comparison.differences {
        let expected = key.scope().provider().as_str() == provider;
        assert_eq!(
            difference.verdict == Verdict::Unknown,
            expected,
            "{name} {difference:?}"
        );
        if expected {
            let failure = difference.failure.as_ref();
            assert!(
                failure.is_some_and(|one| one.code == code && !one.reason.is_empty()),
                "{name} {failure:?}"
            );
            assert!(
                !difference.is_missing() && difference.whole.is_none(),
                "{name}"
            );
        }
    }
}

fn write_paths(stack: &Stack) -> Vec<String> {
    let sent = stack.ports.sent.borrow();
    let writes = sent.iter().filter(|sent| sent.write);
    writes
        .map(|sent| format!("{} {}", sent.method, sent.path))
        .collect()
}

#[test]
fn a_powered_off_service_says_nothing_of_its_topics() {
    let stack = troubled(true);
    deed(
        &stack,
        json!({"do": "set_service_state", "state": "POWEROFF"}),
    );
    let report = stack.check();
    assert_unknown(&report, "aiven", FailureCode::NotRunning, "power");
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    stack.ports.clear_sent();
    stack.unattended();
    stack.person(&[]);
    let writes = write_paths(&stack);
    assert!(
        !writes.iter().any(|line| line.contains("clustera-creators")),
        "{writes:?}"
    );
    deed(
        &stack,
        json!({"do": "set_service_state", "state": "RUNNING"}),
    );
    stack.unattended();
    stack.person(&["dev-b-dlq"]);
    stack.assert_settled();
}

#[test]
fn a_new_stack_in_a_powered_off_service_is_not_made() {
    let stack = Stack::small();
    deed(
        &stack,
        json!({"do": "set_service_state", "state": "POWEROFF"}),
    );
    let report = stack.check();
    assert_unknown(&report, "aiven", FailureCode::NotRunning, "power");
    // Nobody knows whether anything of it is live, so automation does not take it for new.
    let (_, changed) = stack.unattended();
    assert_eq!(changed.results, []);
    stack.assert_idle_unattended();
    deed(
        &stack,
        json!({"do": "set_service_state", "state": "RUNNING"}),
    );
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_third_of_the_names_gone_at_once_is_not_believed() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, on_missing: recreate");
    stack.many_topics(12, "");
    stack.mail("");
    stack.unattended();
    stack.wait_minutes(10);
    deed(
        &stack,
        json!({"do": "remove_topics", "prefix": "dev-t", "one_in": 3}),
    );
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    let gone = difference(&report, "dev-t000");
    let code = gone.failure.as_ref().map(|failure| failure.code);
    assert_eq!(
        (gone.verdict, code),
        (Verdict::Unknown, Some(FailureCode::MassAbsence))
    );
    assert_eq!(verdict(&report, "dev-t001"), Verdict::InSync);
    // Nor by a person, until they say so; what is there may still be corrected.
    stack.assert_idle();
    set_config(&stack, "dev-t001", json!({"retention_ms": 1000}));
    let (_, changed) = stack.unattended();
    assert_eq!(changed.results, [], "retention is not declared");
    assert_eq!(stack.person(&[]).1.results, []);
}

#[test]
fn less_than_a_third_is_missing() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: none, correct_after: 0, on_missing: recreate");
    stack.many_topics(12, "");
    stack.person(&[]);
    stack.wait_minutes(10);
    deed(
        &stack,
        json!({"do": "remove_topics", "prefix": "dev-t", "one_in": 4}),
    );
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Drifted,
        "{}",
        describe(&report)
    );
    assert_eq!(difference(&report, "dev-t000").whole, Some(Cause::Missing));
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_missing_token_is_incomplete_and_never_clean() {
    for (token, provider) in [
        ("AIVEN_TOKEN", "aiven"),
        ("CLOUDFLARE_API_TOKEN", "cloudflare"),
    ] {
        let stack = troubled(true);
        let text = stack.ports.secrets.borrow_mut().remove(token);
        let report = stack.check();
        assert_unknown(&report, provider, FailureCode::NoCredentials, token);
        assert_eq!(report.verdict(), StackVerdict::Incomplete);
        stack.unattended();
        stack.assert_idle();
        if let Some(text) = text {
            stack
                .ports
                .secrets
                .borrow_mut()
                .insert(token.to_owned(), text);
        }
        stack.unattended();
        stack.person(&["dev-b-dlq"]);
        stack.assert_settled();
    }
}

#[test]
fn a_topic_that_is_listed_no_more_but_read_is_there() {
    let stack = troubled(false);
    // The bulk read leaves names out, the list lags: neither is proof.
    for effect in [
        Effect::ShortAnswer { by: 1 },
        Effect::BulkLag { ms: 86_400_000 },
    ] {
        stack.trouble(Provider::Aiven, "", effect);
        let report = stack.check();
        let a = &report.comparison.differences[&topic("a")];
        assert!(!a.is_missing(), "{a:?}");
        stack.ports.sandbox.clear_faults();
    }
}

#[test]
fn the_same_failure_is_told_once_and_state_stays() {
    let stack = troubled(true);
    let text = stack.state_text();
    for (_, effect, _) in failures() {
        for provider in [Provider::Aiven, Provider::Pubsub, Provider::Cloudflare] {
            stack.trouble(provider, "", effect.clone());
        }
        let report = stack.check();
        assert_eq!(report.verdict(), StackVerdict::Incomplete);
        assert!(matches!(stack.up(&person(&[])), Ok(Ok(_))));
        assert_eq!(stack.state_text(), text, "{effect:?}");
        stack.ports.sandbox.clear_faults();
    }
}

/// A provider, or a proxy before it, that repeats our token in its message.
fn echo(token: &str) -> Effect {
    Effect::Status {
        code: 403,
        retry_after_s: None,
        try_again_s: None,
        message: Some(format!("the token {token} may not do this")),
        error_code: None,
    }
}

#[test]
fn a_token_that_an_answer_repeats_is_not_shown() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    for (provider, token) in [
        (Provider::Aiven, "aiven-s3cret-token"),
        (Provider::Cloudflare, "cf-s3cret-token"),
    ] {
        stack.trouble(provider, "", echo(token));
    }
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let report = stack.check();
    let text = describe(&report);
    assert!(text.contains("[secret]"), "{text}");
    assert!(!format!("{report:?}").contains("s3cret-token"), "{text}");
    stack.ports.sandbox.clear_faults();
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_name_that_holds_a_tokens_text_stays_as_it_is() {
    let stack = Stack::small();
    stack.unattended();
    for token in ["dev", "retention_ms"] {
        let mut secrets = stack.ports.secrets.borrow_mut();
        secrets.insert("AIVEN_TOKEN".to_owned(), token.to_owned());
        drop(secrets);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn what_a_run_waits_for_is_told() {
    let stack = Stack::small();
    for (write, status) in [(false, 429), (true, 429)] {
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(Provider::Aiven),
                write: Some(write),
                ..Matches::default()
            },
            effect: Effect::Status {
                code: status,
                retry_after_s: Some(7),
                try_again_s: None,
                message: None,
                error_code: None,
            },
            times: Some(1),
        });
    }
    let told: RefCell<Vec<(Wait, i64)>> = RefCell::default();
    let progress = |progress: Progress<'_>| {
        if let Progress::Waiting(wait) = progress {
            let at_ms = stack.ports.executor.now_ms();
            told.borrow_mut().push((wait, at_ms));
        }
    };
    let by = kedge_tests::stack::person(&[]);
    let began_ms = stack.ports.executor.now_ms();
    let run = stack.applying(&by, &progress);
    let (_, changed) = stack.ports.executor.run(run).unwrap().unwrap();
    assert!(changed.is_complete());
    let told = told.into_inner();
    let waits: Vec<_> = told
        .iter()
        .map(|(wait, _)| (wait.status, wait.ms))
        .collect();
    assert_eq!(waits, [(Some(429), 7_000), (Some(429), 7_000)]);
    // As it begins, not when it is over.
    assert!(told[0].1 - began_ms < 7_000, "{told:?}");
    stack.wait_minutes(10);
    stack.assert_settled();
}
