//! What a shell that calls nothing but the front door can't get wrong: the rules that every shell
//! would else have to know.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::change::Verb;
use kedge_core::hint::Hint;
use kedge_core::model::ResourceKey;
use kedge_core::push::Ancestry;
use kedge_core::report::StackVerdict;
use kedge_core::stored::bundle::Commit;
use kedge_engine::{
    Agreement, Applied, By, CheckRequest, Consent, Definitions, FolderPush, HoldError, HoldRequest,
    Kept, LeaseError, PushError, PushRequest, ReleaseRequest, RunError, StateCommand,
};
use kedge_tests::pushed::commit;
use kedge_tests::stack::{LEASE_OVER_MS, NODE, Stack, left_reasons, topic};
use serde_json::json;

use super::leases::{busy, drive, lease, reaches, run};
use super::set_config;

const DEFINITIONS: &str = "stacks/dev/definitions.json";

/// A stack whose pushed definitions name a topic and delete nothing, deployed.
fn deployed() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, prune: true");
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "")]);
    stack.unattended();
    stack.push(&commit(1));
    stack.wait_minutes(60);
    stack.by_stored = true;
    stack
}

/// Asserts that nothing is written to the world or to the store meanwhile.
fn unchanged<T>(stack: &Stack, work: impl FnOnce() -> T) -> T {
    let (world, writes) = (stack.ports.sandbox.world(), stack.ports.store.writes.get());
    let done = work();
    assert_eq!(stack.ports.sandbox.world(), world);
    assert_eq!(stack.ports.store.writes.get(), writes);
    done
}

fn failed(applied: Applied) -> RunError {
    match applied {
        Applied::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_usable_revision_is_checked_by_and_never_deployed() {
    let stack = deployed();
    let (none, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&none, &invocation);
    // A newer revision takes `b` away and can't be parsed: by the older one `b` would be kept, by
    // "nothing is declared" everything would be deleted.
    let text = stack.ports.store.text(DEFINITIONS);
    for broken in [text.replace("topics:", "topics: ["), "{".to_owned()] {
        stack.ports.store.set(DEFINITIONS, broken);
        set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
        let all: [&By; 2] = [&By::Policy, &By::Person(Consent::to_any_plan())];
        for by in all {
            let error = unchanged(&stack, || failed(stack.run(engine.apply(&stack.name, by))));
            assert!(
                matches!(error, RunError::NoBundle { .. } | RunError::Definitions(_)),
                "{error:?}"
            );
        }
        let adopt = StateCommand::Adopt { names: Vec::new() };
        let error = unchanged(&stack, || {
            failed(stack.run(engine.command(&stack.name, &adopt, None)))
        });
        assert!(
            matches!(error, RunError::NoBundle { .. } | RunError::Definitions(_)),
            "{error:?}"
        );
        // What is shown before a person is asked is refused too.
        let plan = stack.run(engine.plan(&stack.name, &CheckRequest::default()));
        assert!(plan.is_err(), "{plan:?}");
    }
    // Of a damaged one, and of one that can't be parsed, a check goes on by the older revision.
    let checked = stack.run(engine.check(&stack.name, &CheckRequest::default()));
    let report = checked.unwrap().report;
    assert_eq!(report.verdict(), StackVerdict::Invalid);
    assert!(report.invalid.is_some());
    assert!(report.declared.resources.contains_key(&topic("b")));
}

#[test]
fn local_files_beside_a_store_deploy_nothing() {
    let mut stack = deployed();
    stack.topics(&[("a", "retention_ms: 3600000")]);
    let (bundle, none, invocation) = (stack.set(), BTreeMap::new(), stack.invocation());
    let mut engine = stack.engine_stored(&none, &invocation);
    stack.ports.store.is_shared.set(true);
    engine.settings.definitions = Definitions::Files(&bundle);
    let error = unchanged(&stack, || {
        failed(stack.run(engine.apply(&stack.name, &By::Policy)))
    });
    assert!(matches!(error, RunError::NotStored), "{error:?}");
    let refresh = StateCommand::Refresh;
    let error = unchanged(&stack, || {
        failed(stack.run(engine.command(&stack.name, &refresh, None)))
    });
    assert!(matches!(error, RunError::NotStored), "{error:?}");
    let shown = stack.run(engine.plan(&stack.name, &CheckRequest::default()));
    assert!(matches!(shown, Err(RunError::NotStored)), "{shown:?}");
    let given = stack.run(engine.grant(&stack.name, agreement("00")));
    assert!(matches!(given, Err(RunError::NotStored)), "{given:?}");
    // Nor does what a shell read itself, of stored ones that can't be used: an older revision.
    let text = stack.ports.store.text(DEFINITIONS);
    stack.ports.store.set(DEFINITIONS, "{");
    let read = stack.run(engine.stored(&stack.name)).unwrap();
    let older = read.stored.unwrap();
    engine.settings.definitions = Definitions::Files(&older.bundle);
    let error = unchanged(&stack, || {
        failed(stack.run(engine.apply(&stack.name, &By::Policy)))
    });
    assert!(matches!(error, RunError::NotStored), "{error:?}");
    stack.ports.store.set(DEFINITIONS, text);
    engine.settings.definitions = Definitions::Files(&bundle);
    // They are shown, with the push that must come first.
    let checked = stack.run(engine.check(&stack.name, &CheckRequest::default()));
    let report = checked.unwrap().report;
    assert!(!report.declared.resources.contains_key(&topic("b")));
    let push = Hint::Push {
        after_rollback: None,
    };
    assert_eq!(report.push_first, Some(push));
}

#[test]
fn read_only_refuses_every_change_and_keeps_nothing() {
    let stack = deployed();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let (none, invocation, bundle) = (BTreeMap::new(), stack.invocation(), stack.set());
    let mut engine = stack.engine_stored(&none, &invocation);
    let held = stack.run(engine.lease_holder(&stack.name)).unwrap();
    assert_eq!(held, None);
    engine.settings.read_only = true;
    let name = &stack.name;
    unchanged(&stack, || {
        let all = [
            By::Policy,
            By::Person(Consent::to_any_plan()),
            By::Grant("1-2".to_owned()),
        ];
        for by in all {
            let error = failed(stack.run(engine.apply(name, &by)));
            assert!(matches!(error, RunError::ReadOnly), "{error:?}");
        }
        for command in [
            StateCommand::Refresh,
            StateCommand::Adopt { names: Vec::new() },
            StateCommand::Retire {
                expected_digest: None,
            },
        ] {
            let run = engine.command(name, &command, Some("dev"));
            let error = failed(stack.run(run));
            assert!(matches!(error, RunError::ReadOnly), "{error:?}");
        }
        let request = hold_for(60_000, "why");
        let hold = engine.hold(name, &request);
        assert!(matches!(stack.run(hold), Err(HoldError::ReadOnly)));
        let release = engine.release(name, &ReleaseRequest::Stack);
        assert!(matches!(stack.run(release), Err(HoldError::ReadOnly)));
        let replaced = stack.run(engine.replace_lease(name));
        assert!(matches!(replaced, Err(LeaseError::ReadOnly { .. })));
        let grant = engine.grant(name, agreement("00"));
        assert!(matches!(stack.run(grant), Err(RunError::ReadOnly)));
        let request = PushRequest::Folder(FolderPush {
            bundle: &bundle,
            commit: None,
            branch: None,
            ancestry: &|_: &Commit| Ancestry::Descends,
            consent: &Default::default(),
        });
        let pushed = stack.run(engine.push(name, request));
        assert!(matches!(pushed, Err(PushError::ReadOnly)));
        let rolled = stack.run(engine.rollback(name, "aaaa"));
        assert!(matches!(rolled, Err(PushError::ReadOnly)));
        // A check is read-only too: it tells, and remembers nothing.
        let checked = stack.run(engine.check(name, &CheckRequest::default()));
        let checked = checked.unwrap();
        assert!(matches!(checked.kept, Kept::NotKept), "{:?}", checked.kept);
        assert_eq!(checked.report.verdict(), StackVerdict::Drifted);
    });
}

#[test]
fn a_stack_is_retired_only_by_its_own_name() {
    let stack = deployed();
    let (none, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&none, &invocation);
    let retire = StateCommand::Retire {
        expected_digest: None,
    };
    for wrong in [None, Some(""), Some("yes"), Some("Dev"), Some("dev ")] {
        let error = unchanged(&stack, || {
            failed(stack.run(engine.command(&stack.name, &retire, wrong)))
        });
        assert!(matches!(error, RunError::NotConfirmed { .. }), "{error:?}");
    }
    let retired = stack.run(engine.command(&stack.name, &retire, Some("dev")));
    assert!(matches!(retired, Applied::Done(_)), "{retired:?}");
}

fn hold_for(length_ms: i64, reason: &str) -> HoldRequest {
    HoldRequest {
        keys: BTreeSet::new(),
        reason: reason.to_owned(),
        length_ms,
        replace: false,
    }
}

#[test]
fn a_hold_has_a_reason_and_lasts_a_second_to_thirty_days() {
    let stack = deployed();
    let day_ms = 24 * 60 * 60 * 1000;
    for length_ms in [0, -1, 999, 30 * day_ms + 1, i64::MAX] {
        let refused = unchanged(&stack, || stack.try_hold(&hold_for(length_ms, "why")));
        assert!(matches!(refused, Err(HoldError::Length)), "{refused:?}");
    }
    for reason in ["", " \n"] {
        let refused = unchanged(&stack, || stack.try_hold(&hold_for(1000, reason)));
        assert!(matches!(refused, Err(HoldError::NoReason)), "{refused:?}");
    }
    for length_ms in [1000, 30 * day_ms] {
        stack.try_hold(&hold_for(length_ms, "why")).unwrap();
    }
}

#[test]
fn without_a_key_the_stacks_own_holds_are_released() {
    let stack = deployed();
    stack.hold(None, 60);
    stack.hold(Some(topic("a")), 60);
    let request = |request: ReleaseRequest| {
        let released = stack.try_release(&request).unwrap();
        released
            .into_iter()
            .map(|hold| hold.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(request(ReleaseRequest::Unreadable), []);
    assert_eq!(request(ReleaseRequest::Stack), [None]);
    stack.hold(None, 60);
    assert_eq!(request(ReleaseRequest::All), [None, Some(topic("a"))]);
}

// --- grants

fn agreement(digest: &str) -> Agreement {
    Agreement {
        digest: digest.to_owned(),
        destructive: BTreeSet::new(),
        policy: false,
    }
}

/// A stack with a safe edit and a destructive one to deploy, which automation may not.
fn waiting() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: none, deploy: none, prune: true");
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "")]);
    stack.person(&[]);
    stack.wait_minutes(60);
    stack.topics(&[("a", "retention_ms: 7200000")]);
    stack
}

fn grant(stack: &Stack, agreement: Agreement) -> String {
    let (bundle, none, invocation) = (stack.set(), BTreeMap::new(), stack.invocation());
    let engine = stack.engine(&bundle, &none, &invocation);
    stack.run(engine.grant(&stack.name, agreement)).unwrap()
}

fn by_grant(stack: &Stack, id: &str) -> Applied {
    let (bundle, none, invocation) = (stack.set(), BTreeMap::new(), stack.invocation());
    let engine = stack.engine(&bundle, &none, &invocation);
    stack.run(engine.apply(&stack.name, &By::Grant(id.to_owned())))
}

#[test]
fn a_grant_without_names_covers_what_is_safe_and_is_used_once() {
    let stack = waiting();
    let id = grant(&stack, agreement(&stack.check().plan.digest));
    let ran = by_grant(&stack, &id).into_result().unwrap();
    assert_eq!(ran.changed.done(), 1);
    assert_eq!(left_reasons(&ran.report, "dev-b"), ["needs-approval"]);
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let again = failed(by_grant(&stack, &id));
    assert!(matches!(again, RunError::Grant(_)), "{again:?}");
}

#[test]
fn a_grant_covers_the_destructive_changes_it_names_of_the_plan_it_names() {
    let stack = waiting();
    let digest = stack.check().plan.digest;
    let named = |key: ResourceKey| Agreement {
        destructive: BTreeSet::from([(key, Verb::Delete)]),
        ..agreement(&digest)
    };
    let id = grant(&stack, named(topic("b")));
    let other = grant(&stack, named(topic("b")));
    let ran = by_grant(&stack, &id).into_result().unwrap();
    assert_eq!(ran.changed.done(), 2);
    // The plan it was for is done: another plan is not covered.
    let moved = failed(by_grant(&stack, &other));
    assert!(matches!(moved, RunError::Stopped { .. }), "{moved:?}");
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_grant_ends_after_an_hour_and_its_id_leads_nowhere_else() {
    let stack = waiting();
    let id = grant(&stack, agreement(&stack.check().plan.digest));
    for wrong in ["", "1-2", "../state", "../../prod/grants/1-2"] {
        let error = unchanged(&stack, || failed(by_grant(&stack, wrong)));
        assert!(matches!(error, RunError::Grant(_)), "{wrong}: {error:?}");
    }
    stack.wait_minutes(61);
    let world = stack.ports.sandbox.world();
    let ended = failed(by_grant(&stack, &id));
    assert!(matches!(ended, RunError::Stopped { .. }), "{ended:?}");
    assert_eq!(stack.ports.sandbox.world(), world);
}

#[test]
fn a_grants_hour_is_by_the_stores_clock() {
    let hours = |hours: i64| hours * 60 * 60 * 1000;
    for ahead in [-3, 3] {
        let stack = waiting();
        let digest = stack.check().plan.digest;
        stack.ports.wall_ahead_ms.set(hours(ahead));
        let (first, second) = (
            grant(&stack, agreement(&digest)),
            grant(&stack, agreement(&digest)),
        );
        stack.ports.wall_ahead_ms.set(0);
        stack.wait_minutes(59);
        let ran = by_grant(&stack.fork(), &first).into_result();
        assert_eq!(ran.unwrap().changed.done(), 1, "{ahead}");
        stack.wait_minutes(2);
        let ended = failed(by_grant(&stack, &second));
        assert!(matches!(ended, RunError::Stopped { .. }), "{ended:?}");
    }
}

// --- ends

#[test]
fn a_busy_stack_is_an_outcome_that_says_when_it_is_free() {
    let (stack, allow) = busy(1);
    let by = kedge_tests::stack::person(&allow);
    let (holder, other) = (stack.beside(), stack.beside());
    holder.ports.latency_ms.set(5_000);
    other.ports.latency_ms.set(1);
    let (first, second) = drive(&stack, async {
        let second = async {
            reaches(&holder, 16).await;
            let (bundle, none, invocation) = (other.set(), BTreeMap::new(), stack.invocation());
            let engine = other.engine(&bundle, &none, &invocation);
            let person = By::Person(Consent::to_any_plan());
            engine.apply(&other.name, &person).await
        };
        futures_util::future::join(run(&holder, &by), second).await
    });
    assert!(first.is_ok(), "{first:?}");
    let Applied::Busy { holder, stopped } = second else {
        panic!("{second:?}");
    };
    assert_eq!(holder.actor, "ana@laptop");
    let lasts_ms = holder.free_at.ms_since(holder.renewed_at);
    assert_eq!(lasts_ms, LEASE_OVER_MS);
    assert!(!stopped.has_begun());
    assert!(lease(&stack).released);
}

#[test]
fn a_check_says_what_became_of_what_it_remembers() {
    let stack = deployed();
    let checked = |stack: &Stack| stack.run(stack.checking(&|_| {})).unwrap().kept;
    let kept = checked(&stack);
    assert!(matches!(kept, Kept::Wrote), "{kept:?}");
    let kept = checked(&stack);
    assert!(matches!(kept, Kept::Same), "{kept:?}");
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    // Two see the same drift at the same time: one of them writes, and the other lost the race.
    let both = futures_util::future::join(stack.checking(&|_| {}), stack.checking(&|_| {}));
    let (one, two) = stack.run(both);
    let kept = [one.unwrap().kept, two.unwrap().kept];
    assert!(
        matches!(
            kept,
            [Kept::Wrote, Kept::LostRace] | [Kept::LostRace, Kept::Wrote]
        ),
        "{kept:?}"
    );
}

// --- definitions that were parsed

#[test]
fn a_repeated_check_of_an_unchanged_revision_parses_nothing() {
    let mut stack = deployed();
    let _ = stack.check();
    let parses = stack.caches.parses();
    assert!(parses > 0);
    for _ in 0..3 {
        stack.wait_minutes(15);
        let _ = stack.check();
        assert_eq!(stack.caches.parses(), parses);
    }
    // Another revision, another value of a variable: parsed again.
    stack.by_stored = false;
    stack.topics(&[("a", "retention_ms: 60000"), ("b", "")]);
    let _ = stack.check();
    assert_eq!(stack.caches.parses(), parses + 1);
    stack
        .variables
        .insert("nodes".to_owned(), format!("[{{{NODE}}}]"));
    let _ = stack.check();
    assert_eq!(stack.caches.parses(), parses + 2);
}
